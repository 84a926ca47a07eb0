#include "tools/locklab/commands.h"

#include "tools/locklab/command.h"

namespace locklab::cli {

std::span<const CommandRow> Commands() {
  // One row a subcommand, the main job first.
  static constexpr CommandRow kTable[] = {
      {"check", "Find out which locks can be relied on in a directory.",
       SetUpCheck},
      {"bench", "Measure what locks cost, alone or against another build.",
       SetUpBench},
      {"compare", "Compare two files of samples: what changed, what is noise.",
       SetUpCompare},
      {"conformance", "Examine the claims alone, without the latencies.",
       SetUpConformance},
      {"crash", "Kill a process at every step, and see the others get on.",
       SetUpCrash},
      {"exec", "Hold a lock while a command runs, like flock(1).", SetUpExec,
       "COMMAND [ARGUMENT...]"},
      {"explain", "Tell what a claim means and how to see it by hand.",
       SetUpExplain},
      {"explore", "Search every interleaving of a lock over model filesystems.",
       SetUpExplore},
      {"faultfs", "Show a directory again through FUSE, with chosen sins.",
       SetUpFaultfs},
      {"gate", "The same as an exit code, for continuous integration.",
       SetUpGate},
      {"lab", "Run a subcommand on filesystems that are made for it.", SetUpLab,
       "SUBCOMMAND [FLAG...]"},
      {"list", "List the backends or the claims: what a correct lock does.",
       SetUpList},
      {"report", "Report runs that were kept, from their results directory.",
       SetUpReport},
      {"stress", "Let many processes contend for a lock, and measure it.",
       SetUpStress},
  };
  return kTable;
}

}  // namespace locklab::cli
