#include "lib/lock_file.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <utility>

#include "lib/backends/backend.h"
#include "lib/backends/naming.h"
#include "lib/waiter.h"

namespace lockfile {
namespace {

// How long break_lock() lets another breaker, or a holder that is just
// releasing, get done.
constexpr auto kBreakPatience = std::chrono::seconds(5);
// Something watched for a grace time or a lease is looked at this often.
constexpr auto kWatchedLook = std::chrono::milliseconds(100);
constexpr auto kSeldomLook = std::chrono::seconds(1);
// So often a look that finds the lock free is followed by a try at once. A
// look may be behind the times, as those of a network filesystem's cache are:
// then the waiter has to wait like any other, and to keep its deadline.
constexpr int kHopes = 3;

std::string MakeAbsolute(const std::filesystem::path& path,
                         std::error_code* error) {
  if (path.empty() || !path.has_filename()) {
    *error = std::make_error_code(std::errc::invalid_argument);
    return path.string();
  }
  return std::filesystem::absolute(path, *error).string();
}

// Counts the releases of this process. Threads that pass a lock on to each
// other do so through the filesystem, where the language's memory model sees no
// order; a releaser adds before it releases, and who takes a lock looks after.
std::atomic<uint64_t> g_releases{0};

std::string Hex(uint64_t number, int digits) {
  std::string out;
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
    out.push_back("0123456789abcdef"[(number >> shift) & 15]);
  }
  return out;
}

}  // namespace

// Threads: `gate_` is held from the begin of an acquire() to the end of the
// matching release(), by the acquiring thread; what is marked (gate) may be
// touched by its holder only. Whoever acts as the holder also has `holding_`,
// since without Options::threaded that may be several threads. Looking needs
// neither.
class LockFile::Impl {
 public:
  Impl(std::string path, const BackendRow& row, Options options, bool choose)
      : path_(std::move(path)),
        options_(std::move(options)),
        os_(options_.os != nullptr ? *options_.os : os::Os::Real()),
        choose_(choose),
        first_{&row, row.make(os_, path_, options_)} {
    pid_ = os_.Pid();
  }

  ~Impl() {
    CheckFork();
    if (mine_.load() && gate_.load() != 0) {
      g_releases.fetch_add(1, std::memory_order_acq_rel);
      Report(backend().Release(hold_));
    }
  }

  Status Acquire(Deadline deadline, Again again);
  Status Release();
  Status Refresh();
  Status Look(Sight* sight);
  Status IAmLocking(bool* mine);
  Status Break(const Owner* expected, bool* broke);
  void Unlock();

