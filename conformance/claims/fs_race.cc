#include "conformance/claims/fs_race.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <vector>

#include "conformance/proc/barrier.h"

namespace locklab::claims {
namespace {

constexpr int kMostInBatch = 500;
constexpr int kFirstBatch = 25;
constexpr int kFloor = 100;  // rounds; with fewer nothing is called atomic

struct Round {
  std::atomic<int> winners;
  std::atomic<int> error;        // of a call that failed, and not with EEXIST
  std::atomic<int> unseen;       // racers who see nothing, or not the winner's
  std::atomic<int> seen;         // racers who see something
  std::atomic<uint64_t> mark;    // the winner's
  std::atomic<uint64_t> winner;  // its number
};

// Shared by the racers. They run through a batch of rounds without waiting for
// each other: whoever is behind finds names taken, fails quickly and catches
// up, so that all of them meet again and again at the front. A barrier before
// each round would let the last to arrive be through before others are awake.
struct Track {
  proc::Barrier barrier;
  Round rounds[kMostInBatch];
  // The referee's; read after a barrier.
  int batch;
  int size;  // of the batch; 0: the race is over
  // The result so far.
  int done;
  int crowded;        // rounds with more than one winner
  int most;           // winners in the worst of them
  int empty;          // rounds that nobody won, nothing being there
  int lost;           // rounds that nobody won, and yet the thing is there
  int strange;        // rounds in which somebody does not see the winner's
  int error;          // the first other errno
  char trouble[256];  // why a racer gave up
};

class Runner {
 public:
  Runner(const ClaimContext& context, const RaceCall& call, Track* track,
         int number, int share)
      : call_(call),
        track_(*track),
        dir_(number % 2 == 0 ? OtherSide(context) : context.dir),
        racer_{.os = context.os,
               .number = number,
               .own = dir_ + "/racer" + std::to_string(getpid())},
        target_((context.quick ? 2000 : 60000) / share),
        end_(proc::In((context.quick ? 1000ms : 20000ms) / share)) {}

  // False: somebody did not come to the barrier.
  bool Run() {
    if (racer_.number == 1) track_.size = kFirstBatch;
    for (;;) {
      if (!Meet()) return false;
      if (track_.size == 0) return true;
      if (call_.prepare != nullptr) {
        ForMyShare(call_.prepare);
        if (!Meet()) return false;
      }
      for (int i = 0; i < track_.size; ++i) Try(i);
      if (!Meet()) return false;
      for (int i = 0; i < track_.size; ++i) See(i);
      if (!Meet()) return false;
      ForMyShare(call_.remove);
      if (!Meet()) return false;
      if (racer_.number == 1) Referee();
    }
  }

 private:
  bool Meet() { return track_.barrier.ArriveAndWait(proc::In(3 * kSoon)); }

  // Of the rounds, each is one racer's to set up and to clear.
  template <typename Act>
  void ForMyShare(const Act& act) {
    for (int i = racer_.number - 1; i < track_.size; i += kRacers) {
      act(racer_.os, PathOf(i));
    }
  }

  // Each name is used once: a cache that remembers an older one is not what
  // is asked for here.
  [[nodiscard]] std::string PathOf(int round) const {
    return dir_ + "/r" + std::to_string(track_.batch) + "-" +
           std::to_string(round);
  }

  void Try(int i) {
    Round& round = track_.rounds[i];
    const int error = call_.make(&racer_, PathOf(i));
    if (error == 0) {
      round.mark = racer_.mark;
      round.winner = static_cast<uint64_t>(racer_.number);
      ++round.winners;
    } else if (error != EEXIST) {
      round.error = error;
    }
  }

  void See(int i) {
    Round& round = track_.rounds[i];
    uint64_t mark = 0;
    const bool there = call_.look(racer_.os, PathOf(i), &mark) == 0;
    if (there) ++round.seen;
    if (!there || (mark != round.mark && !ReadsWinner(round, i))) {
      ++round.unseen;
    }
  }

  bool ReadsWinner(const Round& round, int i) {
    uint64_t number = 0;
    return call_.look_inside != nullptr &&
           call_.look_inside(racer_.os, PathOf(i), &number) == 0 &&
           number == round.winner;
  }

