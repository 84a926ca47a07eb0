// A few processes on one lock, from which something is taken away for a while
// and given back: disk space, descriptors.
#ifndef LOCKLAB_CONFORMANCE_CLAIMS_CROWD_H_
#define LOCKLAB_CONFORMANCE_CLAIMS_CROWD_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "conformance/claims/kit.h"

namespace locklab::claims {

struct Hardship {
  std::string what;  // "the disk is full"
  // What calls may fail with, and then only.
  std::vector<int> errors;
  // Each process's lock, made in that process. `hard`: whether it is hard
  // times now; shared by all.
  std::function<std::unique_ptr<Subject>(const std::atomic<bool>& hard)> make;
  // Called in each process when hard times begin and end for it; may be empty.
  std::function<void(bool hard)> change = {};
};

struct Endured {
  int acquisitions = 0;  // in all
  int errors = 0;        // acquires that failed, in hard times
};

// Lets them contend in good times, in hard times, and in good times again.
// Ends the body where two hold it at once, where a call fails with anything
// else, or in good times, or after a wait, and where anybody does not get it
// again afterwards or leaves litter.
Endured Endure(const ClaimContext& context, const Hardship& hardship);

}  // namespace locklab::claims

#endif  // LOCKLAB_CONFORMANCE_CLAIMS_CROWD_H_
