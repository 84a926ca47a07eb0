// Runs a subcommand on filesystems that are made for it (tools/lab).
#ifndef LOCKLAB_TOOLS_LOCKLAB_LAB_H_
#define LOCKLAB_TOOLS_LOCKLAB_LAB_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tools/locklab/command.h"

namespace locklab::cli {

// Runs `args`, a subcommand and its flags, on each of the variants that `fs`
// names: names and "local", "guest" or "all", separated by commas. What they
// print goes to context.out, with --format=json as one document. Returns one
// exit code for all: of a variant that was named by itself and is not to be
// had, kExitMissingFeature; such ones of a group do not count, unless there is
// no other. `jobs`: how many run side by side; 0: as many as is sound. Throws
// UsageError.
int RunOnVariants(const std::string& fs, uint64_t jobs,
                  std::vector<std::string> args, Context& context);

// Declares --jobs.
void AddJobs(CLI::App& app, uint64_t* jobs);

// `args` without `flag`, which has a value, in either of its two forms.
[[nodiscard]] std::vector<std::string> WithoutFlag(
    std::string_view flag, const std::vector<std::string>& args);
// The value of `flag` in `args` that counts, the last; "": it is not given.
[[nodiscard]] std::string FlagValue(std::string_view flag,
                                    const std::vector<std::string>& args);

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_LAB_H_
