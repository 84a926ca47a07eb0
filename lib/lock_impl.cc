#include "lib/lock_impl.h"

#include <algorithm>
#include <cerrno>

#include "lib/backends/naming.h"

namespace lockfile {
namespace {

// How long break_lock() lets another breaker, or a holder that is just
// releasing, get done.
constexpr auto kBreakPatience = std::chrono::seconds(5);
// Something watched for a grace time or a lease is looked at this often.
constexpr auto kWatchedLook = std::chrono::milliseconds(100);
constexpr auto kSeldomLook = std::chrono::seconds(1);
constexpr auto kLingeringLook = std::chrono::seconds(3);
// So often a look that finds the lock free is followed by a try at once. A
// look may be behind the times, as those of a network filesystem's cache are:
// then the waiter has to wait like any other, and to keep its deadline.
constexpr int kHopes = 3;
// Long enough to be scheduled away; and, where holds are long themselves, for
// the one who was woken to have got the lock before the end of our sleep
// interrupts it.
constexpr os::Clock::duration kNap = std::chrono::microseconds(20);
constexpr os::Clock::duration kLongNap = std::chrono::microseconds(100);

// Counts the releases of this process. Threads that pass a lock on to each
// other do so through the filesystem, where the language's memory model sees no
// order; a releaser adds before it releases, and who takes a lock looks after.
std::atomic<uint64_t> g_releases{0};

// Of a gate that is entered and left alone, the kernel learns nothing.
constexpr uint32_t kGateFree = 0;
constexpr uint32_t kGateTaken = 1;
constexpr uint32_t kGateAwaited = 2;  // taken, and another thread waits

std::string Hex(uint64_t number, int digits) {
  std::string out;
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
    out.push_back("0123456789abcdef"[(number >> shift) & 15]);
  }
  return out;
}

}  // namespace

LockFile::Impl::~Impl() {
  CheckFork();
  if (mine_.load() && gate_.load() != kGateFree) {
    g_releases.fetch_add(1, std::memory_order_acq_rel);
    Report(backend().Release(hold_));
  }
}

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
  hold_.record.clear();
  watched_ = Watched{};
  (void)waiter_.release();  // its descriptors are the parent's
  gate_.store(kGateFree);
  pid_.store(os_.Pid());
}

Status LockFile::Impl::EnterGate(Deadline deadline) {
  uint32_t free = kGateFree;
  if (gate_.compare_exchange_strong(free, kGateTaken)) return Status::Ok();
  while (gate_.exchange(kGateAwaited) != kGateFree) {
    if (deadline.passed(os_.Now())) return Refused(deadline);
    os_.WaitWhile(&gate_, kGateAwaited, deadline.at());
  }
  return Status::Ok();
}

void LockFile::Impl::LeaveGate() {
  const std::unique_ptr<Waiter> done = std::move(waiter_);
  if (gate_.exchange(kGateFree) == kGateAwaited) os_.WakeAll(&gate_);
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
  taken_ = os_.Now();
  return Status::Ok();
}

