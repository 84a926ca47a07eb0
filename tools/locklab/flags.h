// Flags as all subcommands read them: strict, with errors that help.
#ifndef LOCKLAB_TOOLS_LOCKLAB_FLAGS_H_
#define LOCKLAB_TOOLS_LOCKLAB_FLAGS_H_

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace locklab::cli {

// The command line is wrong: one sentence that says what, where, and what to
// do. Printed as "locklab: MESSAGE (see locklab COMMAND --help)", exit 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// --- values ----------------------------------------------------------------
// `flag` is the name as typed, "--seed": for the message. All throw UsageError.

// Decimal digits and nothing else: no sign, blank, fraction or exponent.
[[nodiscard]] uint64_t ParseNumber(
    std::string_view flag, std::string_view text, uint64_t min = 0,
    uint64_t max = std::numeric_limits<uint64_t>::max());
// Decimal seconds >= 0, "0.25": finite, no unit.
[[nodiscard]] std::chrono::nanoseconds ParseSeconds(std::string_view flag,
                                                    std::string_view text);
// A number and a unit, "500us", "8h": see proc::ParseDuration.
[[nodiscard]] std::chrono::nanoseconds ParseDuration(std::string_view flag,
                                                     std::string_view text);
// "a,b,c"; an empty item is an error.
[[nodiscard]] std::vector<std::string> ParseList(std::string_view flag,
                                                 std::string_view text);
// Returns the one of `choices` that `text` is; else names them all and the
// one that was perhaps meant.
std::string_view ParseChoice(std::string_view flag, std::string_view text,
                             std::span<const std::string_view> choices);

// --- declarations ----------------------------------------------------------
// The target keeps its value if the flag is not given.

CLI::Option* AddNumber(CLI::App& app, const std::string& flag, uint64_t* target,
                       const std::string& doc, uint64_t min = 0,
                       uint64_t max = std::numeric_limits<uint64_t>::max());
CLI::Option* AddSeconds(CLI::App& app, const std::string& flag,
                        std::optional<std::chrono::nanoseconds>* target,
                        const std::string& doc);
CLI::Option* AddDuration(CLI::App& app, const std::string& flag,
                         std::chrono::nanoseconds* target,
                         const std::string& doc);
// `choices` must outlive `app`. Help shows them and the default.
CLI::Option* AddChoice(CLI::App& app, const std::string& flag,
                       std::string* target,
                       std::vector<std::string_view> choices,
                       const std::string& doc);

// --variant, which locklab lab gives to what it runs: the name of the
// filesystem. Not shown in the help.
CLI::Option* AddVariant(CLI::App& app, std::string* target);

// --- the other way round ----------------------------------------------------

// `word` as a shell has to be given it.
[[nodiscard]] std::string ShellQuote(const std::string& word);
// The beginning of the command that runs `subcommand` once more where it ran:
// in `dir`, or on the variant of the lab if there is one.
[[nodiscard]] std::string CommandOn(std::string_view subcommand,
                                    const std::string& dir,
                                    const std::string& variant);

// --- did you mean ----------------------------------------------------------

// The candidate that `typed` most likely stands for; empty: none is near.
[[nodiscard]] std::string Nearest(std::string_view typed,
                                  std::span<const std::string_view> candidates);
// "; did you mean CANDIDATE?", or "" if none is near.
[[nodiscard]] std::string DidYouMean(
    std::string_view typed, std::span<const std::string_view> candidates);

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_FLAGS_H_
