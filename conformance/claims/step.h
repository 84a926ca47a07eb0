// Where a body is at the moment, for the finding of one that hangs or crashes.
#ifndef LOCKLAB_CONFORMANCE_CLAIMS_STEP_H_
#define LOCKLAB_CONFORMANCE_CLAIMS_STEP_H_

#include <string_view>

namespace locklab::claims {

// Says what the body of this process does from now on: "the waiter waits".
// Without effect outside of a ClaimRun. Any thread of the claim's process.
void Step(std::string_view what);

}  // namespace locklab::claims

#endif  // LOCKLAB_CONFORMANCE_CLAIMS_STEP_H_