// The token is new for every hold: the object's digits and a time that always
// rises. It is the order of those who wait.
Status LockFile::Impl::PrepareHold() {
  if (me_.token.empty()) {
    Status status = MakeOwner(os_, &me_);
    if (!status.ok()) return status;
    me_.token.resize(kObjectDigits);
    tail_ = TicketTail(me_);
  }
  const int64_t thread_id = os_.ThreadId();
  const int64_t since = os_.WallSeconds();
  stamp_ = std::max(stamp_ + 1, Stamp(os_.Now()));
  std::string token = me_.token + Hex(stamp_, kTokenLength - kObjectDigits);
  if (hold_.record.empty() || me_.thread_id != thread_id ||
      me_.since != since) {
    me_.thread_id = thread_id;
    me_.since = since;
    Owner owner = me_;
    owner.token = token;
    owner.lease = options_.lease;
    hold_.record = FormatRecord(owner);
    hold_.ticket = token + "." + tail_;
  } else {
    // All but the token is as it was.
    hold_.record.replace(hold_.record.find(hold_.token), kTokenLength, token);
    hold_.ticket.replace(0, kTokenLength, token);
  }
  hold_.token = std::move(token);
  hold_.prepared = false;
  hold_.queued = false;
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
  const Crowd::Guess guess =
      deadline.may_wait() ? LetWokenGoFirst() : Crowd::Guess::kNobody;
  Status status = PrepareHold();
  if (!status.ok()) return status;
  line_.Begin();
  competes_ = lined_up_ = told_ = suspect_ = false;
  Take take = Take::kHeld;
  if (guess == Crowd::Guess::kNobody || !StandsBack()) {
    status = TryOnce(&take);
    if (!status.ok() || take == Take::kTaken) return status;
  }
  const std::string& lock_path = backend().lock_path();
  if (deadline.may_wait()) os_.local<Crowd>().Found(lock_path, true);
  const Storage storage = StorageOf(os_, LockNames(lock_path).directory());
  waiter_ = std::make_unique<Waiter>(os_, IsLocal(storage));
  looks_linger_ = storage == Storage::kSmb;
  next_look_ = os::TimePoint::min();
  return WaitForTurn(deadline);
}

// Whether others may wait. The first thing that is done: the woken one may have
// been put on this very processor, and gets it, and so the lock, when we sleep.
// Yielding would cost us more, later.
Crowd::Guess LockFile::Impl::LetWokenGoFirst() {
  if (backend().line() == nullptr) return Crowd::Guess::kNobody;
  const os::TimePoint now = os_.Now();
  const Crowd::Guess guess =
      os_.local<Crowd>().Expect(backend().lock_path(), now);
  if (guess == Crowd::Guess::kWoken) {
    // It may hold the lock as long as we did.
    os_.WaitEvent(-1, -1, now + std::clamp(held_ / 4, kNap, kLongNap));
  }
  return guess;
}

// Whether others are to have the lock first, though it may be free.
bool LockFile::Impl::StandsBack() {
  const std::string& lock_path = backend().lock_path();
  line_.Look(*backend().line(), hold_.ticket);
  os_.local<Crowd>().Found(lock_path, line_.behind());
  lined_up_ = line_.behind() && backend().Queue(hold_).ok();
  full_look_ = os_.Now() + line_.Patience();
  return lined_up_;
}

// Takes a place in the line, if there is one. Whether others are ahead.
bool LockFile::Impl::LineUp() {
  const LockNames* names = backend().line();
  if (names == nullptr || competes_) return false;
  if (lined_up_) return line_.behind();
  lined_up_ = true;
  // Where that fails, a try will say why.
  if (hold_.spent && !PrepareHold().ok()) return false;
  if (backend().Queue(hold_).ok()) line_.Look(*names, hold_.ticket);
  full_look_ = os_.Now() + line_.Patience();
  return line_.behind();
}

Status LockFile::Impl::WaitForTurn(Deadline deadline) {
  int hopes = 0;
  while (true) {
    const bool last = deadline.passed(os_.Now());
    const bool behind = !last && LineUp();
    Found found = Found::kHeld;
    os::Clock::duration look_again = kSeldomLook;
    Status status;
    // The first in the line looks after the holder.
    if ((suspect_ || (!behind && !told_)) && MayLook()) {
      status = Examine(&found, &look_again);
      if (look_again < kSeldomLook) next_look_ = os::TimePoint::min();
    }
    if (!status.ok()) return status;
    if (behind && suspect_ && found == Found::kHeld) line_.SeenHeld();
    if (behind && found == Found::kFree && !line_.SeenFree()) {
      found = Found::kHeld;
    }
    hopes = found != Found::kHeld ? hopes + 1 : 0;
    const bool hope = hopes > 0 && hopes <= kHopes;
    const bool go = last || hope ||
                    (behind ? AwaitTurn(deadline, look_again)
                            : AwaitLock(deadline, look_again));
    if (go) {
      Take take = Take::kHeld;
      status = TryOnce(&take);
      if (!status.ok() || take == Take::kTaken) return status;
      if (last && !hope) return Refused(deadline);
    }
    if (options_.cancelled && options_.cancelled()) {
      return Status::Failed("wait for", backend().lock_path(), ECANCELED);
    }
  }
}

