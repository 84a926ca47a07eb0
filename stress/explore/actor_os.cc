#include "stress/explore/actor_os.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "stress/explore/stage.h"

namespace locklab::explore {

using lockfile::os::FileType;
using lockfile::os::ProcessIdentity;
using lockfile::os::ProcessLocal;
using lockfile::os::ProcessStatus;
using SysResult = lockfile::os::SysResult;

namespace {

// Longer than every grace, lease and backoff of the library. Holds of an object
// are told apart by the last three bits of their microsecond (Process::Bit): so
// it is no multiple of eight, and leaves some to holds without a wait.
constexpr auto kLeap = std::chrono::seconds(10) + std::chrono::microseconds(3);

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

// Everything that is made out here is not the process's own.
Result ActorOs::HandOver(const Call& call) {
  const Stage::Outside outside;
  return hand_(call);
}

uint32_t ActorOs::IdOf(std::string_view text) {
  const Stage::Outside outside;
  return lexicon_.texts.Id(text);
}

uint16_t ActorOs::NameOf(std::string_view text) {
  const Stage::Outside outside;
  return lexicon_.Name(text);
}

void ActorOs::Mark(Op op, uint32_t value, std::string_view text) {
  Stage::Sweep();
  Call call{.op = op, .value = value};
  call.text = IdOf(text);
  (void)HandOver(call);
}

Place ActorOs::PlaceOf(const char* path) const {
  const Stage::Outside outside;
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
  return Plain(HandOver({.op = op, .path = PlaceOf(path)}));
}

SysResult ActorOs::OnPaths(Op op, const char* from, const char* to) {
  return Plain(HandOver({.op = op, .path = PlaceOf(from), .to = PlaceOf(to)}));
}

SysResult ActorOs::OnFile(Op op, int fd, KernelLock kind) {
  return Plain(HandOver({.op = op,
                         .kind = static_cast<uint8_t>(kind),
                         .fd = static_cast<uint8_t>(fd)}));
}

SysResult ActorOs::Open(const char* path, int flags, mode_t) {
  Stage::Sweep();
  return Plain(
      HandOver({.op = Op::kOpen, .path = PlaceOf(path), .flags = flags}));
}

// The tokens of guards do not count holds.
void ActorOs::NoteHold(std::string_view text) {
  const uint8_t hold = HoldOf(TokenIn(text));
  if (hold != 0) hold_ = hold;
}

SysResult ActorOs::Close(int fd) {
  Stage::Sweep();
  return OnFile(Op::kClose, fd);
}

SysResult ActorOs::ReadStart(int fd, void* buffer, size_t size) {
  Stage::Sweep();
  const Result result = HandOver({.op = Op::kReadStart,
                                  .fd = static_cast<uint8_t>(fd),
                                  .value = static_cast<uint32_t>(size)});
  const std::string_view text = lexicon_.texts.Text(result.text);
  if (!text.empty()) std::memcpy(buffer, text.data(), text.size());
  return Plain(result);
}

SysResult ActorOs::WriteStart(int fd, const void* data, size_t size) {
  Stage::Sweep();
  const std::string_view text(static_cast<const char*>(data), size);
  NoteHold(text);
  return Plain(HandOver({.op = Op::kWriteStart,
                         .fd = static_cast<uint8_t>(fd),
                         .text = IdOf(text),
                         .value = static_cast<uint32_t>(size)}));
}

SysResult ActorOs::Truncate(int fd, int64_t size) {
  Stage::Sweep();
  return Plain(HandOver({.op = Op::kTruncate,
                         .fd = static_cast<uint8_t>(fd),
                         .value = static_cast<uint32_t>(size)}));
}

SysResult ActorOs::Link(const char* from, const char* to) {
  Stage::Sweep();
  return OnPaths(Op::kLink, from, to);
}

SysResult ActorOs::Symlink(const char* text, const char* path) {
  Stage::Sweep();
  NoteHold(text);
  return Plain(HandOver(
      {.op = Op::kSymlink, .path = PlaceOf(path), .text = NameOf(text)}));
}

SysResult ActorOs::ReadLink(const char* path, char* buffer, size_t size) {
  Stage::Sweep();
  const Result result = HandOver({.op = Op::kReadLink, .path = PlaceOf(path)});
  if (result.error != 0) return SysResult::Fail(result.error);
  const std::string_view text = lexicon_.texts.Text(result.text);
  const size_t count = std::min(size, text.size());
  std::memcpy(buffer, text.data(), count);
  return SysResult::Ok(static_cast<int64_t>(count));
}

SysResult ActorOs::Unlink(const char* path) {
  Stage::Sweep();
  return OnPath(Op::kUnlink, path);
}

SysResult ActorOs::MakeDir(const char* path, mode_t) {
  Stage::Sweep();
  return OnPath(Op::kMakeDir, path);
}

SysResult ActorOs::RemoveDir(const char* path) {
  Stage::Sweep();
  return OnPath(Op::kRemoveDir, path);
}

SysResult ActorOs::Rename(const char* from, const char* to) {
  Stage::Sweep();
  return OnPaths(Op::kRename, from, to);
}

SysResult ActorOs::RenameNoReplace(const char* from, const char* to) {
  Stage::Sweep();
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
  Stage::Sweep();
  const Result result = HandOver({.op = Op::kLstat, .path = PlaceOf(path)});
  if (result.error == 0) Fill(result, info);
  return Plain(result);
}

SysResult ActorOs::Fstat(int fd, FileInfo* info) {
  Stage::Sweep();
  const Result result =
      HandOver({.op = Op::kFstat, .fd = static_cast<uint8_t>(fd)});
  if (result.error == 0) Fill(result, info);
  return Plain(result);
}

SysResult ActorOs::ListDir(const char* path, size_t limit,
                           std::vector<std::string>* names) {
  Stage::Sweep();
  const Result result = HandOver({.op = Op::kListDir,
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

SysResult ActorOs::Touch(const char* path) {
  Stage::Sweep();
  return OnPath(Op::kTouch, path);
}

SysResult ActorOs::FilesystemType(const char*) {
  Stage::Sweep();
  return SysResult::Ok(model_.magic);
}

SysResult ActorOs::TryLock(int fd, KernelLock kind) {
  Stage::Sweep();
  return OnFile(Op::kTryLock, fd, kind);
}

SysResult ActorOs::Unlock(int fd, KernelLock kind) {
  Stage::Sweep();
  return OnFile(Op::kUnlock, fd, kind);
}

SysResult ActorOs::QueryLock(int fd, KernelLock kind, pid_t* holder) {
  Stage::Sweep();
  *holder = -1;
  return OnFile(Op::kQueryLock, fd, kind);
}

SysResult ActorOs::WaitLock(int fd, KernelLock kind, TimePoint) {
  Stage::Sweep();
  return OnFile(Op::kWaitLock, fd, kind);
}

SysResult ActorOs::WaitEvent(int, int, TimePoint) {
  Stage::Sweep();
  const Result result = HandOver({.op = Op::kWaitEvent});
  now_ += kLeap;
  return Plain(result);
}

lockfile::os::TimePoint ActorOs::Now() {
  Stage::Sweep();
  return now_;
}

pid_t ActorOs::Pid() {
  Stage::Sweep();
  return kFirstPid + life_.pid;
}

ProcessIdentity ActorOs::Self() {
  Stage::Sweep();
  return {.host = std::string("host") + static_cast<char>('0' + life_.host),
          .boot_id = std::string("boot") + static_cast<char>('0' + life_.boot),
          .pid_ns = 1,
          .time_ns = 1,
          .pid = Pid(),
          .start_time = life_.start};
}

ProcessStatus ActorOs::Status(pid_t pid) {
  Stage::Sweep();
  const Result result = HandOver(
      {.op = Op::kStatus, .value = static_cast<uint32_t>(pid - kFirstPid)});
  // A call that was not answered: nothing is known.
  if (result.error != 0) return {.exists = true};
  return {
      .exists = result.value != 0, .zombie = false, .start_time = result.size};
}

// Tells who asked, so that a token tells its tenure; never the same twice.
SysResult ActorOs::Random(void* buffer, size_t size) {
  Stage::Sweep();
  auto* bytes = static_cast<uint8_t*>(buffer);
  std::fill(bytes, bytes + size, uint8_t{0});
  const uint8_t parts[] = {life_.tenure.slot, life_.tenure.incarnation,
                           life_.tenure.round, randoms_++};
  std::copy_n(parts, std::min(size, sizeof parts), bytes);
  return SysResult::Ok(static_cast<int64_t>(size));
}

ProcessLocal& ActorOs::LocalSlot(const void* key, MakeLocal make) {
  Stage::Sweep();
  std::unique_ptr<ProcessLocal>& slot = locals_[key];
  if (slot == nullptr) slot = make();
  return *slot;
}

}  // namespace locklab::explore
