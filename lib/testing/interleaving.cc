#include "lib/testing/interleaving.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

namespace lockfile::testing {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint64_t kMaxSteps = 20'000;  // of a schedule that gets nowhere
constexpr size_t kMaxTail = 300;        // steps that a failure shows
constexpr uint64_t kUsualSteps = 400;   // faults and changes fall into these

std::string Parent(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

std::string Base(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

uint64_t InodeOf(const std::string& path) {
  struct stat found {};
  return lstat(path.c_str(), &found) == 0 ? found.st_ino : 0;
}

// What a server may say when it does a thing twice: the request was repeated
// because the first reply was lost.
int LostReply(std::string_view name) {
  const bool makes = name == "Link" || name == "Symlink" || name == "MakeDir" ||
                     name == "RenameNoReplace";
  return makes ? EEXIST : ENOENT;
}

bool ChangesNames(std::string_view name) {
  return name == "Link" || name == "Symlink" || name == "MakeDir" ||
         name == "RenameNoReplace" || name == "Rename" || name == "Unlink" ||
         name == "RemoveDir";
}

}  // namespace

// --- World: turns ------------------------------------------------------------

World::World(std::string dir, const Plan& plan)
    : dir_(std::move(dir)), plan_(plan), random_(plan.seed * 2 + 1) {
  for (int i = 0; i < 4; ++i) (void)Random(2);
  constexpr uint64_t kStay[] = {0, 50, 80, 90, 97};
  stay_ = kStay[Random(5)];
  by_priority_ = Random(2) == 0;
  for (uint64_t i = Random(5); i > 0; --i) {
    reshuffles_.insert(Random(kUsualSteps));
  }
  kills_left_ = plan.kills;
  if (plan.faults) fault_in_ = 1 + Random(kUsualSteps / 2);
}

uint64_t World::Random(uint64_t below) {
  random_ = random_ * 6364136223846793005 + 1442695040888963407;
  uint64_t mixed = random_ ^ (random_ >> 33);
  mixed *= 0xff51afd7ed558ccd;
  return (mixed ^ (mixed >> 33)) % below;
}

void World::Run(const std::vector<std::function<void(int)>>& bodies) {
  actors_.clear();
  for (size_t i = 0; i < bodies.size(); ++i) {
    actors_.push_back(std::make_unique<Actor>());
    actors_.back()->priority = Random(1'000'000) + 1'000'000;
  }
  current_ = static_cast<int>(Random(bodies.size()));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < bodies.size(); ++i) {
    threads.emplace_back([this, &bodies, actor = static_cast<int>(i)] {
      {
        std::unique_lock lock(mutex_);
        actors_[actor]->turn.wait(lock, [&] { return current_ == actor; });
      }
      bodies[actor](actor);
      actors_[actor]->state = State::kDone;
      PassOn(actor);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

void World::PassOn(int actor) {
  ++steps_;
  now_ += microseconds(1);
  if (steps_ > kMaxSteps) Fail("it runs on and on");
  MaybeLeap();
  const int next = Choose(actor);
  if (next == actor || next < 0) return;
  std::unique_lock lock(mutex_);
  current_ = next;
  actors_[next]->turn.notify_one();
  Actor& me = *actors_[actor];
  if (me.state == State::kDone) return;
  me.turn.wait(lock, [&] { return current_ == actor; });
}

void World::Yield(int actor) {
  PassOn(actor);
  actors_[actor]->state = State::kReady;
}

void World::Sleep(int actor, os::TimePoint until) {
  actors_[actor]->state = State::kWaiting;
  actors_[actor]->until = until;
  Yield(actor);
}

void World::MaybeLeap() {
  if (!plan_.leaps || leaps_forbidden_ || Random(100) != 0) return;
  now_ += milliseconds(Random(2500));
}

int World::Choose(int actor) {
  std::vector<int> ready;
  for (size_t i = 0; i < actors_.size(); ++i) {
    const Actor& each = *actors_[i];
    const bool early = each.state == State::kWaiting &&
                       (each.until <= now_ || abandoned_ || Random(32) == 0);
    if (each.state == State::kReady || early) {
      ready.push_back(static_cast<int>(i));
    }
  }
  return ready.empty() ? WakeEarliest() : ChooseAmong(ready, actor);
}

int World::ChooseAmong(const std::vector<int>& ready, int actor) {
  if (!by_priority_) {
    const bool can_stay = actors_[actor]->state == State::kReady;
    if (can_stay && Random(100) < stay_) return actor;
    return ready[Random(ready.size())];
  }
  if (reshuffles_.contains(steps_)) actors_[actor]->priority = Random(1000);
  return *std::ranges::max_element(
      ready, {}, [this](int each) { return actors_[each]->priority; });
}

int World::WakeEarliest() {
  int earliest = -1;
  for (size_t i = 0; i < actors_.size(); ++i) {
    if (actors_[i]->state != State::kWaiting) continue;
    if (earliest < 0 || actors_[i]->until < actors_[earliest]->until) {
      earliest = static_cast<int>(i);
    }
  }
  if (earliest < 0) return -1;
  if (actors_[earliest]->until == os::kForever) Fail("all wait for ever");
  now_ = std::max(now_, actors_[earliest]->until);
  return earliest;
}

// --- World: fates and findings -----------------------------------------------

bool World::Fate(int) {
  if (kills_left_ == 0 || abandoned_ || Random(100) != 0) return false;
  --kills_left_;
  return true;
}

bool World::TakeFault() {
  if (fault_in_ == 0) return false;
  return --fault_in_ == 0;
}

pid_t World::NewProcess() {
  living_.insert(++last_pid_);
  return last_pid_;
}

void World::Fail(const std::string& what) {
  if (!abandoned_) failure_ = what;
  abandoned_ = true;
}

void World::Log(pid_t pid, const std::string& what) {
  if (!abandoned_) log_.push_back(std::to_string(pid) + " " + what);
}

std::string World::Tail() const {
  std::string out;
  const size_t from = log_.size() > kMaxTail ? log_.size() - kMaxTail : 0;
  for (size_t i = from; i < log_.size(); ++i) out += "  " + log_[i] + "\n";
  return out;
}

// --- World: the pretended filesystem -----------------------------------------

void World::Removing(const std::string& path) {
  struct stat found {};
  removing_.clear();
  if (lstat(path.c_str(), &found) != 0) return;
  if (S_ISDIR(found.st_mode) || found.st_nlink == 1) {
    removing_.push_back(found.st_ino);
  }
}

void World::Removed() {
  for (const uint64_t ino : std::exchange(removing_, {})) {
    const bool open = std::ranges::any_of(
        open_, [ino](const auto& each) { return each.second == ino; });
    if (open) {
      nameless_.insert(ino);
    } else {
      ReleaseNumber(ino);
    }
  }
}

void World::ReleaseNumber(uint64_t ino) {
  const auto found = numbers_.find(ino);
  if (found != numbers_.end()) {
    numbers_in_use_.erase(found->second);
    numbers_.erase(found);
  }
  changed_.erase(ino);
  nameless_.erase(ino);
}

void World::Opened(int fd) {
  struct stat found {};
  if (fstat(fd, &found) == 0) open_[fd] = found.st_ino;
}

void World::Closed(int fd) {
  const auto found = open_.find(fd);
  if (found == open_.end()) return;
  const uint64_t ino = found->second;
  open_.erase(found);
  const bool open = std::ranges::any_of(
      open_, [ino](const auto& each) { return each.second == ino; });
  if (!open && nameless_.contains(ino)) ReleaseNumber(ino);
}

void World::Changed(const std::string& path) {
  const auto ticks = now_.time_since_epoch() / milliseconds(4);
  const uint64_t ino = InodeOf(path);
  if (ino != 0) changed_[ino] = ticks * 4'000'000;
}

void World::ChangedFile(int fd) {
  const auto found = open_.find(fd);
  const auto ticks = now_.time_since_epoch() / milliseconds(4);
  if (found != open_.end()) changed_[found->second] = ticks * 4'000'000;
}

void World::Disguise(os::FileInfo* info) {
  auto found = numbers_.find(info->ino);
  if (found == numbers_.end()) {
    uint64_t number = 1;
    while (numbers_in_use_.contains(number)) ++number;
    numbers_in_use_.insert(number);
    found = numbers_.emplace(info->ino, number).first;
  }
  const auto changed = changed_.find(info->ino);
  info->mtime_ns = changed != changed_.end() ? changed->second : 0;
  info->ctime_ns = info->mtime_ns;
  info->ino = found->second;
}

// --- ActorOs -----------------------------------------------------------------

bool ActorOs::Dies() {
  const bool arranged = dies_in_ > 0 && --dies_in_ == 0;
  if (!arranged && !world_.abandoned() && !world_.Fate(actor_)) return false;
  dead_ = true;
  world_.EndProcess(pid_);
  world_.Log(pid_, "DIES");
  return true;
}

os::SysResult ActorOs::Around(const os::Call& call,
                              const std::function<os::SysResult()>& next) {
  if (dead_) {
    return call.name == "Close" ? next() : os::SysResult::Fail(EIO);
  }
  world_.Yield(actor_);
  const bool close = call.name == "Close";
  if (Dies()) return close ? next() : os::SysResult::Fail(EIO);
  const bool fault = world_.TakeFault();
  // A file whose creation was not reported has a creator that does not know of
  // it: excl has no remedy, and says so.
  const bool undone =
      fault && !close && (call.name == "Open" || world_.Random(2) == 0);
  os::SysResult result = undone ? os::SysResult::Fail(EIO) : next();
  std::string text(call.name);
  text.append(" ").append(Base(call.path));
  if (!call.target.empty()) text.append(" ").append(Base(call.target));
  text +=
      result.ok() ? "" : std::string(" -> ") + strerrorname_np(result.error);
  if (fault && result.ok()) {
    const bool twice = ChangesNames(call.name) && world_.Random(2) == 0;
    result = os::SysResult::Fail(twice ? LostReply(call.name) : EIO);
    text += std::string(" LOST REPLY ") + strerrorname_np(result.error);
  } else if (fault) {
    text += " FAULT";
  }
  world_.Log(pid_, text);
  if (Dies()) return os::SysResult::Fail(EIO);
  return result;
}

std::string ActorOs::Own(const char* path) const {
  std::string own = path;
  if (own.starts_with(estranged_)) {
    own.insert(estranged_.size(), std::to_string(pid_));
  }
  return own;
}

void ActorOs::NoteToken(std::string_view text) {
  size_t digits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    digits = std::isxdigit(static_cast<unsigned char>(text[i])) != 0
                 ? digits + 1
                 : 0;
    if (digits == kTokenLength) {
      last_token_ = text.substr(i + 1 - digits, digits);
      return;
    }
  }
}

os::SysResult ActorOs::Change(const os::Call& call, const std::string& path,
                              const std::function<os::SysResult()>& next) {
  return Around(call, [&] {
    world_.Removing(path);
    const os::SysResult result = next();
    if (result.ok()) {
      world_.Removed();
      world_.Changed(Parent(path));
    }
    return result;
  });
}

void ActorOs::Pause() {
  (void)Around({"Pause"}, [] { return os::SysResult::Ok(); });
}

os::SysResult ActorOs::Open(const char* path, int flags, mode_t mode) {
  const std::string own = Own(path);
  return Around({"Open", own, {}, flags}, [&] {
    const bool there = InodeOf(own) != 0;
    const os::SysResult opened = os::Os::Real().Open(own.c_str(), flags, mode);
    if (!opened.ok()) return opened;
    world_.Opened(static_cast<int>(opened.value));
    if (!there) {
      world_.Changed(own);
      world_.Changed(Parent(own));
    }
    return opened;
  });
}

os::SysResult ActorOs::Close(int fd) {
  return Around({"Close"}, [&] {
    world_.Closed(fd);
    return os::Os::Real().Close(fd);
  });
}

os::SysResult ActorOs::WriteStart(int fd, const void* data, size_t size) {
  NoteToken({static_cast<const char*>(data), size});
  return Around({"WriteStart"}, [&] {
    world_.ChangedFile(fd);
    return os::Os::Real().WriteStart(fd, data, size);
  });
}

os::SysResult ActorOs::Symlink(const char* text, const char* path) {
  const std::string own = Own(path);
  NoteToken(text);
  return Around({"Symlink", own}, [&] {
    const os::SysResult result = os::Os::Real().Symlink(text, own.c_str());
    if (result.ok()) world_.Changed(own);
    return result;
  });
}

os::SysResult ActorOs::Unlink(const char* path) {
  const std::string own = Own(path);
  return Change({"Unlink", own}, own,
                [&] { return os::Os::Real().Unlink(own.c_str()); });
}

os::SysResult ActorOs::MakeDir(const char* path, mode_t mode) {
  const std::string own = Own(path);
  return Around({"MakeDir", own}, [&] {
    const os::SysResult result = os::Os::Real().MakeDir(own.c_str(), mode);
    if (result.ok()) world_.Changed(own);
    return result;
  });
}

os::SysResult ActorOs::RemoveDir(const char* path) {
  const std::string own = Own(path);
  return Change({"RemoveDir", own}, own,
                [&] { return os::Os::Real().RemoveDir(own.c_str()); });
}

os::SysResult ActorOs::Rename(const char* from, const char* to) {
  const std::string own = Own(to);
  // What is taken away is another's.
  const bool takes_away = own.ends_with(".broken");
  const bool fake = fake_taking_away_ && takes_away;
  if (!takes_away) NoteToken(Base(from));
  return Change({"Rename", from, own}, own, [&] {
    return fake ? os::SysResult::Ok()
                : os::Os::Real().Rename(from, own.c_str());
  });
}

os::SysResult ActorOs::RenameNoReplace(const char* from, const char* to) {
  const std::string own = Own(to);
  NoteToken(Base(from));
  return Change({"RenameNoReplace", from, own}, own, [&] {
    return os::Os::Real().RenameNoReplace(from, own.c_str());
  });
}

os::SysResult ActorOs::Link(const char* from, const char* to) {
  NoteToken(Base(from));
  return Around({"Link", from, to}, [&] {
    if (world_.plan().no_links) return os::SysResult::Fail(EPERM);
    return os::Os::Real().Link(from, to);
  });
}

os::SysResult ActorOs::Lstat(const char* path, os::FileInfo* info) {
  const std::string own = Own(path);
  return Around({"Lstat", own}, [&] {
    const os::SysResult result = os::Os::Real().Lstat(own.c_str(), info);
    if (result.ok()) world_.Disguise(info);
    return result;
  });
}

os::SysResult ActorOs::Fstat(int fd, os::FileInfo* info) {
  return Around({"Fstat"}, [&] {
    const os::SysResult result = os::Os::Real().Fstat(fd, info);
    if (result.ok()) world_.Disguise(info);
    return result;
  });
}

os::SysResult ActorOs::ListDir(const char* path, size_t limit,
                               std::vector<std::string>* names) {
  const std::string own = Own(path);
  std::vector<std::string> first;
  uint64_t ino = 0;
  names->clear();
  const os::SysResult begun = Around({"ListDir", own}, [&] {
    ino = InodeOf(own);
    return os::Os::Real().ListDir(own.c_str(), 1000, &first);
  });
  if (!begun.ok()) return begun;
  std::vector<std::string> second;
  const os::SysResult ended = Around({"ListDir...", own}, [&] {
    if (InodeOf(own) == ino) {
      os::Os::Real().ListDir(own.c_str(), 1000, &second);
    }
    return os::SysResult::Ok();
  });
  if (!ended.ok()) return ended;
  for (const std::string& name : first) {
    const bool stayed = std::ranges::find(second, name) != second.end();
    if (stayed || world_.Random(2) == 0) names->push_back(name);
  }
  for (const std::string& name : second) {
    const bool is_new = std::ranges::find(first, name) == first.end();
    if (is_new && world_.Random(2) == 0) names->push_back(name);
  }
  names->resize(std::min(names->size(), limit));
  return ended;
}

os::SysResult ActorOs::Touch(const char* path) {
  const std::string own = Own(path);
  return Around({"Touch", own}, [&] {
    world_.Changed(own);
    return os::Os::Real().Touch(own.c_str());
  });
}

os::SysResult ActorOs::FilesystemType(const char*) {
  return os::SysResult::Ok(world_.plan().remote ? NFS_SUPER_MAGIC
                                                : TMPFS_MAGIC);
}

os::SysResult ActorOs::WaitEvent(int, int, os::TimePoint deadline) {
  if (dead_) return os::SysResult::Fail(EIO);
  world_.Sleep(actor_, deadline);
  if (Dies()) return os::SysResult::Fail(EIO);
  return os::SysResult::Ok(world_.now() >= deadline ? 0 : 1);
}

os::ProcessIdentity ActorOs::Self() {
  return {.host = "host",
          .boot_id = world_.plan().no_proc && pid_ % 2 == 0 ? "" : "boot",
          .pid_ns = 1,
          .time_ns = 1,
          .pid = pid_,
          .start_time = static_cast<uint64_t>(pid_) * 10};
}

os::ProcessStatus ActorOs::Status(pid_t pid) {
  os::ProcessStatus status{.exists = true, .zombie = false, .start_time = 0};
  const os::SysResult asked = Around({"Status"}, [&] {
    status.exists = world_.Lives(pid);
    status.start_time = static_cast<uint64_t>(pid) * 10;
    return os::SysResult::Ok();
  });
  if (!asked.ok()) return {.exists = true, .zombie = false, .start_time = 0};
  return status;
}

os::SysResult ActorOs::Random(void* buffer, size_t size) {
  auto* bytes = static_cast<unsigned char*>(buffer);
  for (size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<unsigned char>(world_.Random(256));
  }
  return os::SysResult::Ok();
}

os::ProcessLocal& ActorOs::LocalSlot(const void* key, MakeLocal make) {
  std::unique_ptr<os::ProcessLocal>& slot = locals_[key];
  if (slot == nullptr) slot = make();
  return *slot;
}

}  // namespace lockfile::testing
