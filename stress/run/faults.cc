#include "stress/run/faults.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "conformance/proc/duration.h"

namespace locklab::run {
namespace {

using std::chrono::microseconds;

constexpr std::array<std::string_view, kStages> kStageNames = {
    "starting", "thinking", "acquiring", "holding", "releasing", "done"};

// Some milliseconds: longer than a hand-off, short beside a run.
constexpr double kMeanLastUs = 5'000;
constexpr double kMostLastUs = 50'000;

constexpr std::array<FaultRow, kFaultKinds> kRows = {{
    {.kind = FaultKind::kKill,
     .name = "kill",
     .doc = "SIGKILL; another process takes its place",
     .guard = "it is stopped, or held up, at the stage that was drawn",
     .proof = "waitid(2) says SIGKILL",
     .stages = {0, 1, 3, 4, 2, 0}},
    {.kind = FaultKind::kStop,
     .name = "stop",
     .doc = "SIGSTOP for some milliseconds",
     .guard = "it waits for the lock, or is held up in its hold",
     .proof = "waitid(2) says that it is stopped, and it is at that stage then",
     .stages = {0, 0, 1, 1, 0, 0},
     .lasts = true},
    {.kind = FaultKind::kContinue,
     .name = "continue",
     .doc = "SIGCONT: follows each stop by itself",
     .guard = "it is stopped",
     .proof = "waitid(2) says that it goes on",
     .stages = {}},
    {.kind = FaultKind::kDelay,
     .name = "delay",
     .doc = "a holder is held up for some milliseconds",
     .guard = "it is held up in its hold",
     .proof = "it is in the same hold at the end of that time",
     .stages = {0, 0, 0, 1, 0, 0},
     .lasts = true},
    {.kind = FaultKind::kBreak,
     .name = "break",
     .doc = "another process breaks the lock of a holder that lives",
     .guard = "the holder is held up, and the lock's record names it",
     .proof = "the breaker says so, and the holder's release says LockLost",
     .stages = {0, 0, 0, 1, 0, 0},
     .breaks = true},
    {.kind = FaultKind::kBreakDead,
     .name = "break-dead",
     .doc = "a holder is killed, and another process breaks its lock, while "
            "those who wait find it stale",
     .guard = "the holder is held up, and the lock's record names it",
     .proof = "waitid(2) says SIGKILL, and the breaker returns without error",
     .stages = {0, 0, 0, 1, 0, 0},
     .breaks = true},
}};

bool Follows(const FaultRow& row) {
  return std::accumulate(row.stages.begin(), row.stages.end(), 0) == 0;
}

[[noreturn]] void Bad(std::string_view text, std::string_view why) {
  std::vector<std::string_view> names;
  for (const FaultRow& row : kRows) {
    if (!Follows(row)) names.push_back(row.name);
  }
  throw std::invalid_argument(
      fmt::format("'{}': {}; kinds are {}", text, why, fmt::join(names, ", ")));
}

std::vector<std::string_view> Split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end || number < 1) return std::nullopt;
  return number;
}

const FaultRow& ParseKind(std::string_view name, std::string_view item) {
  for (const FaultRow& row : kRows) {
    if (row.name != name) continue;
    if (Follows(row)) Bad(item, "it follows each stop by itself");
    return row;
  }
  Bad(item, fmt::format("there is no fault '{}'", name));
}

Stage ParseStage(const FaultRow& row, std::string_view name,
                 std::string_view item) {
  for (size_t i = 0; i < kStages; ++i) {
    if (kStageNames[i] == name && row.stages[i] > 0) {
      return static_cast<Stage>(i);
    }
  }
  Bad(item, fmt::format("'{}' is no stage that {} is for", name, row.name));
}

Fault ParseFault(std::string_view item) {
  const std::vector<std::string_view> words = Split(item, ':');
  if (words.size() < 3 || words.size() > 4 || words[0].empty() ||
      words[0][0] != 'g') {
    Bad(item, "a fault is gGRANT:KIND:STAGE or gGRANT:KIND:STAGE:DURATION");
  }
  Fault fault;
  const auto grant = ParseNumber<uint64_t>(words[0].substr(1));
  if (!grant) Bad(item, "grants are counted from 1");
  const FaultRow& row = ParseKind(words[1], item);
  fault.grant = *grant;
  fault.kind = row.kind;
  fault.stage = ParseStage(row, words[2], item);
  if (row.lasts != (words.size() == 4)) {
    Bad(item, row.lasts ? "it needs a duration, such as 5ms"
                        : "this kind has no duration");
  }
  if (row.lasts) {
    const auto lasts = proc::ParseDuration(words[3]);
    if (!lasts || *lasts > std::chrono::minutes(1)) {
      Bad(item, "not a duration of at most 1m");
    }
    fault.lasts = std::chrono::ceil<microseconds>(*lasts);
  }
  return fault;
}

}  // namespace

