// An operating system whose every call can be made to fail, be counted or be
// the last one, by a function at hand where the test is.
//
//   InterceptingOs os([](const Call& call) {
//     return call.name == "Link" ? Fault{.before = EPERM} : Fault{};
//   });
//   options.os = &os;
#ifndef LOCKLAB_CONFORMANCE_SEAM_INTERCEPTING_OS_H_
#define LOCKLAB_CONFORMANCE_SEAM_INTERCEPTING_OS_H_

#include <functional>
#include <string_view>
#include <utility>

#include "lib/os/forwarding_os.h"

namespace locklab::seam {

using lockfile::os::Call;

struct Fault {
  int before = 0;  // errno: the call is not made
  int after = 0;   // errno: the call is made, and its success is not told
};

// What the call makes, removes or looks at.
inline std::string_view Place(const Call& call) {
  return call.target.empty() ? call.path : call.target;
}

class InterceptingOs : public lockfile::os::ForwardingOs {
 public:
  using SysResult = lockfile::os::SysResult;
  // Called by whichever thread makes the call, before it is made.
  using Hook = std::function<Fault(const Call&)>;

  explicit InterceptingOs(Hook hook) : hook_(std::move(hook)) {}

 protected:
  SysResult Around(const Call& call,
                   const std::function<SysResult()>& next) override {
    const Fault fault = hook_(call);
    if (fault.before != 0) return SysResult::Fail(fault.before);
    const SysResult result = next();
    if (result.ok() && fault.after != 0) return SysResult::Fail(fault.after);
    return result;
  }

 private:
  const Hook hook_;
};

}  // namespace locklab::seam

#endif  // LOCKLAB_CONFORMANCE_SEAM_INTERCEPTING_OS_H_
