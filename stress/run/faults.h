// What is done to the processes of a run on purpose, and when. Pure: see
// injector.h for the deeds.
//
// A mix is weights and a rate: "kill:5,stop:3,delay:2,break:1", one fault in
// 100 grants. From it and a seed follows a schedule, by grant numbers and not
// by time, so that a replay comes close to what it replays:
//   g120:kill:holding,g133:stop:acquiring:5ms,g150:break:holding
// "When grant 133 has been made, stop one that waits, for 5 ms." Which of the
// processes gets grant 120 is up to the lock, and which of those who wait is
// stopped is drawn anew: a replay is like the run, and not the same.
#ifndef LOCKLAB_STRESS_RUN_FAULTS_H_
#define LOCKLAB_STRESS_RUN_FAULTS_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace locklab::run {

// What a worker is about, as it says itself: right before the first call of it
// and right after the last.
enum class Stage : uint8_t {
  kStarting,
  kThinking,
  kAcquiring,
  kHolding,
  kReleasing,
  kDone,
};
inline constexpr size_t kStages = static_cast<size_t>(Stage::kDone) + 1;
[[nodiscard]] std::string_view StageName(Stage stage);

enum class FaultKind : uint8_t {
  kKill,
  kStop,
  kContinue,
  kDelay,
  kBreak,
  kBreakDead,
};
inline constexpr size_t kFaultKinds = 6;

struct FaultRow {
  FaultKind kind;
  std::string_view name;
  std::string_view doc;
  std::string_view guard;  // what must be so, or nothing is done
  std::string_view proof;  // what must have been seen, or it does not count
  // How often at which stage; all zero: it follows another kind by itself.
  std::array<int, kStages> stages;
  bool lasts = false;   // for a time that is drawn
  bool breaks = false;  // needs a lock that can be broken
};
// All kinds, in the order of the enumeration.
[[nodiscard]] std::span<const FaultRow> FaultRows();
[[nodiscard]] const FaultRow& RowOf(FaultKind kind);

struct Fault {
  uint64_t grant = 1;  // not before this one
  FaultKind kind = FaultKind::kKill;
  Stage stage = Stage::kHolding;       // of the process that it is done to
  std::chrono::microseconds lasts{0};  // where the kind lasts

  bool operator==(const Fault&) const = default;
};

struct FaultPlan {
  std::array<int, kFaultKinds> weights{};
  uint64_t every = 100;  // grants from one fault to the next, on average
  // These and no others, in the order of their grants.
  std::vector<Fault> schedule = {};
  int most_kills = 1000;  // each takes an actor's number, and a log

  [[nodiscard]] bool any() const;
  // Whether it may ask for such a fault.
  [[nodiscard]] bool Asks(FaultKind kind) const;
};

// What came of one kind.
struct FaultCount {
  FaultKind kind = FaultKind::kKill;
  int64_t due = 0;                    // how many it was time for
  int64_t done = 0;                   // how many were done, and proven
  std::array<int64_t, kStages> at{};  // of these, where it befell the process
  std::string excuse = {};  // why this lock is spared; empty: it is not
};

// What came of a plan.
struct FaultReport {
  std::vector<FaultCount> kinds = {};  // those that were asked for
  // As they were done, by the grants at which they were: what replays them.
  // The first kMostRemembered.
  std::vector<Fault> done = {};
  int64_t told = 0;    // holders that learned that their lock was broken
  int64_t untold = 0;  // and whose release did not say so
  // After it all the lock was asked for once more: what was wrong with that.
  std::string aftermath = {};
  std::vector<std::string> litter = {};  // what was left then

  static constexpr size_t kMostRemembered = 10'000;
  // Of a kind that was asked for, or that follows one.
  FaultCount& Of(FaultKind kind);
};

// "kill:5,stop:3" or "none". Throws std::invalid_argument, which says what is
// wrong and which kinds there are.
[[nodiscard]] std::array<int, kFaultKinds> ParseFaultMix(std::string_view text);
// "g120:kill:holding,g133:stop:acquiring:5ms"; the same.
[[nodiscard]] std::vector<Fault> ParseFaultSchedule(std::string_view text);
[[nodiscard]] std::string FaultText(const Fault& fault);
[[nodiscard]] std::string FaultScheduleText(std::span<const Fault> schedule);

// The faults of a plan, one after the other; the same for the same seed.
class FaultSource {
 public:
  FaultSource(FaultPlan plan, uint64_t seed);
  // nullopt: there are no more.
  [[nodiscard]] std::optional<Fault> Next();

 private:
  [[nodiscard]] double Uniform();  // in (0, 1)
  [[nodiscard]] size_t Draw(std::span<const int> weights);

  const FaultPlan plan_;
  std::mt19937_64 random_;
  size_t next_ = 0;  // of the schedule
  uint64_t grant_ = 0;
};

}  // namespace locklab::run

#endif  // LOCKLAB_STRESS_RUN_FAULTS_H_
