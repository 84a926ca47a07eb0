// The network between two clients and their server, for claims that let it
// fail: by a program that whoever made the network has put there.
#ifndef LOCKLAB_CONFORMANCE_CLAIMS_NETWORK_H_
#define LOCKLAB_CONFORMANCE_CLAIMS_NETWORK_H_

#include <chrono>
#include <string>
#include <vector>

namespace locklab::claims {

// Names the program in the environment. It is called with
//   cut SECONDS                          the client of the first mount is cut
//                                        off, and comes back by itself then
//   spoil DELAY_MS LOSS_PERCENT SECONDS  packets are late and lost so long
//   heal                                 all is as at the beginning
//   restart                              the server ends and starts again
//   die SECONDS                          the server is gone without a word, and
//                                        comes back by itself then
// and returns when that is so, with 0.
inline constexpr char kFaultsVariable[] = "LOCKLAB_NETWORK_FAULTS";

// Why there is no such program; empty: there is one.
[[nodiscard]] std::string WhyNoNetworkFaults();

// Whole at the beginning and at the end. What fails ends the body as
// inconclusive: it says nothing of the lock.
class Network {
 public:
  Network() { Heal(); }
  ~Network() { Run({"heal"}); }
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  void Cut(std::chrono::nanoseconds time);
  void Spoil(std::chrono::milliseconds delay, int loss_percent,
             std::chrono::nanoseconds time);
  void RestartServer() { Do({"restart"}); }
  // Heal() brings it back, or `time`.
  void KillServer(std::chrono::nanoseconds time);
  void Heal() { Do({"heal"}); }

 private:
  static bool Run(const std::vector<std::string>& words);
  static void Do(const std::vector<std::string>& words);
};

}  // namespace locklab::claims

#endif  // LOCKLAB_CONFORMANCE_CLAIMS_NETWORK_H_
