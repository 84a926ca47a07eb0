#include "lib/backends/naming.h"

#include <linux/magic.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace lockfile {
namespace {

constexpr size_t kNameMax = 255;
constexpr size_t kScopeLength = 32;  // host 16, boot 8, namespaces 8
constexpr size_t kLongestTail = 1 + kTokenLength + 1 + kScopeLength + 1 + 8 +
                                1 + 16 + 7;  // ".TOKEN.SCOPE.PID.START.broken"
constexpr size_t kMaxEntries = 2048;         // looked at for litter
// A thousand may wait, and to ask about each takes longer than to take the
// lock. Those who live move on: what lies among the oldest is litter.
constexpr int kEnoughLiving = 16;

// FNV-1a.
uint64_t Hash(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return hash;
}

std::string Hex(uint64_t number, size_t digits) {
  std::string out(digits, '0');
  for (size_t i = digits; i-- > 0; number >>= 4) {
    out[i] = "0123456789abcdef"[number & 15];
  }
  return out;
}

std::string ShortHex(uint64_t number) {
  std::array<char, 16> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), number, 16).ptr;
  return {digits.begin(), end};
}

bool ParseHex(std::string_view text, uint64_t* number) {
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, *number, 16);
  return error == std::errc() && rest == end;
}

struct Scope {
  std::string host;
  std::string boot;
  std::string namespaces;
};

Scope ScopeOf(std::string_view host, std::string_view boot_id, uint64_t pid_ns,
              uint64_t time_ns) {
  const std::string spaces =
      std::to_string(pid_ns) + "/" + std::to_string(time_ns);
  return {Hex(Hash(host), 16), Hex(Hash(boot_id), 8), Hex(Hash(spaces), 8)};
}

std::string_view TakeUntilDot(std::string_view* text) {
  const size_t dot = std::min(text->find('.'), text->size());
  const std::string_view word = text->substr(0, dot);
  text->remove_prefix(std::min(dot + 1, text->size()));
  return word;
}

Life JudgeProcess(os::Os& os, uint64_t pid, uint64_t start) {
  if (pid == 0 || pid > INT32_MAX) return Life::kUnknown;
  const os::ProcessStatus status = os.Status(static_cast<pid_t>(pid));
  if (!status.exists || status.zombie) return Life::kDead;
  if (start == 0 || status.start_time == 0) return Life::kUnknown;
  return status.start_time == start ? Life::kAlive : Life::kDead;
}

// Where a name of `size` may be cut without splitting a UTF-8 character.
size_t CutPoint(std::string_view name, size_t size) {
  while (size > 0 && (static_cast<unsigned char>(name[size]) & 0xC0) == 0x80) {
    --size;
  }
  return size;
}

// A leftover is a file, a symbolic link, or a prepared lock directory with at
// most one entry, of the same name.
void RemoveLeftover(os::Os& os, const std::string& path,
                    const std::string& ticket) {
  if (os.Unlink(path.c_str()).ok()) return;
  const std::string entry = path + "/" + ticket;
  os.Unlink(entry.c_str());
  os.RemoveDir(path.c_str());
}

}  // namespace

std::string TicketTail(const Owner& owner) {
  const Scope scope =
      ScopeOf(owner.host, owner.boot_id, owner.pid_ns, owner.time_ns);
  return scope.host + scope.boot + scope.namespaces + "." +
         ShortHex(static_cast<uint64_t>(owner.pid)) + "." +
         ShortHex(owner.start_time);
}

std::string TicketName(const Owner& owner) {
  return owner.token + "." + TicketTail(owner);
}

uint64_t StampOf(std::string_view token) {
  uint64_t stamp = 0;
  if (token.size() == kTokenLength) {
    ParseHex(token.substr(kObjectDigits), &stamp);
  }
  return stamp;
}

std::optional<TicketFacts> ParseTicket(std::string_view name) {
  if (name.ends_with(kWaiting)) name.remove_suffix(kWaiting.size());
  TicketFacts facts;
  facts.token = TakeUntilDot(&name);
  facts.scope = TakeUntilDot(&name);
  if (!IsToken(facts.token) || !IsToken(facts.scope) ||
      !ParseHex(TakeUntilDot(&name), &facts.pid) ||
      !ParseHex(name, &facts.start)) {
    return std::nullopt;
  }
  return facts;
}

