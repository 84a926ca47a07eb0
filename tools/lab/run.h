// Runs this very program on a variant.
#ifndef LOCKLAB_TOOLS_LAB_RUN_H_
#define LOCKLAB_TOOLS_LAB_RUN_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/lab/variant.h"

namespace locklab::lab {

// A subcommand that can be run on a variant, and what it takes.
struct Subcommand {
  std::string_view name;
  bool other_mount = false;  // --other-mount=DIR
  bool expect = false;       // --expect=@PACK
  bool turns = false;        // --turn=FILE and --silent: runs go side by side
};
[[nodiscard]] std::span<const Subcommand> Subcommands();
// nullptr: it cannot be run on a variant.
[[nodiscard]] const Subcommand* FindSubcommand(std::string_view name);

// The arguments for a program that runs `job` where the variant is mounted on
// `dir`, and, if `other_mount` is not empty, there, too: those of the job, and
// before its own flags, so that these count more, what the variant adds.
[[nodiscard]] std::vector<std::string> ArgsOn(const Variant& variant,
                                              const Job& job,
                                              const std::string& dir,
                                              const std::string& other_mount);

// Runs the job on the variant, to its end. SIGINT and SIGTERM are handed on to
// it (the caller has proc::Interrupts in place). Does not throw.
[[nodiscard]] Result RunOn(const Variant& variant, const Job& job);

}  // namespace locklab::lab

#endif  // LOCKLAB_TOOLS_LAB_RUN_H_
