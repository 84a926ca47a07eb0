// locklab stress --compare-peers: the library's locks and those of others, side
// by side in one run.
#ifndef LOCKLAB_TOOLS_LOCKLAB_COMPARE_PEERS_H_
#define LOCKLAB_TOOLS_LOCKLAB_COMPARE_PEERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "stress/scenarios/campaign.h"
#include "tools/locklab/command.h"
#include "tools/locklab/subjects.h"

namespace locklab::cli {

struct Peers {
  std::vector<NamedSubject> subjects;  // those that there are
  std::vector<std::string> missing;    // the others: name, why, what to do
};

// Those that `backends` names; "": all of the library, and every adapter that
// comes with locklab. Throws UsageError.
[[nodiscard]] Peers FindPeers(const std::string& backends, uint64_t seed);

// Runs `plan`, whose courses are the peers', by turns, so that what disturbs
// one disturbs all; then holders of each lock are killed while another process
// waits. Prints a table, or JSON. Returns an Exit: a lock that was held by two
// is red, whoever made it; one that its dead holder keeps is not.
int ComparePeers(const Peers& peers, scenario::CampaignPlan plan, bool json,
                 Context& context);

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_COMPARE_PEERS_H_
