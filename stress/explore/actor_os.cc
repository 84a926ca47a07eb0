#include "stress/explore/actor_os.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace locklab::explore {

using lockfile::os::FileType;
using lockfile::os::ProcessIdentity;
using lockfile::os::ProcessLocal;
using lockfile::os::ProcessStatus;
using SysResult = lockfile::os::SysResult;

namespace {

// Longer than every grace, lease and backoff of the library.
constexpr auto kLeap = std::chrono::seconds(10);

SysResult Plain(const Result& result) {
  return result.error != 0 ? SysResult::Fail(result.error)
                           : SysResult::Ok(result.value);
}

FileType TypeOf(Type type) {
  switch (type) {
    case Type::kFile:
      return FileType::kRegular;
    case Type::kDirectory:
      return FileType::kDirectory;
    case Type::kLink:
      return FileType::kSymlink;
    default:
      return FileType::kOther;
  }
}

}  // namespace

void ActorOs::Mark(Op op, uint32_t value, std::string_view text) {
  Call call{.op = op, .value = value};
  call.text = lexicon_.texts.Id(text);
  (void)hand_(call);
}

Place ActorOs::PlaceOf(const char* path) const {
  std::string_view rest(path);
  if (!rest.starts_with(kDirectory)) return {.name = lexicon_.Name("?")};
  rest.remove_prefix(kDirectory.size());
  if (rest.empty()) return {};
  rest.remove_prefix(1);
  const size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return {.name = lexicon_.Name(rest)};
  return {.name = lexicon_.Name(rest.substr(0, slash)),
          .entry = lexicon_.Name(rest.substr(slash + 1))};
}

SysResult ActorOs::OnPath(Op op, const char* path) {
  return Plain(hand_({.op = op, .path = PlaceOf(path)}));
}

SysResult ActorOs::OnPaths(Op op, const char* from, const char* to) {
  return Plain(hand_({.op = op, .path = PlaceOf(from), .to = PlaceOf(to)}));
}

SysResult ActorOs::OnFile(Op op, int fd, KernelLock kind) {
  return Plain(hand_({.op = op,
                      .kind = static_cast<uint8_t>(kind),
                      .fd = static_cast<uint8_t>(fd)}));
}

SysResult ActorOs::Open(const char* path, int flags, mode_t) {
  return Plain(hand_({.op = Op::kOpen, .path = PlaceOf(path), .flags = flags}));
}

// The tokens of guards do not count holds.
void ActorOs::NoteHold(std::string_view text) {
  const uint8_t hold = HoldOf(TokenIn(text));
  if (hold != 0) hold_ = hold;
}

SysResult ActorOs::Close(int fd) { return OnFile(Op::kClose, fd); }

SysResult ActorOs::ReadStart(int fd, void* buffer, size_t size) {
  const Result result = hand_({.op = Op::kReadStart,
                               .fd = static_cast<uint8_t>(fd),
                               .value = static_cast<uint32_t>(size)});
  const std::string_view text = lexicon_.texts.Text(result.text);
  if (!text.empty()) std::memcpy(buffer, text.data(), text.size());
  return Plain(result);
}

SysResult ActorOs::WriteStart(int fd, const void* data, size_t size) {
  const std::string_view text(static_cast<const char*>(data), size);
  NoteHold(text);
  return Plain(hand_({.op = Op::kWriteStart,
                      .fd = static_cast<uint8_t>(fd),
                      .text = lexicon_.texts.Id(text),
                      .value = static_cast<uint32_t>(size)}));
}

SysResult ActorOs::Truncate(int fd, int64_t size) {
  return Plain(hand_({.op = Op::kTruncate,
                      .fd = static_cast<uint8_t>(fd),
                      .value = static_cast<uint32_t>(size)}));
}

SysResult ActorOs::Link(const char* from, const char* to) {
  return OnPaths(Op::kLink, from, to);
}

SysResult ActorOs::Symlink(const char* text, const char* path) {
  NoteHold(text);
  return Plain(hand_({.op = Op::kSymlink,
                      .path = PlaceOf(path),
                      .text = lexicon_.Name(text)}));
}

SysResult ActorOs::ReadLink(const char* path, char* buffer, size_t size) {
  const Result result = hand_({.op = Op::kReadLink, .path = PlaceOf(path)});
  if (result.error != 0) return SysResult::Fail(result.error);
  const std::string_view text = lexicon_.texts.Text(result.text);
  const size_t count = std::min(size, text.size());
  std::memcpy(buffer, text.data(), count);
  return SysResult::Ok(static_cast<int64_t>(count));
}

