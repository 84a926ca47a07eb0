// Who wants to hear of a run while it goes on: the results store, so that a
// run that is killed keeps what it had found.
#ifndef LOCKLAB_CONFORMANCE_REPORT_RECORDER_H_
#define LOCKLAB_CONFORMANCE_REPORT_RECORDER_H_

#include <string>
#include <string_view>

#include "conformance/report/report.h"

namespace locklab::report {

// Called by the thread that runs the survey, in the order of the declarations;
// the ones in the middle as often as there is something to tell. Must not
// throw: a recorder that fails says so when it is asked, and the run goes on.
class Recorder {
 public:
  virtual ~Recorder() = default;
  // `context` is whole but for its duration.
  virtual void Begin(const Context& context) = 0;
  // A backend as the probe found it: name, supported, reason, traits.
  virtual void Probed(const BackendReport& backend) = 0;
  virtual void CanaryTried(const Canary& canary) = 0;
  virtual void PrimitiveExamined(const Primitive& primitive) = 0;
  virtual void ClaimExamined(std::string_view backend,
                             const ClaimResult& claim) = 0;
  // `backend` has numbers that it did not have before: contention, latency,
  // floor, distributions.
  virtual void Measured(const BackendReport& backend) = 0;
  // The judged report, in the order of the catalogue. Not called for a run that
  // is killed.
  virtual void End(const RunReport& report) = 0;
};

}  // namespace locklab::report

#endif  // LOCKLAB_CONFORMANCE_REPORT_RECORDER_H_
