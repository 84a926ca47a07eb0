#include "stress/explore/call.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <limits>
#include <stdexcept>

#include "lib/errors.h"
#include "lib/owner.h"

namespace locklab::explore {
namespace {

constexpr auto kNames = std::to_array<std::string_view>(
    {"Open",      "Close",     "ReadStart",       "WriteStart", "Truncate",
     "Link",      "Symlink",   "ReadLink",        "Unlink",     "MakeDir",
     "RemoveDir", "Rename",    "RenameNoReplace", "Lstat",      "Fstat",
     "ListDir",   "Touch",     "TryLock",         "Unlock",     "QueryLock",
     "WaitLock",  "WaitEvent", "Status",          "HOLDS",      "intends",
     "broke",     "refused",   "released",        "failed",     "end"});
static_assert(kNames.size() == kOps);

constexpr size_t kToken = 32;

std::string Path(const Place& place, const Lexicon& lexicon) {
  if (place.name == 0) return ".";
  std::string out = Shorten(lexicon.texts.Text(place.name));
  if (place.entry != 0) {
    out += "/" + Shorten(lexicon.texts.Text(place.entry));
  }
  return out;
}

std::string OpenMode(int flags) {
  if ((flags & O_EXCL) != 0) return " (new)";
  if ((flags & O_CREAT) != 0) return " (create)";
  return (flags & O_ACCMODE) == O_RDONLY ? "" : " (write)";
}

}  // namespace

const std::vector<PossibleRow>& Possible() {
  static const auto& rows = *new std::vector<PossibleRow>{
      {Op::kOpen, {0, EEXIST, ENOENT, ELOOP, EISDIR, ENOTDIR}},
      {Op::kClose, {0, EBADF}},
      {Op::kReadStart, {0, EISDIR, EBADF}},
      {Op::kWriteStart, {0, EBADF}},
      {Op::kTruncate, {0, EBADF}},
      {Op::kLink, {0, EEXIST, ENOENT, ENOTDIR, EPERM}},
      {Op::kSymlink, {0, EEXIST, ENOENT, ENOTDIR, EPERM}},
      {Op::kReadLink, {0, ENOENT, EINVAL, ENOTDIR}},
      {Op::kUnlink, {0, ENOENT, EISDIR, ENOTDIR}},
      {Op::kMakeDir, {0, EEXIST, ENOENT, ENOTDIR}},
      {Op::kRemoveDir, {0, ENOENT, ENOTEMPTY, ENOTDIR}},
      {Op::kRename, {0, ENOENT, EISDIR, ENOTEMPTY, ENOTDIR, EACCES}},
      {Op::kRenameNoReplace, {0, EEXIST, ENOENT, EINVAL, ENOTDIR}},
      {Op::kLstat, {0, ENOENT, ENOTDIR}},
      {Op::kFstat, {0, EBADF}},
      {Op::kListDir, {0, ENOENT, ELOOP, ENOTDIR}},
      {Op::kTouch, {0, ENOENT, ENOTDIR}},
      {Op::kTryLock, {0, EAGAIN, EBADF}},
      {Op::kUnlock, {0, EBADF}},
      {Op::kQueryLock, {0, EBADF}},
      {Op::kWaitLock, {0, EAGAIN, EBADF}},
      {Op::kWaitEvent, {0}},
      {Op::kStatus, {0}},
  };
  return rows;
}

std::string_view OpName(Op op) { return kNames[static_cast<size_t>(op)]; }

Lexicon::Lexicon() { texts.Id(""); }

uint16_t Lexicon::Name(std::string_view name) {
  const uint32_t id = texts.Id(name);
  if (id > std::numeric_limits<uint16_t>::max()) {
    throw std::length_error("the model has room for 65535 texts only");
  }
  return static_cast<uint16_t>(id);
}

bool ParseToken(std::string_view token, Tenure* tenure) {
  if (token.size() < kToken) return false;
  std::array<uint8_t, 3> bytes{};
  for (size_t i = 0; i < bytes.size(); ++i) {
    const char* hex = token.data() + 2 * i;
    if (std::from_chars(hex, hex + 2, bytes[i], 16).ptr != hex + 2) {
      return false;
    }
  }
  *tenure = {bytes[0], bytes[1], bytes[2]};
  return true;
}

uint8_t HoldOf(std::string_view token) {
  uint32_t hold = 0;
  if (token.size() < kToken) return 0;
  const char* const end = token.data() + kToken;
  std::from_chars(end - 8, end, hold, 16);
  return static_cast<uint8_t>(hold);
}

std::string_view TokenIn(std::string_view record) {
  constexpr std::string_view kField = "token=";
  const size_t at = record.find(kField);
  if (at == std::string_view::npos) return {};
  const std::string_view token = record.substr(at + kField.size(), kToken);
  return lockfile::IsToken(token) ? token : std::string_view();
}

std::string Shorten(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    Tenure tenure;
    if (!lockfile::IsToken(name.substr(0, kToken)) ||
        !ParseToken(name, &tenure)) {
      out.push_back(name.front());
      name.remove_prefix(1);
      continue;
    }
    out += fmt::format("<{}{}>", static_cast<char>('a' + tenure.slot),
                       std::string(tenure.incarnation, '\''));
    name.remove_prefix(kToken);
    // The tail of a ticket: .SCOPE.PID.START
    if (name.size() > kToken && name.starts_with('.') &&
        lockfile::IsToken(name.substr(1, kToken))) {
      name.remove_prefix(1 + kToken + 1);
      name.remove_prefix(std::min(name.find('.'), name.size() - 1) + 1);
      name.remove_prefix(std::min(name.find('.'), name.size()));
    }
  }
  return out;
}