std::optional<Life> JudgeTicket(os::Os& os, std::string_view name) {
  for (const std::string_view suffix : {".broken", ".copy"}) {
    if (name.ends_with(suffix)) name.remove_suffix(suffix.size());
  }
  const std::optional<TicketFacts> facts = ParseTicket(name);
  if (!facts.has_value()) return std::nullopt;
  const std::string_view scope = facts->scope;
  const os::ProcessIdentity self = os.Self();
  const Scope mine =
      ScopeOf(self.host, self.boot_id, self.pid_ns, self.time_ns);
  if (self.boot_id.empty() || scope.substr(0, 16) != mine.host) {
    return Life::kUnknown;
  }
  // Its maker could not tell which boot it was: see JudgeLife.
  if (scope.substr(16, 8) == ScopeOf("", "", 0, 0).boot) return Life::kUnknown;
  if (scope.substr(16, 8) != mine.boot) return Life::kDead;
  if (self.pid_ns == 0 || scope.substr(24, 8) != mine.namespaces) {
    return Life::kUnknown;
  }
  return JudgeProcess(os, facts->pid, facts->start);
}

LockNames::LockNames(const std::string& lock_path) {
  const size_t slash = lock_path.rfind('/');
  directory_ = slash == 0 ? "/" : lock_path.substr(0, slash);
  stem_ = lock_path.substr(slash + 1);
  if (stem_.size() + kLongestTail > kNameMax) {
    const std::string hash = "~" + Hex(Hash(stem_), 16);
    const size_t room = kNameMax - kLongestTail - hash.size();
    stem_ = stem_.substr(0, CutPoint(stem_, room)) + hash;
  }
  stem_ += ".";
  stem_path_ = (slash == 0 ? "" : directory_) + "/" + stem_;
}

std::string_view LockNames::Tail(std::string_view entry) const {
  if (!entry.starts_with(stem_)) return {};
  return entry.substr(stem_.size());
}

// Not, where it could not be told. f_type is signed on some platforms: what all
// have in common is compared.
static bool IsOneOf(const os::SysResult& type,
                    std::span<const int64_t> magics) {
  return type.ok() && std::ranges::any_of(magics, [&](int64_t magic) {
           return static_cast<uint32_t>(magic) ==
                  static_cast<uint32_t>(type.value);
         });
}

Storage StorageOf(os::Os& os, const std::string& path) {
  static constexpr auto kMemory =
      std::to_array<int64_t>({TMPFS_MAGIC, RAMFS_MAGIC});
  static constexpr auto kDisk = std::to_array<int64_t>({
      EXT4_SUPER_MAGIC,
      XFS_SUPER_MAGIC,
      BTRFS_SUPER_MAGIC,
      OVERLAYFS_SUPER_MAGIC,
      F2FS_SUPER_MAGIC,
      REISERFS_SUPER_MAGIC,
      MSDOS_SUPER_MAGIC,
      0x2011BAB0 /* exfat */,
      0x2fc12fc1 /* zfs */,
      0x3153464a /* jfs */,
      0x7366746e /* ntfs3 */,
      0xca451a4e /* bcachefs */,
  });
  static constexpr auto kSmb =
      std::to_array<int64_t>({CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC});
  const os::SysResult type = os.FilesystemType(path.c_str());
  if (IsOneOf(type, kMemory)) return Storage::kMemory;
  if (IsOneOf(type, kSmb)) return Storage::kSmb;
  return IsOneOf(type, kDisk) ? Storage::kDisk : Storage::kRemote;
}

std::vector<std::string> FindDeadTickets(os::Os& os, const LockNames& names) {
  std::vector<std::string> entries;
  std::vector<std::pair<uint64_t, std::string_view>> tickets;
  os.ListDir(names.directory().c_str(), kMaxEntries, &entries);
  for (const std::string& entry : entries) {
    const std::string_view tail = names.Tail(entry);
    if (tail.empty()) continue;
    tickets.emplace_back(StampOf(tail.substr(0, kTokenLength)), tail);
  }
  std::ranges::sort(tickets);
  std::vector<std::string> dead;
  int living = 0;
  for (const auto& [stamp, tail] : tickets) {
    const std::optional<Life> life = JudgeTicket(os, tail);
    const bool broken = life.has_value() && tail.ends_with(kBroken);
    if (life == Life::kDead || broken) dead.emplace_back(tail);
    if (!broken && life == Life::kAlive && ++living == kEnoughLiving) break;
  }
  return dead;
}

void RemoveTickets(os::Os& os, const LockNames& names,
                   const std::vector<std::string>& tickets) {
  for (const std::string& ticket : tickets) {
    RemoveLeftover(os, names.Ticket(ticket), ticket);
  }
}

}  // namespace lockfile
