#include "stress/explore/scene.h"

#include <algorithm>
#include <charconv>

namespace locklab::explore {
namespace {

constexpr auto kEvents = std::to_array<EventRow>({
    {Event::kStep, "", std::nullopt, "", ""},
    {Event::kCrash, "crash", Spend::kCrash, "--crashes",
     "How many processes may die, anywhere."},
    {Event::kRestart, "restart", Spend::kRestart, "--restarts",
     "How many of the dead may come again, as new processes."},
    {Event::kReuse, "reuse", Spend::kReuse, "--pid-reuse",
     "How many of the dead may be followed by a process of the same pid."},
    {Event::kLostReply, "lost", Spend::kLostReply, "--lost-replies",
     "How many calls may be done and sent again (nfs3)."},
    {Event::kStaleLook, "stale", Spend::kStaleLook, "--stale-looks",
     "How many looks may be behind the times (nfs3, nfs4)."},
    {Event::kLeaseLoss, "lease", Spend::kLeaseLoss, "--lease-losses",
     "How often a client may lose its kernel locks (nfs4)."},
    {Event::kError, "error", Spend::kError, "--errors",
     "How many calls may fail with EIO, without effect."},
    {Event::kReboot, "reboot", Spend::kReboot, "--reboots",
     "How often a host may boot: new processes have the pids of the dead."},
    {Event::kPowerLoss, "power", Spend::kPowerLoss, "--power-losses",
     "The same, and every file is empty afterwards (posix)."},
});

struct WrongRow {
  std::string_view name;
  std::string_view doc;
};
constexpr auto kWrongs = std::to_array<WrongRow>({
    {"nothing", "nothing is wrong"},
    {"two-holders", "two processes hold the lock at once"},
    {"lost-unasked",
     "a holder lost its lock, though nobody had been asked to break it"},
    {"not-learnt",
     "a holder whose lock had been broken released it and was not told"},
    {"failed", "an operation failed for no reason of its own"},
    {"deadlock", "nobody can make another step"},
    {"blocked", "when all others have died, a process does not get the lock"},
    {"litter", "something is left behind when all are done"},
    {"leak", "a descriptor stays open behind a lock object"},
});

}  // namespace

std::span<const EventRow> Events() { return kEvents; }

const EventRow& RowOf(Event event) {
  return kEvents[static_cast<size_t>(event)];
}

std::string FormatSchedule(const Schedule& schedule) {
  std::string out;
  for (size_t i = 0; i < schedule.size();) {
    const Choice& choice = schedule[i];
    size_t count = 1;
    while (choice.event == Event::kStep && i + count < schedule.size() &&
           schedule[i + count] == choice) {
      ++count;
    }
    if (!out.empty()) out += ",";
    out.push_back(static_cast<char>('a' + choice.slot));
    if (choice.event != Event::kStep) {
      out += ":" + std::string(RowOf(choice.event).name);
    } else if (count > 1) {
      out += std::to_string(count);
    }
    i += count;
  }
  return out;
}

std::optional<Schedule> ParseSchedule(std::string_view text) {
  constexpr size_t kMostSteps = 100'000;
  Schedule schedule;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    std::string_view word = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (word.empty() || word[0] < 'a' || word[0] >= 'a' + kMaxProcesses) {
      return std::nullopt;
    }
    Choice choice{.slot = static_cast<uint8_t>(word[0] - 'a')};
    word.remove_prefix(1);
    size_t count = 1;
    if (word.starts_with(':')) {
      word.remove_prefix(1);
      const auto row = std::find_if(
          kEvents.begin() + 1, kEvents.end(),
          [word](const EventRow& each) { return each.name == word; });
      if (row == kEvents.end()) return std::nullopt;
      choice.event = row->event;
    } else if (!word.empty()) {
      const char* const end = word.data() + word.size();
      const auto [rest, error] = std::from_chars(word.data(), end, count);
      if (error != std::errc() || rest != end || count == 0) {
        return std::nullopt;
      }
    }
    if (schedule.size() + count > kMostSteps) return std::nullopt;
    schedule.insert(schedule.end(), count, choice);
  }
  return schedule;
}

std::string_view WrongName(Wrong wrong) {
  return kWrongs[static_cast<size_t>(wrong)].name;
}

std::string_view WrongDoc(Wrong wrong) {
  return kWrongs[static_cast<size_t>(wrong)].doc;
}

}  // namespace locklab::explore
