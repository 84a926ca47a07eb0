// How long to wait for what is certain to come, on a machine that is slower
// than others: a guest, or one under a debugger.
#ifndef LOCKLAB_CONFORMANCE_PROC_PATIENCE_H_
#define LOCKLAB_CONFORMANCE_PROC_PATIENCE_H_

#include <string_view>

namespace locklab::proc {

// What the environment says: a whole number from 1 to 100; 1: nothing, or
// nothing sensible.
inline constexpr char kPatienceVariable[] = "LOCKLAB_PATIENCE";
[[nodiscard]] int ParsePatience(std::string_view text);
// By how much deadlines are longer here. Always the same in one process and in
// those that it forks.
[[nodiscard]] int Patience();

// A deadline's length: for what ends a run that hangs, never for what a claim
// says of time.
template <typename Duration>
[[nodiscard]] Duration Patient(Duration usual) {
  return usual * Patience();
}

}  // namespace locklab::proc

#endif  // LOCKLAB_CONFORMANCE_PROC_PATIENCE_H_
