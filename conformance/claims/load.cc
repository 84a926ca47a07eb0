// Many on one lock: everybody gets it in the end.
#include <array>

#include "conformance/claims/contest.h"
#include "conformance/claims/families.h"
#include "conformance/claims/kit.h"

namespace locklab::claims {

Contest StandardContest(uint64_t seed, bool quick) {
  return {.processes = 8,
          .acquisitions = 0,
          .duration = quick ? 600ms : 10s,
          .hold = 0us,
          .deadline = quick ? 20s : 60s,
          .seed = seed};
}

ContestResult Contend(const ClaimContext& context) {
  Step("8 processes contend");
  return context.arena.Contend(context.subject, context.dir,
                               StandardContest(context.seed, context.quick));
}

namespace {

Finding Progress(const ClaimContext& context) {
  return Contend(context).progress;
}

Finding Fairness(const ClaimContext& context) {
  return Contend(context).fairness;
}

Finding Scenarios(const ClaimContext& context) {
  if (auto found = context.arena.Tried(Trial::kScenarios, context.subject)) {
    return *found;
  }
  return Finding::Unsupported("this run puts no lock to the scenarios");
}

constexpr auto kRows = std::to_array<Claim>({
    {.id = "load.progress",
     .level = Level::kMust,
     .statement = "every process that waits gets the lock in bounded time",
     .source = "Samba smbtorture BENCH-LOCK; filelock: markers that starve",
     .excuse = nullptr,
     .body = Progress,
     .contest = true},
    {.id = "load.fairness",
     .level = Level::kShould,
     .statement = "the slowest of the processes that contend gets the lock at "
                  "least half as often as the mean",
     .source = "Jain, Chiu, Hawe 1984: a quantitative measure of fairness",
     .excuse = nullptr,
     .body = Fairness,
     .contest = true},
    {.id = "load.scenarios",
     .level = Level::kMust,
     .statement = "two never hold it and all get it, however many come at "
                  "once, give up, rest, or take other locks beside it",
     .source = "LLNL IOR and mdtest, FFSB: metadata load of many shapes; see "
               "locklab list scenarios",
     .excuse = nullptr,
     .body = Scenarios,
     .trial = Trial::kScenarios},
});

}  // namespace

std::span<const Claim> LoadClaims() { return kRows; }

}  // namespace locklab::claims
