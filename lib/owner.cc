#include "lib/owner.h"

#include <array>
#include <charconv>
#include <ctime>

namespace lockfile {
namespace {

constexpr std::string_view kMagic = "lockfile1";
constexpr size_t kMaxHost = 256;

bool IsPlain(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_' ||
         c == '/' || c == ':';
}

// What is not plain becomes %XX, so that a record has no blanks and no
// control characters whatever the host calls itself.
std::string Escape(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : text.substr(0, kMaxHost / 3)) {
    if (IsPlain(c)) {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
  return out;
}

// The reverse; false: not something that Escape made.
bool Unescape(std::string_view text, std::string* out) {
  if (text.size() > kMaxHost) return false;
  out->clear();
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      if (!IsPlain(text[i])) return false;
      out->push_back(text[i]);
      continue;
    }
    unsigned byte = 0;
    const char* hex = text.data() + i + 1;
    if (text.size() - i < 3 ||
        std::from_chars(hex, hex + 2, byte, 16).ptr != hex + 2) {
      return false;
    }
    out->push_back(static_cast<char>(byte));
    i += 2;
  }
  return true;
}

template <typename Number>
bool ParseNumber(std::string_view text, Number* number) {
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, *number);
  return error == std::errc() && rest == end;
}

// One field of a record: its name, and how to store and check its text.
struct Field {
  std::string_view name;
  bool (*parse)(std::string_view text, Owner* owner);
};

bool ParseLease(std::string_view text, Owner* owner) {
  int64_t ms = 0;
  if (!ParseNumber(text, &ms) || ms < 0) return false;
  // A year is as good as any longer promise, and cannot overflow a clock.
  constexpr int64_t kYear = int64_t{366} * 24 * 3600 * 1000;
  owner->lease = std::chrono::milliseconds(std::min(ms, kYear));
  return true;
}

constexpr auto kFields = std::to_array<Field>({
    {"token",
     [](std::string_view text, Owner* owner) {
       owner->token = text;
       return IsToken(text);
     }},
    {"host", [](std::string_view text,
                Owner* owner) { return Unescape(text, &owner->host); }},
    {"boot", [](std::string_view text,
                Owner* owner) { return Unescape(text, &owner->boot_id); }},
    {"pidns", [](std::string_view text,
                 Owner* owner) { return ParseNumber(text, &owner->pid_ns); }},
    {"timens", [](std::string_view text,
                  Owner* owner) { return ParseNumber(text, &owner->time_ns); }},
    {"pid",
     [](std::string_view text, Owner* owner) {
       return ParseNumber(text, &owner->pid) && owner->pid > 0;
     }},
    {"start",
     [](std::string_view text, Owner* owner) {
       return ParseNumber(text, &owner->start_time);
     }},
    {"tid", [](std::string_view text,
               Owner* owner) { return ParseNumber(text, &owner->thread_id); }},
    {"since", [](std::string_view text,
                 Owner* owner) { return ParseNumber(text, &owner->since); }},
    {"lease", ParseLease},
});

// Takes the next blank-separated word off the front of `text`.
std::string_view NextWord(std::string_view* text) {
  const size_t end = std::min(text->find(' '), text->size());
  const std::string_view word = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return word;
}

Liveness JudgeStatus(const Owner& owner, const os::ProcessIdentity& self,
                     const os::ProcessStatus& status) {
  const std::string process = "process " + std::to_string(owner.pid);
  if (!status.exists) return {Life::kDead, process + " is gone"};
  if (status.zombie) return {Life::kDead, process + " has exited"};
  if (owner.start_time == 0 || status.start_time == 0) {
    return {Life::kUnknown,
            process + " exists, but when it started cannot be told"};
  }
  // Start times are given as the reader's time namespace counts them.
  if (owner.time_ns != self.time_ns) {
    return {Life::kUnknown,
            process + " exists; its start time is of another time namespace"};
  }
  if (status.start_time != owner.start_time) {
    return {Life::kDead, process +
                             " is another one than the holder, whose "
                             "pid was used again"};
  }
  return {Life::kAlive, process + " is running"};
}

}  // namespace

bool IsToken(std::string_view text) {
  if (text.size() != kTokenLength) return false;
  for (const char c : text) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

std::string FormatRecord(const Owner& owner) {
  std::string out(kMagic);
  const auto add = [&out](std::string_view name, std::string_view value) {
    out.append(" ").append(name).append("=").append(value);
  };
  add("token", owner.token);
  add("host", Escape(owner.host));
  add("boot", Escape(owner.boot_id));
  add("pidns", std::to_string(owner.pid_ns));
  add("timens", std::to_string(owner.time_ns));
  add("pid", std::to_string(owner.pid));
  add("start", std::to_string(owner.start_time));
  add("tid", std::to_string(owner.thread_id));
  add("since", std::to_string(owner.since));
  add("lease", std::to_string(owner.lease.count()));
  return out;
}

std::optional<Owner> ParseRecord(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.size() > kMaxRecord || NextWord(&text) != kMagic) {
    return std::nullopt;
  }
  Owner owner;
  for (const Field& field : kFields) {
    const std::string_view word = NextWord(&text);
    const size_t equals = word.find('=');
    if (equals == std::string_view::npos ||
        word.substr(0, equals) != field.name ||
        !field.parse(word.substr(equals + 1), &owner)) {
      return std::nullopt;
    }
  }
  if (!text.empty()) return std::nullopt;
  return owner;
}

std::string Owner::Describe() const {
  std::string out = "pid " + std::to_string(pid) + " on " + host;
  if (thread_id != pid) out += ", thread " + std::to_string(thread_id);
  const auto seconds = static_cast<std::time_t>(since);
  std::tm utc{};
  char text[32];
  if (gmtime_r(&seconds, &utc) != nullptr &&
      std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc) > 0) {
    out.append(", since ").append(text);
  }
  return out;
}

Liveness JudgeLife(os::Os& os, const Owner& owner) {
  const os::ProcessIdentity self = os.Self();
  if (owner.host.empty() || owner.host != self.host) {
    return {Life::kUnknown, "another host: " + owner.host};
  }
  if (owner.boot_id.empty() || self.boot_id.empty()) {
    return {Life::kUnknown, "which boot of this host it was is not known"};
  }
  if (owner.boot_id != self.boot_id) {
    return {Life::kDead, "this host was booted since"};
  }
  if (owner.pid_ns == 0 || owner.pid_ns != self.pid_ns) {
    return {Life::kUnknown, "another PID namespace (container) of this host"};
  }
  return JudgeStatus(owner, self, os.Status(owner.pid));
}

}  // namespace lockfile