  [[nodiscard]] Deadline DefaultDeadline() const {
    return options_.timeout.has_value()
               ? Deadline::After(*options_.timeout, os_.Now())
               : Deadline::Never();
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const BackendRow& row() const { return *chosen_.load()->row; }
  [[nodiscard]] Backend& backend() const { return *chosen_.load()->backend; }
  [[nodiscard]] os::Os& os() const { return os_; }

  Status Remember(Status status) {
    if (!status.ok()) {
      const std::lock_guard guard(mutex_);
      last_message_ = status.message.empty() ? status.error_code().message()
                                             : status.message;
    }
    return status;
  }
  [[nodiscard]] std::string last_message() {
    const std::lock_guard guard(mutex_);
    return last_message_;
  }

 private:
  struct Mechanism {
    const BackendRow* row = nullptr;
    std::unique_ptr<Backend> backend;
  };
  // What a waiter has seen, and since when it has not changed.
  struct Watched {
    std::string version;
    os::TimePoint since;
  };

  void CheckFork();
  [[nodiscard]] bool IsMyThread() const {
    return mine_.load() &&
           (!options_.threaded || owner_thread_.load() == os_.ThreadId());
  }
  Status Reacquire(bool* still);
  Status EnterGate(Deadline deadline);
  void LeaveGate();
  Status Contend(Deadline deadline);
  Status TryOnce(Take* take);
  Status PrepareHold();
  bool ChooseAnother(const Status& status);
  Status Examine(Waiter* waiter, bool* broke, os::Clock::duration* look_again);
  Status BreakIfDue(const Sight& sight, const Liveness& life, bool* broke,
                    os::Clock::duration* look_again);
  Status Refused(Deadline deadline);
  Status Taken();
  Status ReleaseMine();
  void Report(const Status& status);

  const std::string path_;
  const Options options_;
  os::Os& os_;
  const bool choose_;  // no backend was named: mkdir may take link's place
  // Both stay once they are made: somebody may be looking through them.
  Mechanism first_;
  Mechanism mkdir_;        // (gate)
  bool has_links_ = true;  // (gate)
  std::atomic<const Mechanism*> chosen_{&first_};

  std::atomic<uint32_t> gate_{0};
  std::mutex holding_;  // guards the changes of mine_, and hold_ while it is
  std::atomic<pid_t> pid_{0};
  std::atomic<bool> mine_{false};
  std::atomic<int64_t> owner_thread_{0};
  Owner me_;            // (gate) token: the object's 24 digits
  std::string tail_;    // (gate) of ticket names
  uint32_t holds_ = 0;  // (gate) counts the object's holds
  Hold hold_;           // (gate)
  Watched watched_;     // (gate)
  // (gate) Of the last wait: to clear up its watches takes longer than to take
  // the lock, so that it is left to the release.
  std::unique_ptr<Waiter> waiter_;
  bool collected_ = false;  // (gate)

  std::mutex mutex_;  // guards the rest
  Status pending_;    // what unlock() could not report
  std::string last_message_;
};

// A forked child owns nothing that its parent held.
void LockFile::Impl::CheckFork() {
  if (pid_.load() == os_.Pid()) return;
  const std::lock_guard guard(mutex_);
  if (pid_.load() == os_.Pid()) return;
  for (const Mechanism* each : {&first_, &mkdir_}) {
    if (each->backend != nullptr) each->backend->ForgetInChild();
  }
  mine_.store(false);
  pending_ = Status::Ok();
  me_ = Owner{};
  holds_ = 0;
  watched_ = Watched{};
  (void)waiter_.release();  // its descriptors are the parent's
  gate_.store(0);
  pid_.store(os_.Pid());
}

Status LockFile::Impl::EnterGate(Deadline deadline) {
  for (uint32_t free = 0; !gate_.compare_exchange_strong(free, 1); free = 0) {
    if (deadline.passed(os_.Now())) return Refused(deadline);
    os_.WaitWhile(&gate_, 1, deadline.at());
  }
  return Status::Ok();
}

void LockFile::Impl::LeaveGate() {
  const std::unique_ptr<Waiter> done = std::move(waiter_);
  gate_.store(0);
  os_.WakeAll(&gate_);
}

Status LockFile::Impl::Acquire(Deadline deadline, Again again) {
  CheckFork();
  {
    const std::lock_guard guard(mutex_);
    if (!pending_.ok()) return std::exchange(pending_, Status::Ok());
  }
  bool still = false;
  Status status = Reacquire(&still);
  if (!status.ok()) return status;
  if (still && again == Again::kIsFine) return Status::Ok();
  if (still) {
    return Status::Make(Errc::kDeadlock,
                        "this thread holds it already; a second lock() would "
                        "wait for ever");
  }
  status = EnterGate(deadline);
  if (!status.ok()) return status;
  status = Contend(deadline);
  if (status.ok()) return Taken();
  backend().GiveUp(hold_);
  LeaveGate();
  return status;
}

// Whether this thread holds the lock already. If it has lost it, it holds
// nothing any more and may contend anew.
Status LockFile::Impl::Reacquire(bool* still) {
  const std::lock_guard guard(holding_);
  if (!IsMyThread()) return Status::Ok();
  const Status status = backend().StillMine(hold_, still);
  if (!status.ok() || *still) return status;
  (void)backend().Release(hold_);
  mine_.store(false);
  LeaveGate();
  return status;
}

Status LockFile::Impl::Taken() {
  (void)g_releases.load(std::memory_order_acquire);
  // Before others may give it back: they cannot while it is not `mine_`.
  if (options_.collect_litter && !collected_) backend().CollectLitter(hold_);
  collected_ = true;
  const std::lock_guard guard(holding_);
  owner_thread_.store(os_.ThreadId());
  mine_.store(true);
  return Status::Ok();
}

// The token is new for every hold: an object's 24 digits and a count.
Status LockFile::Impl::PrepareHold() {
  if (me_.token.empty()) {
    Status status = MakeOwner(os_, &me_);
    if (!status.ok()) return status;
    me_.token.resize(24);
    tail_ = TicketTail(me_);
  }
  Owner owner = me_;
  owner.token += Hex(++holds_, 8);
  owner.thread_id = os_.ThreadId();
  owner.since = os_.WallSeconds();
  owner.lease = options_.lease;
  hold_.record = FormatRecord(owner);
  hold_.ticket = owner.token + "." + tail_;
  hold_.token = std::move(owner.token);
  hold_.prepared = false;
  hold_.look_first = false;
  hold_.spent = false;
  return Status::Ok();
}

// Where no backend was named, the lock is made with links, or with directories
// where there are no links or where somebody has made it so.
bool LockFile::Impl::ChooseAnother(const Status& status) {
  if (!choose_) return false;
  if (status.code == Errc::kUnsupported) has_links_ = false;
  os::FileInfo info;
  const bool is_directory =
      os_.Lstat(backend().lock_path().c_str(), &info).ok() &&
      info.type == os::FileType::kDirectory;
  const bool needs_mkdir = is_directory || !has_links_;
  if (needs_mkdir && mkdir_.backend == nullptr) {
    const BackendRow* row = FindBackend("mkdir");
    mkdir_ = {row, row->make(os_, path_, options_)};
  }
  const Mechanism* choice = needs_mkdir ? &mkdir_ : &first_;
  if (choice == chosen_.load()) return false;
  backend().GiveUp(hold_);
  chosen_.store(choice);
  return true;
}

Status LockFile::Impl::TryOnce(Take* take) {
  Status status = hold_.spent ? PrepareHold() : Status::Ok();
  if (status.ok()) status = backend().TryTake(hold_, take);
  if (status.ok() && *take == Take::kTaken) return status;
  if (!ChooseAnother(status)) return status;
  return backend().TryTake(hold_, take);
}

Status LockFile::Impl::Refused(Deadline deadline) {
  Sight sight;
  std::string who = "somebody";
  if (backend().Look(&sight).ok()) {
    if (sight.owner.has_value()) {
      who = sight.owner->Describe() + " (" +
            JudgeLife(os_, *sight.owner).reason + ")";
    } else if (!sight.note.empty()) {
      who += " (" + sight.note + ")";
    }
  }
  return deadline.may_wait()
             ? Status::Make(Errc::kLockTimeout,
                            "timed out; it is held by " + who)
             : Status::Make(Errc::kAlreadyLocked, "it is held by " + who);
}

Status LockFile::Impl::Contend(Deadline deadline) {
  Status status = PrepareHold();
  if (!status.ok()) return status;
  Take take = Take::kHeld;
  status = TryOnce(&take);
  if (!status.ok() || take == Take::kTaken) return status;
  const std::string& lock_path = backend().lock_path();
  waiter_ = std::make_unique<Waiter>(
      os_, IsLocalFilesystem(os_, LockNames(lock_path).directory()));
  bool examine = true;
  int hopes = 0;
  while (true) {
    bool broke = false;
    os::Clock::duration look_again = kSeldomLook;
    if (examine) status = Examine(waiter_.get(), &broke, &look_again);
    if (!status.ok()) return status;
    hopes = broke ? hopes + 1 : 0;
    if (hopes > kHopes) broke = false;
    const bool last = deadline.passed(os_.Now());
    if (!last && !broke) {
      if (look_again == kSeldomLook && backend().WaitInKernel(deadline)) {
        examine = true;
      } else if (!waiter_->Watch(backend().WatchPath())) {
        waiter_->Wait(deadline, look_again);
        examine = waiter_->holder_suspect();
        // The file we watched has gone or changed: a try is due at once.
        if (!examine) hold_.look_first = false;
      }
    }
    status = TryOnce(&take);
    if (!status.ok() || take == Take::kTaken) return status;
    if (last && !broke) return Refused(deadline);
    if (options_.cancelled && options_.cancelled()) {
      return Status::Failed("wait for", backend().lock_path(), ECANCELED);
    }
  }
}

// Looks who holds the lock, and breaks it where that is due.
Status LockFile::Impl::Examine(Waiter* waiter, bool* broke,
                               os::Clock::duration* look_again) {
  // The kernel releases such a lock by itself, and cannot be made to.
  if (row().traits.released_on_crash || !options_.break_dead_holders) {
    return Status::Ok();
  }
  Sight sight;
  Status status = backend().Look(&sight);
  if (!status.ok()) return status;
  if (!sight.held) {
    *broke = true;  // free: worth another try at once
    return status;
  }
  if (sight.version != watched_.version) {
    watched_ = Watched{sight.version, os_.Now()};
  }
  Liveness life;
  if (sight.owner.has_value()) {
    // What this very object left when a reply was lost is nobody's hold.
    const bool own = sight.owner->SameObject(me_);
    life = own ? Liveness{Life::kDead, "it is a hold that has failed"}
               : JudgeLife(os_, *sight.owner);
  }
  status = BreakIfDue(sight, life, broke, look_again);
  waiter->WatchHolder(life.life == Life::kAlive ? sight.owner->pid : 0);
  return status;
}

Status LockFile::Impl::BreakIfDue(const Sight& sight, const Liveness& life,
                                  bool* broke,
                                  os::Clock::duration* look_again) {
  std::optional<BreakReason> reason;
  const auto unchanged = os_.Now() - watched_.since;
  if (sight.owner.has_value()) {
    const std::chrono::milliseconds lease = sight.owner->lease;
    if (lease.count() > 0) {
      *look_again = std::min<os::Clock::duration>(kWatchedLook, lease / 4);
    }
    if (life.life == Life::kDead) {
      reason = BreakReason::kHolderIsDead;
    } else if (sight.half_broken || (lease.count() > 0 && unchanged > lease)) {
      reason = BreakReason::kAsked;
    }
  } else if (sight.ownerless == Ownerless::kByProof ||
             (sight.ownerless == Ownerless::kAfterGrace &&
              unchanged >= options_.ownerless_grace)) {
    reason = BreakReason::kOwnerless;
  }
  if (sight.ownerless != Ownerless::kNo) *look_again = kWatchedLook;
  if (!reason.has_value()) return Status::Ok();
  Broke result = Broke::kBusy;
  Status status = backend().Break(sight, *reason, &result);
  *broke = result != Broke::kBusy;
  if (result == Broke::kBusy) *look_again = kWatchedLook;
  return status;
}

Status LockFile::Impl::Release() {
  CheckFork();
  {
    const std::lock_guard guard(mutex_);
    if (!pending_.ok()) return std::exchange(pending_, Status::Ok());
  }
  {
    const std::lock_guard guard(holding_);
    if (IsMyThread()) return ReleaseMine();
  }
  Sight sight;
  const Status status = backend().Look(&sight);
  if (!status.ok()) return status;
  if (!sight.held) return Status::Make(Errc::kNotLocked, "nobody holds it");
  return Status::Make(
      Errc::kNotMyLock,
      "it is held by " + (sight.owner.has_value() ? sight.owner->Describe()
                                                  : "somebody else"));
}

// With holding_.
Status LockFile::Impl::ReleaseMine() {
  g_releases.fetch_add(1, std::memory_order_acq_rel);
  Status status = backend().Release(hold_);
  if (status.ok() || status.code == Errc::kLockLost) {
    mine_.store(false);
    LeaveGate();
  }
  return status;
}

void LockFile::Impl::Unlock() {
  const Status status = Release();
  if (status.ok()) return;
  {
    const std::lock_guard guard(mutex_);
    pending_ = status;
  }
  Report(status);
}

void LockFile::Impl::Report(const Status& status) {
  if (!status.ok() && options_.on_error) options_.on_error(status);
}

Status LockFile::Impl::Refresh() {
  CheckFork();
  const std::lock_guard guard(holding_);
  if (!IsMyThread()) {
    return Status::Make(Errc::kNotLocked, "this object does not hold it");
  }
  return backend().Refresh(hold_);
}

Status LockFile::Impl::Look(Sight* sight) {
  CheckFork();
  return backend().Look(sight);
}

Status LockFile::Impl::IAmLocking(bool* mine) {
  CheckFork();
  *mine = false;
  const std::lock_guard guard(holding_);
  return IsMyThread() ? backend().StillMine(hold_, mine) : Status::Ok();
}

Status LockFile::Impl::Break(const Owner* expected, bool* broke) {
  CheckFork();
  *broke = false;
  const Deadline deadline = Deadline::After(kBreakPatience, os_.Now());
  Waiter waiter(os_, /*local=*/false);
  while (true) {
    Sight sight;
    Status status = backend().Look(&sight);
    if (!status.ok() || !sight.held) return status;
    if (expected != nullptr &&
        (!sight.owner.has_value() || !(*sight.owner == *expected))) {
      return status;
    }
    const bool dead = sight.owner.has_value() &&
                      JudgeLife(os_, *sight.owner).life == Life::kDead;
    Broke result = Broke::kBusy;
    status = backend().Break(
        sight, dead ? BreakReason::kHolderIsDead : BreakReason::kAsked,
        &result);
    *broke = result == Broke::kBroken;
    if (!status.ok() || *broke) return status;
    if (deadline.passed(os_.Now())) {
      return Status::Make(Errc::kLockTimeout,
                          "another breaker, or the holder that is releasing "
                          "it, does not get done");
    }
    if (result == Broke::kBusy) waiter.Wait(deadline, kSeldomLook);
  }
}

// --- LockFile: the public face ----------------------------------------------

namespace {

struct Choice {
  std::string path;
  const BackendRow* row = nullptr;
  Status status;
};

Choice Choose(const std::filesystem::path& path, const Options& options) {
  Choice choice;
  std::error_code error;
  choice.path = MakeAbsolute(path, &error);
  choice.row = FindBackend(options.backend.empty() ? "link" : options.backend);
  if (error) {
    choice.status =
        Status::Failed("lock", "'" + path.string() + "'", error.value());
  } else if (choice.row == nullptr) {
    choice.status = Status::Make(Errc::kUnsupported,
                                 "there is no backend '" + options.backend +
                                     "'; there are " + BackendNames());
    choice.row = FindBackend("link");
  }
  return choice;
}

}  // namespace

LockFile::LockFile(const std::filesystem::path& path, Options options) {
  Choice choice = Choose(path, options);
  if (!choice.status.ok()) {
    Throw(std::move(choice.status), path.string(), options.backend);
  }
  const bool choose = options.backend.empty();
  impl_ = std::make_unique<Impl>(std::move(choice.path), *choice.row,
                                 std::move(options), choose);
}

LockFile::LockFile(const std::filesystem::path& path, Options options,
                   std::error_code& error) {
  const Choice choice = Choose(path, options);
  error = choice.status.error_code();
  const bool choose = options.backend.empty();
  // An object that was made wrong points where no lock can be made.
  impl_ = std::make_unique<Impl>(error ? "/dev/null/invalid" : choice.path,
                                 *choice.row, std::move(options), choose);
}

LockFile::~LockFile() = default;

Deadline LockFile::FromNow(Deadline::Duration timeout) const {
  return Deadline::After(timeout, impl_->os().Now());
}

Status LockFile::Acquire(Deadline deadline, Again again) {
  return impl_->Remember(impl_->Acquire(deadline, again));
}

void LockFile::ThrowIfBad(Status status, bool releasing) const {
  if (status.ok()) return;
  Throw(std::move(status), impl_->path(), std::string(impl_->row().name),
        releasing);
}

void LockFile::acquire() {
  ThrowIfBad(Acquire(impl_->DefaultDeadline(), Again::kIsFine));
}

void LockFile::acquire(std::error_code& error) {
  error = Acquire(impl_->DefaultDeadline(), Again::kIsFine).error_code();
}

void LockFile::release() {
  ThrowIfBad(impl_->Remember(impl_->Release()), /*releasing=*/true);
}

void LockFile::release(std::error_code& error) {
  error = impl_->Remember(impl_->Release()).error_code();
}

void LockFile::unlock() noexcept { impl_->Unlock(); }

void LockFile::lock() {
  ThrowIfBad(Acquire(Deadline::Never(), Again::kIsDeadlock));
}

bool LockFile::try_lock() { return TryUntil(Deadline::Now()); }

bool LockFile::TryUntil(Deadline deadline) {
  const Status status = Acquire(deadline, Again::kIsDeadlock);
  if (status.code == Errc::kAlreadyLocked ||
      status.code == Errc::kLockTimeout || status.code == Errc::kDeadlock) {
    return false;
  }
  ThrowIfBad(status);
  return true;
}

bool LockFile::is_locked() {
  Sight sight;
  ThrowIfBad(impl_->Remember(impl_->Look(&sight)));
  return sight.held;
}

bool LockFile::is_locked(std::error_code& error) {
  Sight sight;
  error = impl_->Remember(impl_->Look(&sight)).error_code();
  return sight.held;
}

bool LockFile::i_am_locking() {
  bool mine = false;
  ThrowIfBad(impl_->Remember(impl_->IAmLocking(&mine)));
  return mine;
}

bool LockFile::i_am_locking(std::error_code& error) {
  bool mine = false;
  error = impl_->Remember(impl_->IAmLocking(&mine)).error_code();
  return mine;
}

bool LockFile::break_lock() {
  bool broke = false;
  ThrowIfBad(impl_->Remember(impl_->Break(nullptr, &broke)));
  return broke;
}

bool LockFile::break_lock(std::error_code& error) {
  bool broke = false;
  error = impl_->Remember(impl_->Break(nullptr, &broke)).error_code();
  return broke;
}

bool LockFile::break_lock(const Owner& expected) {
  bool broke = false;
  ThrowIfBad(impl_->Remember(impl_->Break(&expected, &broke)));
  return broke;
}

bool LockFile::break_lock(const Owner& expected, std::error_code& error) {
  bool broke = false;
  error = impl_->Remember(impl_->Break(&expected, &broke)).error_code();
  return broke;
}

std::optional<Owner> LockFile::owner() {
  Sight sight;
  ThrowIfBad(impl_->Remember(impl_->Look(&sight)));
  return sight.owner;
}

std::optional<Owner> LockFile::owner(std::error_code& error) {
  Sight sight;
  error = impl_->Remember(impl_->Look(&sight)).error_code();
  return sight.owner;
}

Liveness LockFile::holder_liveness() {
  Sight sight;
  ThrowIfBad(impl_->Remember(impl_->Look(&sight)));
  if (!sight.held) return {Life::kDead, "nobody holds it"};
  if (!sight.owner.has_value()) return {Life::kUnknown, sight.note};
  return JudgeLife(impl_->os(), *sight.owner);
}

void LockFile::refresh() { ThrowIfBad(impl_->Remember(impl_->Refresh())); }

void LockFile::refresh(std::error_code& error) {
  error = impl_->Remember(impl_->Refresh()).error_code();
}

const std::string& LockFile::path() const noexcept { return impl_->path(); }

const std::string& LockFile::lock_path() const noexcept {
  return impl_->backend().lock_path();
}

const BackendRow& LockFile::backend() const noexcept { return impl_->row(); }

std::string LockFile::last_error_message() const {
  return impl_->last_message();
}

}  // namespace lockfile
