#include "lib/wait_line.h"

#include <algorithm>
#include <cerrno>
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
constexpr Deadline::Duration kFirst = milliseconds(14);
constexpr Deadline::Duration kLongest = milliseconds(250);
constexpr Deadline::Duration kFullLook = milliseconds(4);  // for each ahead
// Between two looks at a lock that nobody takes, and how many there are.
constexpr Deadline::Duration kFreeLook = milliseconds(1);  // for each ahead
constexpr int kFreeLooks = 4;
// So long those who do not take the lock are not waited for.
constexpr Deadline::Duration kPassed = std::chrono::seconds(1);
// Between two cheap looks of who is not told.
constexpr Deadline::Duration kFirstPause = microseconds(250);
constexpr Deadline::Duration kLongestPause = milliseconds(100);

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

void WaitLine::Begin() {
  ahead_.clear();
  seen_free_ = 0;
  slice_ = kFirst;
  pause_ = kFirstPause;
  length_ = 0;
  marks_.clear();
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
  const os::TimePoint now = os_.Now();
  const uint64_t passed = now < passed_until_ ? passed_stamp_ : 0;
  const std::pair me{StampOf(mine->token), mine->token};
  std::vector<std::tuple<uint64_t, std::string_view, pid_t>> others;
  for (const std::string& entry : entries) {
    const std::string_view name = names.Tail(entry);
    const std::optional<TicketFacts> facts = ParseTicket(name);
    if (!facts.has_value() || facts->scope != mine->scope) continue;
    const uint64_t stamp = StampOf(facts->token);
    if (stamp <= passed || !(std::pair{stamp, facts->token} < me)) {
      continue;
    }
    others.emplace_back(stamp, name, static_cast<pid_t>(facts->pid));
  }
  std::ranges::sort(others, std::greater());
  const auto ahead = std::ranges::find_if(others, [this](const auto& each) {
    return JudgeTicket(os_, std::get<1>(each)) != Life::kDead;
  });
  others.erase(others.begin(), ahead);
  if (!others.empty()) {
    ahead_stamp_ = std::get<0>(others.front());
    ahead_ = names.Ticket(std::get<1>(others.front()));
    ahead_pid_ = std::get<2>(others.front());
  }
  if (others.size() < length_) pause_ = kFirstPause;
  length_ = others.size();
  marks_.clear();
  for (size_t i = 1; i <= length_; i *= 2) {
    marks_.push_back(names.Ticket(std::get<1>(others[i - 1])));
  }
  if (seen_free_ == 0) return;
  std::string front;
  for (auto each = others.rbegin(); each != others.rend(); ++each) {
    front = std::get<1>(*each);
    if (JudgeTicket(os_, front) != Life::kDead) break;
  }
  if (front != front_) seen_free_ = 1;
  front_ = std::move(front);
}

bool WaitLine::SeenFree() {
  if (++seen_free_ < kFreeLooks) return false;
  passed_stamp_ = ahead_stamp_;
  passed_until_ = os_.Now() + kPassed;
  ahead_.clear();
  seen_free_ = 0;
  return true;
}

// The further back, the less often: or those who wait would, by their looks
// alone, keep the lock from moving.
Deadline::Duration WaitLine::Patience() {
  const auto place = static_cast<int64_t>(length_ + 1);
  if (seen_free_ > 0) return place * kFreeLook;
  slice_ = std::min(slice_ + slice_ / 2, kLongest);
  return std::max(slice_, place * kFullLook);
}

// The line moves from its front: the farthest of the marks goes first.
bool WaitLine::AheadIsGone(Deadline::Duration* pause) {
  os::FileInfo info;
  const size_t before = marks_.size();
  while (!marks_.empty() &&
         os_.Lstat(marks_.back().c_str(), &info).error == ENOENT) {
    marks_.pop_back();
  }
  if (marks_.empty()) return true;
  const bool moved = marks_.size() < before;
  pause_ = moved ? kFirstPause : std::min(pause_ * 3 / 2, kLongestPause);
  const int64_t distance = int64_t{1} << (marks_.size() - 1);
  *pause = std::min(distance * pause_, kLongestPause);
  return false;
}

}  // namespace lockfile
