#include "stress/explore/real_calls.h"

#include <algorithm>
#include <cerrno>

#include "lib/owner.h"

namespace locklab::explore {
namespace {

using lockfile::os::FileInfo;
using lockfile::os::FileType;
using lockfile::os::KernelLock;
using lockfile::os::Os;
using lockfile::os::SysResult;

// For a lock that the schedule says is to be had at once.
constexpr auto kPatience = std::chrono::seconds(10);

Result Plain(const SysResult& result) {
  if (!result.ok()) return Result::Fail(result.error);
  return {.value = static_cast<int32_t>(result.value)};
}

Type TypeOf(FileType type) {
  switch (type) {
    case FileType::kRegular:
      return Type::kFile;
    case FileType::kDirectory:
      return Type::kDirectory;
    case FileType::kSymlink:
      return Type::kLink;
    default:
      return Type::kNone;
  }
}

template <typename T>
uint8_t NumberOf(std::vector<T>* known, T value) {
  const auto at = std::find(known->begin(), known->end(), value);
  const auto number = static_cast<uint8_t>(at - known->begin() + 1);
  if (at == known->end()) known->push_back(value);
  return number;
}

}  // namespace

std::string RealCalls::PathOf(const Place& place) const {
  std::string path = dir_;
  if (place.name != 0)
    path += "/" + std::string(lexicon_.texts.Text(place.name));
  if (place.entry != 0) {
    path += "/" + std::string(lexicon_.texts.Text(place.entry));
  }
  return path;
}

Result RealCalls::Read(const SysResult& result, const std::string& text) {
  if (!result.ok()) return Result::Fail(result.error);
  const auto size = static_cast<size_t>(result.value);
  return {.value = static_cast<int32_t>(result.value),
          .text = lexicon_.texts.Id(std::string_view(text).substr(0, size))};
}

Result RealCalls::Info(const SysResult& result, const FileInfo& info) {
  if (!result.ok()) return Result::Fail(result.error);
  return {.size = static_cast<uint32_t>(info.size),
          .ino = NumberOf(&inodes_, info.ino),
          .nlink = static_cast<uint8_t>(info.nlink),
          .type = TypeOf(info.type),
          .mtime = NumberOf(&times_, info.mtime_ns)};
}

Result RealCalls::Names(const Call& call) {
  std::vector<std::string> names;
  const SysResult result =
      Os::Real().ListDir(PathOf(call.path).c_str(), call.value, &names);
  if (!result.ok()) return Result::Fail(result.error);
  std::sort(names.begin(), names.end());
  std::string text;
  for (const std::string& name : names) text += name + "\n";
  return {.value = static_cast<int32_t>(names.size()),
          .text = lexicon_.texts.Id(text)};
}

Result RealCalls::LastLook(const Call& call) const {
  const auto found = looks_.find({call.path.name, call.path.entry});
  return found == looks_.end() ? Result::Fail(ENOENT) : found->second;
}

Result RealCalls::OnPath(const Call& call) {
  Os& os = Os::Real();
  const std::string path = PathOf(call.path);
  const std::string to = PathOf(call.to);
  std::string text(lockfile::kMaxRecord, '\0');
  FileInfo info;
  switch (call.op) {
    case Op::kOpen:
      return Plain(os.Open(path.c_str(), call.flags, 0666));
    case Op::kLink:
      return Plain(os.Link(path.c_str(), to.c_str()));
    case Op::kSymlink:
      text = lexicon_.texts.Text(call.text);
      return Plain(os.Symlink(text.c_str(), path.c_str()));
    case Op::kReadLink: {
      const SysResult read =
          os.ReadLink(path.c_str(), text.data(), text.size());
      return Read(read, text);
    }
    case Op::kUnlink:
      return Plain(os.Unlink(path.c_str()));
    case Op::kMakeDir:
      return Plain(os.MakeDir(path.c_str(), 0777));
    case Op::kRemoveDir:
      return Plain(os.RemoveDir(path.c_str()));
    case Op::kRename:
      return Plain(os.Rename(path.c_str(), to.c_str()));
    case Op::kRenameNoReplace:
      return Plain(os.RenameNoReplace(path.c_str(), to.c_str()));
    case Op::kLstat: {
      const SysResult looked = os.Lstat(path.c_str(), &info);
      return looks_[{call.path.name, call.path.entry}] = Info(looked, info);
    }
    case Op::kTouch:
      return Plain(os.Touch(path.c_str()));
    default:
      return Names(call);
  }
}

Result RealCalls::OnFile(const Call& call) {
  Os& os = Os::Real();
  const int fd = call.fd;
  const auto kind = static_cast<KernelLock>(call.kind);
  FileInfo info;
  switch (call.op) {
    case Op::kClose:
      return Plain(os.Close(fd));
    case Op::kReadStart: {
      std::string text(call.value, '\0');
      const SysResult read = os.ReadStart(fd, text.data(), text.size());
      return Read(read, text);
    }
    case Op::kWriteStart: {
      const std::string_view text = lexicon_.texts.Text(call.text);
      return Plain(os.WriteStart(fd, text.data(), text.size()));
    }
    case Op::kTruncate:
      return Plain(os.Truncate(fd, call.value));
    case Op::kFstat: {
      const SysResult looked = os.Fstat(fd, &info);
      return Info(looked, info);
    }
    case Op::kTryLock:
      return Plain(os.TryLock(fd, kind));
    case Op::kUnlock:
      return Plain(os.Unlock(fd, kind));
    case Op::kQueryLock: {
      pid_t holder = 0;
      return Plain(os.QueryLock(fd, kind, &holder));
    }
    default: {
      const SysResult waited = os.WaitLock(fd, kind, os.Now() + kPatience);
      // No wait can be bounded here, as under the thread sanitizer.
      return Plain(waited.error == ENOTSUP ? os.TryLock(fd, kind) : waited);
    }
  }
}

Result RealCalls::Do(const Call& call) {
  switch (call.op) {
    case Op::kStatus:
      return alive_(call.value);
    case Op::kWaitEvent:
      return {};  // it may end at any time
    case Op::kClose:
    case Op::kReadStart:
    case Op::kWriteStart:
    case Op::kTruncate:
    case Op::kFstat:
    case Op::kTryLock:
    case Op::kUnlock:
    case Op::kQueryLock:
    case Op::kWaitLock:
      return OnFile(call);
    default:
      return OnPath(call);
  }
}

}  // namespace locklab::explore
