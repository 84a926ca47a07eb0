// What locklab explore searches, and what it says of that.
#ifndef LOCKLAB_TOOLS_LOCKLAB_EXPLORE_REPORT_H_
#define LOCKLAB_TOOLS_LOCKLAB_EXPLORE_REPORT_H_

#include <algorithm>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <thread>
#include <vector>

#include "stress/explore/explore.h"
#include "tools/locklab/command.h"
#include "tools/locklab/subjects.h"

namespace locklab::cli {

inline constexpr uint64_t kAnyPreemptions = ~uint64_t{0};
inline constexpr uint64_t kMostPreemptions = 1000;
inline constexpr unsigned kMostJobs = 64;
// Where a search does not come to its end, and nobody says how many: so many
// are enough for an answer. What is wrong mostly shows with two.
inline constexpr uint32_t kEnoughPreemptions = 2;

struct ExploreFlags {
  std::string backends;
  std::string models;
  std::string roles;
  std::string replay;
  std::string dir;  // of the replay; "": in the model
  std::string format = "text";
  uint64_t processes = 0;  // 0: each of kProcesses
  uint64_t rounds = 1;
  uint64_t waits = 1;
  uint64_t allowed[explore::kSpends] = {1};
  uint64_t depth = 0;
  uint64_t memory_mb = 1024;
  uint64_t seconds = 100;
  uint64_t jobs =
      std::clamp(std::thread::hardware_concurrency(), 1U, kMostJobs);
  uint64_t preemptions = kAnyPreemptions;
  bool require_complete = false;
};

// One lock in one model.
struct ExploreCase {
  NamedSubject subject;
  explore::Scene scene;
  std::string excuse;  // why it is not explored
};

struct ExploreOutcome {
  const ExploreCase* of = nullptr;
  explore::Exploration found;
};

[[nodiscard]] Exit CodeOf(const std::vector<ExploreOutcome>& outcomes,
                          const ExploreFlags& flags);
void PrintExploreText(const std::vector<ExploreOutcome>& outcomes,
                      const ExploreFlags& flags, Console& out);
void PrintExploreJson(const std::vector<ExploreOutcome>& outcomes,
                      const ExploreFlags& flags, Exit code, std::ostream& out);

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_EXPLORE_REPORT_H_