SysResult ActorOs::Unlink(const char* path) {
  return OnPath(Op::kUnlink, path);
}

SysResult ActorOs::MakeDir(const char* path, mode_t) {
  return OnPath(Op::kMakeDir, path);
}

SysResult ActorOs::RemoveDir(const char* path) {
  return OnPath(Op::kRemoveDir, path);
}

SysResult ActorOs::Rename(const char* from, const char* to) {
  return OnPaths(Op::kRename, from, to);
}

SysResult ActorOs::RenameNoReplace(const char* from, const char* to) {
  return OnPaths(Op::kRenameNoReplace, from, to);
}

void ActorOs::Fill(const Result& result, FileInfo* info) {
  *info = {.dev = 1,
           .ino = result.ino,
           .nlink = result.nlink,
           .mode = 0644,
           .type = TypeOf(result.type),
           .size = result.size,
           .mtime_ns = result.mtime,
           .ctime_ns = 0};
}

SysResult ActorOs::Lstat(const char* path, FileInfo* info) {
  const Result result = hand_({.op = Op::kLstat, .path = PlaceOf(path)});
  if (result.error == 0) Fill(result, info);
  return Plain(result);
}

SysResult ActorOs::Fstat(int fd, FileInfo* info) {
  const Result result =
      hand_({.op = Op::kFstat, .fd = static_cast<uint8_t>(fd)});
  if (result.error == 0) Fill(result, info);
  return Plain(result);
}

SysResult ActorOs::ListDir(const char* path, size_t limit,
                           std::vector<std::string>* names) {
  const Result result = hand_({.op = Op::kListDir,
                               .path = PlaceOf(path),
                               .value = static_cast<uint32_t>(limit)});
  std::string_view text = lexicon_.texts.Text(result.text);
  while (!text.empty()) {
    const size_t end = text.find('\n');
    names->emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return Plain(result);
}

SysResult ActorOs::Touch(const char* path) { return OnPath(Op::kTouch, path); }

SysResult ActorOs::FilesystemType(const char*) {
  return SysResult::Ok(model_.magic);
}

SysResult ActorOs::TryLock(int fd, KernelLock kind) {
  return OnFile(Op::kTryLock, fd, kind);
}

SysResult ActorOs::Unlock(int fd, KernelLock kind) {
  return OnFile(Op::kUnlock, fd, kind);
}

SysResult ActorOs::QueryLock(int fd, KernelLock kind, pid_t* holder) {
  *holder = -1;
  return OnFile(Op::kQueryLock, fd, kind);
}

SysResult ActorOs::WaitLock(int fd, KernelLock kind, TimePoint) {
  return OnFile(Op::kWaitLock, fd, kind);
}

SysResult ActorOs::WaitEvent(int, int, TimePoint) {
  const Result result = hand_({.op = Op::kWaitEvent});
  now_ += kLeap;
  return Plain(result);
}

ProcessIdentity ActorOs::Self() {
  return {.host = std::string("host") + static_cast<char>('0' + life_.host),
          .boot_id = "boot",
          .pid_ns = 1,
          .time_ns = 1,
          .pid = Pid(),
          .start_time = life_.start};
}

ProcessStatus ActorOs::Status(pid_t pid) {
  const Result result = hand_(
      {.op = Op::kStatus, .value = static_cast<uint32_t>(pid - kFirstPid)});
  // A call that was not answered: nothing is known.
  if (result.error != 0) return {.exists = true};
  return {
      .exists = result.value != 0, .zombie = false, .start_time = result.size};
}

// Tells who asked, so that a token tells its tenure; never the same twice.
SysResult ActorOs::Random(void* buffer, size_t size) {
  auto* bytes = static_cast<uint8_t*>(buffer);
  std::fill(bytes, bytes + size, uint8_t{0});
  const uint8_t parts[] = {life_.tenure.slot, life_.tenure.incarnation,
                           life_.tenure.round, randoms_++};
  std::copy_n(parts, std::min(size, sizeof parts), bytes);
  return SysResult::Ok(static_cast<int64_t>(size));
}

ProcessLocal& ActorOs::LocalSlot(const void* key, MakeLocal make) {
  std::unique_ptr<ProcessLocal>& slot = locals_[key];
  if (slot == nullptr) slot = make();
  return *slot;
}

}  // namespace locklab::explore
