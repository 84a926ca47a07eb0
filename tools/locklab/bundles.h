// Result bundles on the command line.
#ifndef LOCKLAB_TOOLS_LOCKLAB_BUNDLES_H_
#define LOCKLAB_TOOLS_LOCKLAB_BUNDLES_H_

#include <string>

#include "tools/locklab/command.h"

namespace locklab::cli {

// Judges the bundle at `path` again and prints what it is worth on
// `context.out`: as text, or as one JSON document. Returns kExitOk if its
// verdicts follow from what it holds, else kExitFailed. Throws UsageError if it
// is no bundle or cannot be read.
int VerifyBundle(const std::string& path, bool json, Context& context);

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_BUNDLES_H_
