// The race engine: many processes make one bare call for the same name, round
// after round, and exactly one of them may succeed in each.
#ifndef LOCKLAB_CONFORMANCE_CLAIMS_FS_RACE_H_
#define LOCKLAB_CONFORMANCE_CLAIMS_FS_RACE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "conformance/claims/fs_kit.h"

namespace locklab::claims {

// One of the processes, as its calls see it.
struct Racer {
  Os& os;
  int number;          // from 1
  std::string own;     // a path of its own, on its side of the directory
  uint64_t used = 0;   // things at `own` that were used up
  bool ready = false;  // what the call needs at `own` is there
  // What everybody will see where this racer has won; set by RaceCall::make.
  uint64_t mark = 0;
};

struct RaceCall {
  std::string_view name;  // "link(2)"
  // Tries to make `path`: 0 or an errno, where EEXIST says that it is there.
  int (*make)(Racer* racer, const std::string& path);
  // What is there: 0 and the winner's mark, or an errno.
  int (*look)(Os& os, const std::string& path, uint64_t* mark);
  SysResult (*remove)(Os& os, const std::string& path);
  // Makes what the call needs at `path` before anybody tries; nullptr: nothing.
  void (*prepare)(Os& os, const std::string& path) = nullptr;
  // Whose it is, where `look` shows none of the marks: 0 and the racer's
  // number, or an errno; nullptr: it cannot be told.
  int (*look_inside)(Os& os, const std::string& path,
                     uint64_t* number) = nullptr;
};

inline constexpr int kRacers = 4;

// Races in the claim's directory, half of the racers through the other mount
// if there is one. Passes with what was done ("2000 rounds of 4, ..."), fails
// with what was seen; inconclusive where the filesystem is so slow that too
// few rounds were done. `share`: how many races share the claim's time.
[[nodiscard]] Finding Race(const ClaimContext& context, const RaceCall& call,
                           int share = 1);

}  // namespace locklab::claims

#endif  // LOCKLAB_CONFORMANCE_CLAIMS_FS_RACE_H_
