// What a run and its guest tell each other, as files in its scratch directory:
// scripts/init.sh says which.
#ifndef LOCKLAB_TOOLS_LAB_GUEST_SESSION_H_
#define LOCKLAB_TOOLS_LAB_GUEST_SESSION_H_

#include <optional>
#include <string>

#include "tools/lab/guest/guest.h"

namespace locklab::lab::session {

// Writes all that the guest needs into plan.job.scratch. Throws
// std::runtime_error, one sentence.
void Prepare(const GuestPlan& plan);
// The path of what the kernel has to start.
[[nodiscard]] std::string InitOf(const std::string& scratch);

// The filesystem is mounted, and what is wanted runs.
[[nodiscard]] bool IsReady(const std::string& scratch);
// Of what ran inside; nullopt: its end was not told.
[[nodiscard]] std::optional<int> ExitCode(const std::string& scratch);
// Why the guest could not do what is wanted; empty: it did not say.
[[nodiscard]] std::string Error(const std::string& scratch);
// The last lines of its console, each with blanks in front.
[[nodiscard]] std::string LastLines(const std::string& scratch);

}  // namespace locklab::lab::session

#endif  // LOCKLAB_TOOLS_LAB_GUEST_SESSION_H_
