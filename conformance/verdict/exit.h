// The exit codes of every subcommand of locklab, whatever else it says.
#ifndef LOCKLAB_CONFORMANCE_VERDICT_EXIT_H_
#define LOCKLAB_CONFORMANCE_VERDICT_EXIT_H_

namespace locklab {

enum Exit : int {
  kExitOk = 0,              // all as expected
  kExitFailed = 1,          // something failed
  kExitUsage = 2,           // the command line, or what it names, is wrong
  kExitNothingRan = 3,      // nothing was examined: never green
  kExitMissingFeature = 4,  // something that --require names is missing
  kExitInconclusive = 5,    // the harness could not tell
};

}  // namespace locklab

#endif  // LOCKLAB_CONFORMANCE_VERDICT_EXIT_H_
