// What the calls do to the model filesystem.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>

#include "lib/os/os.h"
#include "stress/explore/world.h"

namespace locklab::explore {
namespace {

using lockfile::os::KernelLock;

constexpr uint8_t kRoot = 1;
constexpr int kFirstFd = 3;

bool Before(const Entry& a, uint8_t dir, uint16_t name) {
  return a.dir != dir ? a.dir < dir : a.name < name;
}

Entry* EntryAt(World& world, uint8_t dir, uint16_t name) {
  Entry* const end = world.entries.data() + world.entries_in_use;
  Entry* const at =
      std::find_if(world.entries.data(), end,
                   [&](const Entry& each) { return !Before(each, dir, name); });
  return at;
}

void AddEntry(World& world, uint8_t dir, uint16_t name, uint8_t ino) {
  if (world.entries_in_use == kMaxEntries) {
    throw std::length_error("the model has room for 40 names only");
  }
  Entry* const at = EntryAt(world, dir, name);
  Entry* const end = world.entries.data() + world.entries_in_use;
  std::move_backward(at, end, end + 1);
  *at = {.name = name, .dir = dir, .ino = ino};
  ++world.entries_in_use;
}

void DropEntry(World& world, uint8_t dir, uint16_t name) {
  Entry* const at = EntryAt(world, dir, name);
  Entry* const end = world.entries.data() + world.entries_in_use;
  std::move(at + 1, end, at);
  end[-1] = {};
  --world.entries_in_use;
}

bool IsOpen(const World& world, uint8_t ino, int but_by = -1) {
  for (int i = 0; i < world.files_in_use; ++i) {
    if (world.files[i].ino == ino && world.files[i].slot != but_by) return true;
  }
  return false;
}

bool IsEmpty(const World& world, uint8_t dir) {
  for (int i = 0; i < world.entries_in_use; ++i) {
    if (world.entries[i].dir == dir) return false;
  }
  return true;
}

// Frees the number of what has neither a name nor a descriptor.
void Reap(World& world, uint8_t ino) {
  if (world.inodes[ino].nlink > 0 || IsOpen(world, ino)) return;
  world.inodes[ino] = {};
  while (world.inodes[world.inodes_in_use - 1].type == Type::kNone) {
    --world.inodes_in_use;
  }
}

uint8_t NewInode(World& world, Type type, uint16_t text) {
  uint8_t ino = kRoot + 1;
  while (ino < kMaxInodes && world.inodes[ino].type != Type::kNone) ++ino;
  if (ino == kMaxInodes) {
    throw std::length_error("the model has room for 30 files only");
  }
  const uint8_t nlink = type == Type::kDirectory ? 2 : 1;
  world.inodes[ino] = {.type = type, .nlink = nlink, .text = text};
  world.inodes_in_use = std::max<uint8_t>(world.inodes_in_use, ino + 1);
  return ino;
}

OpenFile* FileOf(World& world, int slot, uint8_t fd) {
  for (int i = 0; i < world.files_in_use; ++i) {
    OpenFile& file = world.files[i];
    if (file.slot == slot && file.fd == fd) return &file;
  }
  return nullptr;
}

OpenFile& NewFile(World& world, int slot, uint8_t ino) {
  if (world.files_in_use == kMaxFiles) {
    throw std::length_error("the model has room for 20 open files only");
  }
  uint8_t fd = kFirstFd;
  while (FileOf(world, slot, fd) != nullptr) ++fd;
  int at = 0;
  while (at < world.files_in_use &&
         (world.files[at].slot < slot ||
          (world.files[at].slot == slot && world.files[at].fd < fd))) {
    ++at;
  }
  OpenFile* const begin = world.files.data();
  std::move_backward(begin + at, begin + world.files_in_use,
                     begin + world.files_in_use + 1);
  ++world.files_in_use;
  world.files[at] = {.slot = static_cast<uint8_t>(slot), .fd = fd, .ino = ino};
  return world.files[at];
}

void DropFile(World& world, OpenFile* file) {
  const OpenFile gone = *file;
  OpenFile* const end = world.files.data() + world.files_in_use;
  std::move(file + 1, end, file);
  end[-1] = {};
  --world.files_in_use;
  Inode& inode = world.inodes[gone.ino];
  // POSIX: any descriptor that is closed drops the process's lock.
  if (inode.posix == gone.slot + 1) inode.posix = 0;
  if (inode.pending != 0 && !IsOpen(world, gone.ino)) {
    for (int i = 0; i < world.entries_in_use; ++i) {
      const Entry entry = world.entries[i];
      if (entry.ino == gone.ino) DropEntry(world, entry.dir, entry.name);
    }
    inode.nlink = 0;
  }
  Reap(world, gone.ino);
}

bool SamePlace(const Place& a, const Place& b) {
  return a.name == b.name && a.entry == b.entry;
}

}  // namespace

Kernel::Found Kernel::Find(const World& world, const Place& place) const {
  Found found{.dir = kRoot, .name = place.name};
  if (place.name == 0) {
    found.ino = kRoot;
    return found;
  }
  const auto look = [&world](uint8_t dir, uint16_t name) -> uint8_t {
    for (int i = 0; i < world.entries_in_use; ++i) {
      const Entry& entry = world.entries[i];
      if (entry.dir == dir && entry.name == name) return entry.ino;
    }
    return 0;
  };
  found.ino = look(kRoot, place.name);
  if (place.entry == 0) return found;
  if (found.ino == 0 || world.inodes[found.ino].type != Type::kDirectory) {
    found.error = found.ino != 0 && world.inodes[found.ino].type == Type::kFile
                      ? ENOTDIR
                      : ENOENT;
    return found;
  }
  found.dir = found.ino;
  found.name = place.entry;
  found.ino = look(found.dir, place.entry);
  return found;
}

// The same, where what is about to be deleted cannot be used.
Kernel::Found Kernel::FindUsable(const World& world, const Place& place) const {
  Found found = Find(world, place);
  if (found.error == 0 && found.ino != 0 &&
      world.inodes[found.ino].pending != 0) {
    found.error = ENOENT;
  }
  return found;
}

Result Kernel::Open(World& world, int slot, const Call& call) {
  const Found found = FindUsable(world, call.path);
  if (found.error != 0) return Result::Fail(found.error);
  uint8_t ino = found.ino;
  const bool write = (call.flags & O_ACCMODE) != O_RDONLY;
  if (ino == 0) {
    if ((call.flags & O_CREAT) == 0) return Result::Fail(ENOENT);
    ino = NewInode(world, Type::kFile, 0);
    AddEntry(world, found.dir, found.name, ino);
    Forget(world, slot, call.path);
  } else if ((call.flags & O_EXCL) != 0) {
    return Result::Fail(EEXIST);
  } else if (world.inodes[ino].type == Type::kLink) {
    return Result::Fail(ELOOP);
  } else if (write && world.inodes[ino].type == Type::kDirectory) {
    return Result::Fail(EISDIR);
  } else if (write) {
    rewrites_ = true;
  }
  if ((call.flags & O_TRUNC) != 0) world.inodes[ino].text = 0;
  OpenFile& file = NewFile(world, slot, ino);
  if (write) file.bits = kWritable;
  return {.value = file.fd};
}

Result Kernel::Write(World& world, int slot, const Call& call) {
  const OpenFile* file = FileOf(world, slot, call.fd);
  if ((file->bits & kWritable) == 0) return Result::Fail(EBADF);
  Inode& inode = world.inodes[file->ino];
  std::string text(lexicon_.texts.Text(inode.text));
  if (call.op == Op::kTruncate) {
    text.resize(call.value);
  } else {
    const std::string_view more = lexicon_.texts.Text(call.text);
    text.replace(0, std::min(text.size(), more.size()), more);
  }
  inode.text = lexicon_.Name(text);
  return {.value = static_cast<int32_t>(call.value)};
}

// Of a directory or a symbolic link.
Result Kernel::Make(World& world, const Call& call) {
  if (call.op == Op::kSymlink && !model_.symlinks) return Result::Fail(EPERM);
  const Found found = FindUsable(world, call.path);
  if (found.error != 0) return Result::Fail(found.error);
  if (found.ino != 0) return Result::Fail(EEXIST);
  const Type type = call.op == Op::kMakeDir ? Type::kDirectory : Type::kLink;
  const uint8_t ino = NewInode(world, type, static_cast<uint16_t>(call.text));
  AddEntry(world, found.dir, found.name, ino);
  return {};
}

Result Kernel::Link(World& world, const Call& call) {
  if (!model_.hard_links) return Result::Fail(EPERM);
  const Found from = FindUsable(world, call.path);
  const Found to = FindUsable(world, call.to);
  if (from.error != 0) return Result::Fail(from.error);
  if (from.ino == 0) return Result::Fail(ENOENT);
  if (to.error != 0) return Result::Fail(to.error);
  if (to.ino != 0) return Result::Fail(EEXIST);
  ++world.inodes[from.ino].nlink;
  AddEntry(world, to.dir, to.name, from.ino);
  return {};
}

// Takes a name off a file; false: it stays until the file is closed.
bool Kernel::Unlink(World& world, int slot, uint8_t dir, uint16_t name) {
  const uint8_t ino = EntryAt(world, dir, name)->ino;
  Inode& inode = world.inodes[ino];
  if (model_.delete_pending && inode.type == Type::kFile &&
      IsOpen(world, ino, slot)) {
    inode.pending = 1;
    return false;
  }
  DropEntry(world, dir, name);
  inode.nlink = inode.type == Type::kDirectory ? 0 : inode.nlink - 1;
  Reap(world, ino);
  return true;
}

Result Kernel::Remove(World& world, int slot, const Call& call) {
  const Found found = FindUsable(world, call.path);
  if (found.error != 0) return Result::Fail(found.error);
  if (found.ino == 0) return Result::Fail(ENOENT);
  const bool is_dir = world.inodes[found.ino].type == Type::kDirectory;
  if (call.op == Op::kUnlink && is_dir) return Result::Fail(EISDIR);
  if (call.op == Op::kRemoveDir) {
    if (!is_dir) return Result::Fail(ENOTDIR);
    if (!IsEmpty(world, found.ino)) return Result::Fail(ENOTEMPTY);
  }
  (void)Unlink(world, slot, found.dir, found.name);
  return {};
}

Result Kernel::Rename(World& world, int slot, const Call& call) {
  const bool replaces = call.op == Op::kRename;
  if (!replaces && !model_.no_replace) return Result::Fail(EINVAL);
  const Found from = FindUsable(world, call.path);
  const Found to = FindUsable(world, call.to);
  if (from.error != 0) return Result::Fail(from.error);
  if (from.ino == 0) return Result::Fail(ENOENT);
  if (to.error != 0) return Result::Fail(to.error);
  if (to.ino != 0) {
    if (!replaces) return Result::Fail(EEXIST);
    if (to.ino == from.ino) return {};
    const bool is_dir = world.inodes[from.ino].type == Type::kDirectory;
    const bool onto_dir = world.inodes[to.ino].type == Type::kDirectory;
    if (is_dir && !onto_dir) return Result::Fail(ENOTDIR);
    if (!is_dir && onto_dir) return Result::Fail(EISDIR);
    if (is_dir && !IsEmpty(world, to.ino)) return Result::Fail(ENOTEMPTY);
    if (!Unlink(world, slot, to.dir, to.name)) return Result::Fail(EACCES);
  }
  DropEntry(world, from.dir, from.name);
  AddEntry(world, to.dir, to.name, from.ino);
  return {};
}

Result Kernel::Names(const World& world, const Call& call) {
  const Found found = FindUsable(world, call.path);
  if (found.error != 0) return Result::Fail(found.error);
  if (found.ino == 0) return Result::Fail(ENOENT);
  const Type type = world.inodes[found.ino].type;
  if (type == Type::kLink) return Result::Fail(ELOOP);
  if (type != Type::kDirectory) return Result::Fail(ENOTDIR);
  // By their text: numbers of names depend on what was explored before.
  std::vector<std::string_view> names;
  for (int i = 0; i < world.entries_in_use; ++i) {
    if (world.entries[i].dir != found.ino) continue;
    names.push_back(lexicon_.texts.Text(world.entries[i].name));
  }
  std::sort(names.begin(), names.end());
  if (names.size() > call.value) names.resize(call.value);
  std::string text;
  for (const std::string_view name : names) {
    text.append(name).push_back('\n');
  }
  return {.value = static_cast<int32_t>(names.size()),
          .text = lexicon_.texts.Id(text)};
}

Result Kernel::Info(const World& world, uint8_t ino) const {
  const Inode& inode = world.inodes[ino];
  return {.size = static_cast<uint32_t>(lexicon_.texts.Text(inode.text).size()),
          .ino = ino,
          .nlink = link_counts_ ? inode.nlink : uint8_t{1},
          .type = inode.type,
          .mtime = inode.mtime};
}

bool Kernel::IsLockedByOther(const World& world, const OpenFile& mine,
                             uint8_t kind) const {
  const bool flock = kind == static_cast<uint8_t>(KernelLock::kFlock);
  const bool posix = kind == static_cast<uint8_t>(KernelLock::kPosix);
  const Inode& inode = world.inodes[mine.ino];
  if (!flock && inode.posix != 0 && (inode.posix != mine.slot + 1 || !posix) &&
      (!model_.local_locks || inode.posix == mine.slot + 1)) {
    return true;
  }
  for (int i = 0; i < world.files_in_use; ++i) {
    const OpenFile& each = world.files[i];
    if (&each == &mine || each.ino != mine.ino) continue;
    if (model_.local_locks && each.slot != mine.slot) continue;
    if ((each.bits & (flock ? kFlocked : kOfdLocked)) != 0) return true;
  }
  return false;
}

Result Kernel::Lock(World& world, OpenFile& file, const Call& call) {
  const auto kind = static_cast<KernelLock>(call.kind);
  Inode& inode = world.inodes[file.ino];
  const uint8_t bit = kind == KernelLock::kFlock ? kFlocked : kOfdLocked;
  if (call.op == Op::kUnlock) {
    if (kind != KernelLock::kPosix) file.bits &= static_cast<uint8_t>(~bit);
    if (kind == KernelLock::kPosix && inode.posix == file.slot + 1) {
      inode.posix = 0;
    }
    return {};
  }
  const bool held = IsLockedByOther(world, file, call.kind);
  if (call.op == Op::kQueryLock) return {.value = held ? 1 : 0};
  if (held) return Result::Fail(EAGAIN);
  if (kind == KernelLock::kPosix) {
    inode.posix = file.slot + 1;
  } else {
    file.bits |= bit;
  }
  return {};
}

Result Kernel::OnFile(World& world, int slot, const Call& call) {
  OpenFile* const file = FileOf(world, slot, call.fd);
  if (file == nullptr) return Result::Fail(EBADF);
  switch (call.op) {
    case Op::kClose:
      DropFile(world, file);
      return {};
    case Op::kFstat:
      return Info(world, file->ino);
    case Op::kReadStart: {
      if (world.inodes[file->ino].type == Type::kDirectory) {
        return Result::Fail(EISDIR);
      }
      const std::string_view text =
          lexicon_.texts.Text(world.inodes[file->ino].text);
      const std::string_view part = text.substr(0, call.value);
      return {.value = static_cast<int32_t>(part.size()),
              .text = lexicon_.texts.Id(part)};
    }
    case Op::kWriteStart:
    case Op::kTruncate:
      return Write(world, slot, call);
    default:
      return Lock(world, *file, call);
  }
}

bool Kernel::IsQuiet(const World& world, int slot, const Call& call) const {
  if (call.op != Op::kClose && call.op != Op::kFstat &&
      call.op != Op::kReadStart) {
    return false;
  }
  const OpenFile* mine = nullptr;
  for (int i = 0; i < world.files_in_use; ++i) {
    const OpenFile& file = world.files[i];
    if (file.slot == slot && file.fd == call.fd) mine = &file;
  }
  if (mine == nullptr || (mine->bits & ~kWritable) != 0) return false;
  const Inode& inode = world.inodes[mine->ino];
  if (inode.posix == slot + 1 || model_.delete_pending) return false;
  return std::none_of(world.files.begin(),
                      world.files.begin() + world.files_in_use,
                      [&](const OpenFile& each) {
                        return each.ino == mine->ino && each.slot != slot &&
                               (each.bits & kWritable) != 0;
                      });
}

bool Kernel::Ready(const World& world, int slot, const Call& call) const {
  if (call.op != Op::kWaitLock) return true;
  for (int i = 0; i < world.files_in_use; ++i) {
    const OpenFile& file = world.files[i];
    if (file.slot != slot || file.fd != call.fd) continue;
    return !IsLockedByOther(world, file, call.kind);
  }
  return true;
}

Result Kernel::Change(World& world, int slot, const Call& call) {
  switch (call.op) {
    case Op::kLink:
      return Link(world, call);
    case Op::kRename:
    case Op::kRenameNoReplace:
      return Rename(world, slot, call);
    case Op::kSymlink:
    case Op::kMakeDir:
      return Make(world, call);
    default:
      return Remove(world, slot, call);
  }
}

Result Kernel::LookAt(World& world, int slot, const Call& call) {
  const Found found = FindUsable(world, call.path);
  Result result;
  if (found.error != 0 || found.ino == 0) {
    result = Result::Fail(found.error != 0 ? found.error : ENOENT);
  } else if (call.op == Op::kLstat) {
    result = Info(world, found.ino);
  } else if (world.inodes[found.ino].type != Type::kLink) {
    result = Result::Fail(EINVAL);
  } else {
    result.text = world.inodes[found.ino].text;
    result.value =
        static_cast<int32_t>(lexicon_.texts.Text(result.text).size());
  }
  if (call.op == Op::kLstat) Remember(world, slot, call.path, result);
  return result;
}

// Time has passed: what the host has seen is too old to be shown again.
void Kernel::Age(World& world, int slot) {
  const auto old = [slot](const Seen& seen) { return seen.slot == slot; };
  Seen* const end = world.looks.data() + world.looks_in_use;
  Seen* const left = std::remove_if(world.looks.data(), end, old);
  std::fill(left, end, Seen{});
  world.looks_in_use = static_cast<uint8_t>(left - world.looks.data());
}

Result Kernel::StatusOf(const World& world, int slot, const Call& call) const {
  for (const Process& each : world.processes) {
    // Another host's processes cannot be seen.
    if (model_.many_hosts && &each != &world.processes[slot]) continue;
    if (each.alive != 0 && each.pid == call.value) {
      return {.value = 1, .size = each.start};
    }
  }
  return {};
}

Result Kernel::Do(World& world, int slot, const Call& call) {
  switch (call.op) {
    case Op::kOpen:
      return Open(world, slot, call);
    case Op::kLink:
    case Op::kRename:
    case Op::kRenameNoReplace:
    case Op::kSymlink:
    case Op::kMakeDir:
    case Op::kUnlink:
    case Op::kRemoveDir: {
      const Result result = Change(world, slot, call);
      // A host knows what it has changed; a refusal teaches it nothing.
      if (result.error == 0) Forget(world, slot, call.path);
      if (result.error == 0 && call.to.name != 0) Forget(world, slot, call.to);
      return result;
    }
    case Op::kListDir:
      return Names(world, call);
    case Op::kReadLink:
    case Op::kLstat:
      return LookAt(world, slot, call);
    case Op::kTouch: {
      const Found found = FindUsable(world, call.path);
      if (found.error != 0) return Result::Fail(found.error);
      if (found.ino == 0) return Result::Fail(ENOENT);
      rewrites_ = true;
      ++world.inodes[found.ino].mtime;
      return {};
    }
    case Op::kStatus:
      return StatusOf(world, slot, call);
    case Op::kWaitEvent:
      Age(world, slot);
      return {};
    default:
      return OnFile(world, slot, call);
  }
}

void Kernel::Start(World& world, int slot, int pid, int start) {
  Process& process = world.processes[slot];
  process.alive = 1;
  process.pid = static_cast<uint8_t>(pid);
  process.start = static_cast<uint8_t>(start);
  process.round = 0;
  process.BeginRound();
}

void Kernel::Kill(World& world, int slot) {
  for (int i = world.files_in_use - 1; i >= 0; --i) {
    if (world.files[i].slot == slot) DropFile(world, &world.files[i]);
  }
  Age(world, slot);
  Process& process = world.processes[slot];
  process = {.incarnation = process.incarnation};
}

void Kernel::LoseTexts(World& world) {
  for (Inode& inode : world.inodes) {
    if (inode.type == Type::kFile) inode.text = 0;
  }
}

void Kernel::DropLocks(World& world, int slot) {
  for (int i = 0; i < world.files_in_use; ++i) {
    if (world.files[i].slot == slot) world.files[i].bits &= kWritable;
  }
  for (Inode& inode : world.inodes) {
    if (inode.posix == slot + 1) inode.posix = 0;
  }
}

// --- what a host has seen ----------------------------------------------------

void Kernel::Forget(World& world, int slot, const Place& path) const {
  if (!model_.stale_looks) return;
  for (int i = 0; i < world.looks_in_use; ++i) {
    if (world.looks[i].slot != slot || !SamePlace(world.looks[i].path, path)) {
      continue;
    }
    Seen* const end = world.looks.data() + world.looks_in_use;
    std::move(world.looks.data() + i + 1, end, world.looks.data() + i);
    end[-1] = {};
    --world.looks_in_use;
    return;
  }
}

void Kernel::Remember(World& world, int slot, const Place& path,
                      const Result& result) const {
  if (!model_.stale_looks) return;
  Forget(world, slot, path);
  if (world.looks_in_use == kMaxLooks) {
    throw std::length_error("the model has room for 24 looks only");
  }
  int at = 0;
  while (at < world.looks_in_use && (world.looks[at].slot < slot ||
                                     (world.looks[at].slot == slot &&
                                      world.looks[at].path.name < path.name))) {
    ++at;
  }
  Seen* const begin = world.looks.data();
  std::move_backward(begin + at, begin + world.looks_in_use,
                     begin + world.looks_in_use + 1);
  ++world.looks_in_use;
  world.looks[at] = {
      .slot = static_cast<uint8_t>(slot), .path = path, .result = result};
}

bool Kernel::StaleLook(const World& world, int slot, const Call& call,
                       Result* result) const {
  if (call.op != Op::kLstat) return false;
  for (int i = 0; i < world.looks_in_use; ++i) {
    const Seen& seen = world.looks[i];
    if (seen.slot != slot || !SamePlace(seen.path, call.path)) continue;
    *result = seen.result;
    return true;
  }
  return false;
}

}  // namespace locklab::explore