  void Referee() {
    Track& track = track_;
    for (int i = 0; i < track.size; ++i) {
      const Round& round = track.rounds[i];
      const int winners = round.winners;
      if (round.error != 0 && track.error == 0) track.error = round.error;
      if (winners > 1) ++track.crowded;
      track.most = std::max(track.most, winners);
      if (winners == 0) ++(round.seen > 0 ? track.lost : track.empty);
      if (winners == 1 && round.unseen > 0) ++track.strange;
    }
    track.done += track.size;
    ++track.batch;
    const bool enough = track.done >= target_ ||
                        (proc::Clock::now() >= end_ && track.done >= kFloor);
    const bool hopeless = proc::Clock::now() >= end_ + kSoon;
    track.size =
        enough || hopeless
            ? 0
            : std::min({track.size * 2, kMostInBatch, target_ - track.done});
    for (Round& round : track.rounds) {
      round.winners = round.error = round.unseen = round.seen = 0;
      round.mark = round.winner = 0;
    }
  }

  const RaceCall& call_;
  Track& track_;
  const std::string dir_;
  Racer racer_;
  const int target_;
  const proc::TimePoint end_;
};

std::string Of(int count, const Track& track) {
  return std::to_string(count) + " of " + std::to_string(track.done) +
         " rounds of " + std::to_string(kRacers);
}

Finding Decide(const std::string& name, const Track& track) {
  if (track.crowded > 0) {
    return Finding::Fail(name + ": in " + Of(track.crowded, track) +
                         " more than one succeeded, " +
                         std::to_string(track.most) + " at most");
  }
  if (track.error != 0) {
    return Finding::Fail("a racer's " + CallFailed(name, track.error));
  }
  if (track.empty > 0) {
    return Finding::Fail(name + ": in " + Of(track.empty, track) +
                         " nobody succeeded and nothing is there");
  }
  if (track.strange > 0) {
    return Finding::Fail(name + ": in " + Of(track.strange, track) +
                         " what is there afterwards is not for all to see "
                         "the winner's");
  }
  if (track.done < kFloor) {
    return Finding::Inconclusive(name + ": only " + std::to_string(track.done) +
                                 " rounds could be done, " +
                                 std::to_string(kFloor) + " are the least");
  }
  std::string reason = name + ": " + std::to_string(track.done) +
                       " rounds of " + std::to_string(kRacers) +
                       ", one winner in each";
  if (track.lost > 0) {
    reason += ", of whom " + std::to_string(track.lost) + " were told EEXIST";
  }
  return Finding::Pass(reason);
}

// Until all are through, or one has given up: others would wait for it in
// vain. Says how it ended; empty: all is well.
std::string AwaitAll(std::vector<proc::Child>* racers) {
  while (!racers->empty()) {
    const auto end = racers->back().Wait(proc::In(5ms));
    if (end && end->ok()) racers->pop_back();
    for (proc::Child& racer : *racers) {
      const auto early = racer.Poll();
      if (early && !early->ok()) return " " + early->Describe();
    }
  }
  return "";
}

}  // namespace

Finding Race(const ClaimContext& context, const RaceCall& call, int share) {
  Step(std::to_string(kRacers) + " processes race for " +
       std::string(call.name));
  const proc::Shared<Track> track;
  track->barrier.Init(kRacers);
  std::vector<proc::Child> racers;
  for (int number = 1; number <= kRacers; ++number) {
    racers.push_back(proc::Child::Spawn([&, number] {
      try {
        return Runner(context, call, &*track, number, share).Run() ? 0 : 1;
      } catch (const Finding& finding) {
        finding.reason.copy(track->trouble, sizeof track->trouble - 1);
        return 1;
      }
    }));
  }
  std::string trouble = AwaitAll(&racers);
  if (track->trouble[0] != '\0') trouble = std::string(": ") + track->trouble;
  const Finding finding = Decide(std::string(call.name), *track);
  if (finding.verdict != Verdict::kFail && !trouble.empty()) {
    return Finding::Inconclusive("a racer for " + std::string(call.name) +
                                 trouble);
  }
  return finding;
}

}  // namespace locklab::claims