std::string Describe(const Call& call, const Lexicon& lexicon) {
  std::string out(OpName(call.op));
  switch (call.op) {
    case Op::kOpen:
      return out + " " + Path(call.path, lexicon) + OpenMode(call.flags);
    case Op::kLink:
    case Op::kRename:
    case Op::kRenameNoReplace:
      return out + " " + Path(call.path, lexicon) + " " +
             Path(call.to, lexicon);
    case Op::kSymlink:
    case Op::kReadLink:
    case Op::kUnlink:
    case Op::kMakeDir:
    case Op::kRemoveDir:
    case Op::kLstat:
    case Op::kListDir:
    case Op::kTouch:
      return out + " " + Path(call.path, lexicon);
    case Op::kClose:
    case Op::kReadStart:
    case Op::kWriteStart:
    case Op::kTruncate:
    case Op::kFstat:
    case Op::kTryLock:
    case Op::kUnlock:
    case Op::kQueryLock:
    case Op::kWaitLock:
      return out + " " + std::to_string(call.fd);
    case Op::kStatus:
      return out + " " + std::to_string(call.value);
    case Op::kFailed:
      return out + ": " + std::string(lexicon.texts.Text(call.text));
    default:
      return out;
  }
}

std::string Describe(const Call& call, const Result& result,
                     const Lexicon& lexicon) {
  if (result.error != 0) return lockfile::ErrnoName(result.error);
  switch (call.op) {
    case Op::kOpen:
      return "fd " + std::to_string(result.value);
    case Op::kLstat:
    case Op::kFstat:
      return fmt::format("inode {}, {} names", result.ino, result.nlink);
    case Op::kReadStart:
    case Op::kReadLink: {
      const std::string_view text = lexicon.texts.Text(result.text);
      if (text.empty()) return "\"\"";
      const std::string_view token = TokenIn(text);
      return token.empty() ? "something" : Shorten(token);
    }
    case Op::kListDir: {
      std::string out;
      std::string_view names = lexicon.texts.Text(result.text);
      while (!names.empty()) {
        const size_t end = names.find('\n');
        out += (out.empty() ? "" : " ") + Shorten(names.substr(0, end));
        names.remove_prefix(end + 1);
      }
      return "[" + out + "]";
    }
    case Op::kStatus:
      return result.value == 0 ? "gone" : "there";
    case Op::kQueryLock:
      return result.value == 0 ? "free" : "held";
    default:
      return "ok";
  }
}

}  // namespace locklab::explore
