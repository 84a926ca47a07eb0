#include "tools/locklab/bench_pairs.h"

#include <fmt/format.h>
#include <fmt/ostream.h>
#include <unistd.h>

#include "conformance/proc/interrupts.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/report/write_file.h"
#include "tools/locklab/check/directory.h"
#include "tools/locklab/check/progress.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/subjects.h"

namespace locklab::cli {

void AddLimitFlags(CLI::App& app, LimitFlags* flags) {
  app.add_option("--alpha", flags->alpha,
                 "How likely an alarm about nothing may be, over all rows "
                 "together.")
      ->capture_default_str();
  app.add_option("--max-regression", flags->max_regression,
                 "Percent: a slow-down that is shown matters if it is more "
                 "than this, and more than three times the noise floor.")
      ->capture_default_str();
  app.add_option("--markdown", flags->markdown,
                 "Also write the table here, as Markdown.")
      ->type_name("FILE");
}

bench::Limits LimitsOf(const LimitFlags& flags) {
  if (!(flags.alpha > 0 && flags.alpha < 0.5)) {
    throw UsageError("--alpha: it must be above 0 and below 0.5");
  }
  if (!(flags.max_regression >= 0 && flags.max_regression < 1e6)) {
    throw UsageError("--max-regression: it must be a percentage from 0");
  }
  return {.alpha = flags.alpha,
          .max_regression = flags.max_regression / 100,
          .seed = 1};
}

void WriteForFlag(const char* flag, const std::string& path,
                  const std::string& text) {
  if (path.empty()) return;
  const std::string trouble = report::WriteFile(path, text);
  if (!trouble.empty()) throw UsageError(fmt::format("{}: {}", flag, trouble));
}

Exit Say(const bench::SeriesFile& base, const bench::SeriesFile& candidate,
         const LimitFlags& flags, bool gate, Context& context) {
  const bench::Limits limits = LimitsOf(flags);
  const bench::Compared compared = bench::CompareFiles(base, candidate, limits);
  WriteForFlag("--markdown", flags.markdown, bench::ToMarkdown(compared));
  context.out.stream << (flags.format == "json"
                             ? bench::ToJson(compared, limits)
                             : bench::ToText(compared, gate));
  if (gate && !compared.differ.empty() && !flags.insist) {
    throw UsageError(
        "the two were not taken in the same surroundings (" +
        compared.differ.front() +
        "), so that a difference says nothing; measure both here with "
        "--vs=PROGRAM, or insist with --insist");
  }
  if (gate) return bench::Judge(compared);
  return compared.rows.empty() ? kExitNothingRan : kExitOk;
}

Exit RunPairs(const SampleFlags& flags, const LimitFlags& limits, bool gate,
              Context& context) {
  const std::string dir = check::UsableDirectory(flags.dir);
  if (access(flags.other.c_str(), X_OK) != 0) {
    throw UsageError(fmt::format(
        "--vs={}: there is no such program that may be run; name the locklab "
        "of another build by its path",
        flags.other));
  }
  // Mistakes are better told here than by the programs that are run.
  (void)ParseSubjects(flags.backends, flags.seed);
  (void)ParseExperiments(flags);
  Sides sides;
  {
    const proc::Interrupts interrupts;
    check::Progress progress(context.err);
    progress.SetTotal(1);
    proc::SweepDead(dir);
    sides = TakePairs(dir, flags, context, &progress);
    if (proc::Interrupts::Take() != 0) return kExitInconclusive;
  }
  WriteForFlag("--out", flags.out, ToJson(sides.candidate));
  WriteForFlag("--out-base", flags.out_base, ToJson(sides.base));
  if (limits.format == "text") {
    fmt::print(context.out.stream,
               "seed {}: {} (base) against this locklab, "
               "{} pairs by turns on {}\n\n",
               flags.seed, flags.other, flags.samples, dir);
  }
  return Say(sides.base, sides.candidate, limits, gate, context);
}

}  // namespace locklab::cli