std::string_view StageName(Stage stage) {
  return kStageNames[static_cast<size_t>(stage)];
}

std::span<const FaultRow> FaultRows() { return kRows; }

const FaultRow& RowOf(FaultKind kind) {
  return kRows[static_cast<size_t>(kind)];
}

bool FaultPlan::any() const {
  return !schedule.empty() ||
         std::any_of(weights.begin(), weights.end(),
                     [](int weight) { return weight > 0; });
}

bool FaultPlan::Asks(FaultKind kind) const {
  if (schedule.empty()) return weights[static_cast<size_t>(kind)] > 0;
  return std::any_of(schedule.begin(), schedule.end(),
                     [&](const Fault& fault) { return fault.kind == kind; });
}

FaultCount& FaultReport::Of(FaultKind kind) {
  for (FaultCount& count : kinds) {
    if (count.kind == kind) return count;
  }
  return kinds.emplace_back(FaultCount{.kind = kind});
}

std::array<int, kFaultKinds> ParseFaultMix(std::string_view text) {
  std::array<int, kFaultKinds> weights{};
  if (text == "none") return weights;
  for (const std::string_view item : Split(text, ',')) {
    const std::vector<std::string_view> words = Split(item, ':');
    if (words.size() > 2) Bad(item, "a fault is KIND or KIND:WEIGHT");
    int& weight = weights[static_cast<size_t>(ParseKind(words[0], item).kind)];
    if (weight > 0) Bad(item, "this kind was named already");
    const auto number =
        words.size() == 1 ? std::optional<int>(1) : ParseNumber<int>(words[1]);
    if (!number || *number > 1'000'000) {
      Bad(item, "a weight is a number from 1 to 1000000");
    }
    weight = *number;
  }
  return weights;
}

std::vector<Fault> ParseFaultSchedule(std::string_view text) {
  std::vector<Fault> schedule;
  for (const std::string_view item : Split(text, ',')) {
    schedule.push_back(ParseFault(item));
  }
  std::stable_sort(
      schedule.begin(), schedule.end(),
      [](const Fault& a, const Fault& b) { return a.grant < b.grant; });
  return schedule;
}

std::string FaultText(const Fault& fault) {
  const FaultRow& row = RowOf(fault.kind);
  std::string text =
      fmt::format("g{}:{}:{}", fault.grant, row.name, StageName(fault.stage));
  if (row.lasts) text += ":" + proc::DurationText(fault.lasts);
  return text;
}

std::string FaultScheduleText(std::span<const Fault> schedule) {
  std::string text;
  for (const Fault& fault : schedule) {
    if (!text.empty()) text += ',';
    text += FaultText(fault);
  }
  return text;
}

FaultSource::FaultSource(FaultPlan plan, uint64_t seed)
    : plan_(std::move(plan)), random_(seed ^ 0x6661756c7473) {}

std::optional<Fault> FaultSource::Next() {
  if (!plan_.schedule.empty()) {
    if (next_ == plan_.schedule.size()) return std::nullopt;
    return plan_.schedule[next_++];
  }
  if (!plan_.any()) return std::nullopt;
  const double gap = -std::log(Uniform()) * static_cast<double>(plan_.every);
  grant_ += 1 + static_cast<uint64_t>(gap);
  const FaultRow& row = kRows[Draw(plan_.weights)];
  Fault fault{.grant = grant_, .kind = row.kind};
  fault.stage = static_cast<Stage>(Draw(row.stages));
  if (row.lasts) {
    const double us = -std::log(Uniform()) * kMeanLastUs;
    fault.lasts =
        microseconds(1 + static_cast<int64_t>(std::min(us, kMostLastUs)));
  }
  return fault;
}

double FaultSource::Uniform() {
  return (static_cast<double>(random_() >> 11) + 0.5) / 9007199254740992.0;
}

size_t FaultSource::Draw(std::span<const int> weights) {
  double left =
      Uniform() * std::accumulate(weights.begin(), weights.end(), 0.0);
  size_t last = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] <= 0) continue;
    last = i;
    if (left < weights[i]) return i;
    left -= weights[i];
  }
  return last;
}

}  // namespace locklab::run
