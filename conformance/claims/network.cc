#include "conformance/claims/network.h"

#include <unistd.h>

#include <cstdlib>

#include "conformance/claims/kit.h"
#include "conformance/proc/child.h"
#include "conformance/proc/exec.h"

namespace locklab::claims {
namespace {

const char* Program() {
  const char* program = std::getenv(kFaultsVariable);
  return program == nullptr ? "" : program;
}

int Become(std::vector<std::string> words) {
  words.insert(words.begin(), Program());
  proc::Exec(words);
  return 127;
}

std::string WholeSeconds(nanoseconds time) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(time).count());
}

}  // namespace

std::string WhyNoNetworkFaults() {
  const std::string program = Program();
  if (program.empty()) return "nothing here can make the network fail";
  if (access(program.c_str(), X_OK) == 0) return "";
  return program + " cannot be run";
}

bool Network::Run(const std::vector<std::string>& words) {
  proc::Child child = proc::Child::Spawn([&] { return Become(words); });
  const auto end = child.Wait(proc::In(2 * kSoon));
  return end && end->ok();
}

void Network::Do(const std::vector<std::string>& words) {
  if (Run(words)) return;
  Inconclusive(std::string(Program()) + " " + words.front() + " failed");
}

void Network::Cut(nanoseconds time) { Do({"cut", WholeSeconds(time)}); }

void Network::KillServer(nanoseconds time) { Do({"die", WholeSeconds(time)}); }

void Network::Spoil(std::chrono::milliseconds delay, int loss_percent,
                    nanoseconds time) {
  Do({"spoil", std::to_string(delay.count()), std::to_string(loss_percent),
      WholeSeconds(time)});
}

}  // namespace locklab::claims
