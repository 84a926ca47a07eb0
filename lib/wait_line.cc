#include "lib/wait_line.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <tuple>
#include <utility>
#include <vector>

#include "lib/owner.h"

namespace lockfile {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr size_t kStampDigits = kTokenLength - kObjectDigits;
constexpr uint64_t kStampMask = (uint64_t{1} << (4 * kStampDigits)) - 1;
// A directory with more entries is not searched for waiters.
constexpr size_t kMaxEntries = 4096;

// A release is over, and who was woken by it has tried, within this time.
constexpr int64_t kQuickNs = 1'000'000;

// The end of the one ahead wakes; these looks are for when it does not come.
constexpr Deadline::Duration kFirstTold = milliseconds(20);
constexpr Deadline::Duration kLongestTold = milliseconds(250);
// Between two looks at a lock that nobody takes, and how many there are.
constexpr Deadline::Duration kFreeLook = milliseconds(2);
constexpr int kFreeLooks = 3;
constexpr Deadline::Duration kFirstPace = microseconds(200);
constexpr Deadline::Duration kShortestUntold = microseconds(500);
constexpr Deadline::Duration kLongestUntold = milliseconds(100);

uint64_t StampOf(std::string_view token) {
  uint64_t stamp = 0;
  const std::string_view digits = token.substr(kObjectDigits);
  std::from_chars(digits.data(), digits.data() + digits.size(), stamp, 16);
  return stamp;
}

int64_t Ns(os::TimePoint time) { return time.time_since_epoch().count(); }

}  // namespace

uint64_t Stamp(os::TimePoint time) {
  const auto since = time.time_since_epoch();
  return static_cast<uint64_t>(
             std::chrono::duration_cast<microseconds>(since).count()) &
         kStampMask;
}

Crowd::Place& Crowd::At(const std::string& lock_path) {
  return places_[std::hash<std::string>()(lock_path) % places_.size()];
}

void Crowd::Released(const std::string& lock_path, os::TimePoint now) {
  Place& place = At(lock_path);
  const int64_t before = place.released.exchange(Ns(now));
  // The first of a row of quick acquisitions is in nobody's way.
  if (Ns(now) - before > kQuickNs) place.looked.store(Ns(now));
}

Crowd::Guess Crowd::Expect(const std::string& lock_path, os::TimePoint now) {
  Place& place = At(lock_path);
  const bool quick = Ns(now) - place.released.load() <= kQuickNs;
  if (place.there.load()) return quick ? Guess::kWoken : Guess::kThere;
  if (!quick || Ns(now) - place.looked.load() <= kQuickNs) {
    return Guess::kNobody;
  }
  place.looked.store(Ns(now));
  return Guess::kPerhaps;
}

void Crowd::Found(const std::string& lock_path, bool there) {
  At(lock_path).there.store(there);
}

void WaitLine::Begin(os::TimePoint now) {
  ahead_.clear();
  seen_free_ = 0;
  slice_ = kFirstTold;
  length_ = 0;
  since_ = now;
  pace_ = kFirstPace;
}

void WaitLine::Look(const LockNames& names, std::string_view ticket) {
  ahead_.clear();
  const std::optional<TicketFacts> mine = ParseTicket(ticket);
  std::vector<std::string> entries;
  if (!mine.has_value() ||
      !os_.ListDir(names.directory().c_str(), kMaxEntries, &entries).ok() ||
      entries.size() == kMaxEntries) {
    return;
  }
  const std::pair me{StampOf(mine->token), mine->token};
  std::vector<std::tuple<uint64_t, std::string_view, pid_t>> others;
  for (const std::string& entry : entries) {
    const std::string_view name = names.Tail(entry);
    const std::optional<TicketFacts> facts = ParseTicket(name);
    if (!facts.has_value() || facts->scope != mine->scope) continue;
    const uint64_t stamp = StampOf(facts->token);
    if (stamp <= passed_stamp_ || !(std::pair{stamp, facts->token} < me)) {
      continue;
    }
    others.emplace_back(stamp, name, static_cast<pid_t>(facts->pid));
  }
  std::ranges::sort(others, std::greater());
  for (const auto& [stamp, name, pid] : others) {
    if (JudgeTicket(os_, name) == Life::kDead) continue;
    ahead_ = names.Ticket(name);
    ahead_pid_ = pid;
    ahead_stamp_ = stamp;
    break;
  }
  NoteProgress(others.size());
}

// What it took for each of those who left the line, or at least what has passed
// since one did.
void WaitLine::NoteProgress(size_t length) {
  const os::TimePoint now = os_.Now();
  const Deadline::Duration passed = now - since_;
  if (length_ == 0) {
    since_ = now;
  } else if (length < length_) {
    pace_ = passed / static_cast<int64_t>(length_ - length);
    since_ = now;
  } else {
    pace_ = std::max(pace_, passed);
  }
  length_ = length;
}

bool WaitLine::SeenFree() {
  if (++seen_free_ < kFreeLooks) return false;
  passed_stamp_ = ahead_stamp_;
  seen_free_ = 0;
  return true;
}

Deadline::Duration WaitLine::Patience(bool told) {
  if (seen_free_ > 0) return kFreeLook;
  if (told) {
    return std::exchange(slice_, std::min(slice_ + slice_ / 2, kLongestTold));
  }
  // Half of the time that those ahead will take, so that there is some time
  // left for a better guess.
  const auto half = static_cast<int64_t>(length_ + 1) / 2;
  return std::clamp(pace_ * std::max<int64_t>(half, 1), kShortestUntold,
                    kLongestUntold);
}

}  // namespace lockfile