// With nobody ahead: until the lock may be free. Whether to try.
bool LockFile::Impl::AwaitLock(Deadline deadline,
                               os::Clock::duration look_again) {
  if (look_again == kSeldomLook && backend().WaitInKernel(deadline)) {
    suspect_ = true;
    return true;
  }
  const Waiter::Watched watched = waiter_->Watch(backend().WatchPath());
  const bool look =
      watched == Waiter::Watched::kNew || watched == Waiter::Watched::kGone;
  if (look) return true;
  waiter_->Wait(deadline, look_again);
  suspect_ = waiter_->holder_suspect();
  told_ = !suspect_;
  if (suspect_) lined_up_ = false;
  // The file we watched has gone or changed: a try is due at once.
  if (told_) hold_.look_first = false;
  return true;
}

// Until the one ahead is gone. Whether to try.
bool LockFile::Impl::AwaitTurn(Deadline deadline,
                               os::Clock::duration look_again) {
  waiter_->WatchHolder(line_.ahead_pid());
  const Waiter::Watched watched = waiter_->WatchGone(line_.ahead());
  if (watched == Waiter::Watched::kNew) return false;
  if (watched == Waiter::Watched::kNot && line_.is_long() &&
      !backend().looks_are_dear()) {
    competes_ = suspect_ = true;
    return false;
  }
  const bool told = watched == Waiter::Watched::kSame;
  bool gone = watched == Waiter::Watched::kGone;
  const os::TimePoint now = os_.Now();
  full_look_ = std::min(full_look_, now + look_again);
  Deadline::Duration pause = std::max(full_look_ - now, Deadline::Duration());
  if (watched == Waiter::Watched::kNot) {
    Deadline::Duration soon{};
    gone = line_.AheadIsGone(&soon);
    pause = std::min(pause, soon);
  }
  suspect_ = false;
  if (!gone) {
    waiter_->WaitAbout(deadline, pause);
    const bool sign = !waiter_->holder_suspect();
    gone = told && sign;
    suspect_ =
        !sign && (told || waiter_->holder_ended() || os_.Now() >= full_look_);
  }
  told_ = gone;
  lined_up_ = !gone && !suspect_;
  if (gone) hold_.look_first = false;
  return gone;
}

// Linux's SMB client keeps what was opened open for a second, and Samba the
// name of what was removed as long as that: those who look all the time would
// keep the lock from being released. That a holder on this host died is told
// otherwise.
bool LockFile::Impl::MayLook() {
  if (!looks_linger_) return true;
  const os::TimePoint now = os_.Now();
  if (now < next_look_ && !waiter_->holder_ended()) return false;
  next_look_ = now + kLingeringLook;
  return true;
}

// Looks who holds the lock, and breaks it where that is due.
Status LockFile::Impl::Examine(Found* found, os::Clock::duration* look_again) {
  // The kernel releases such a lock by itself, and cannot be made to.
  if (row().traits.released_on_crash || !options_.break_dead_holders) {
    return Status::Ok();
  }
  Sight sight;
  Status status = backend().Look(&sight);
  if (!status.ok()) return status;
  if (!sight.held) {
    *found = Found::kFree;
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
  status = BreakIfDue(sight, life, found, look_again);
  waiter_->WatchHolder(life.life == Life::kAlive ? sight.owner->pid : 0);
  return status;
}

Status LockFile::Impl::BreakIfDue(const Sight& sight, const Liveness& life,
                                  Found* found,
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
  if (result != Broke::kBusy) *found = Found::kBroken;
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
    const os::TimePoint now = os_.Now();
    os_.local<Crowd>().Released(backend().lock_path(), now);
    held_ = now - taken_;
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

}  // namespace lockfile
