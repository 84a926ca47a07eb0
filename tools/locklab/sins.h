// Sins of the fault filesystem, as they are written on the command line.
#ifndef LOCKLAB_TOOLS_LOCKLAB_SINS_H_
#define LOCKLAB_TOOLS_LOCKLAB_SINS_H_

#include <string>
#include <vector>

#include "stress/faultfs/sins.h"

namespace locklab::cli {

// "link-not-atomic:ms=5,lost-reply:rate=0.5,op=link": names, each with its own
// values. `flag` is for messages. Throws UsageError.
[[nodiscard]] std::vector<faultfs::Chosen> ParseSins(const std::string& flag,
                                                     const std::string& text);

// What may be said to a sin, and what holds if nothing is: "rate=1 ms=2".
[[nodiscard]] std::string ValuesOf(const faultfs::SinRow& row);

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_SINS_H_
