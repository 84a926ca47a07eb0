#include "conformance/proc/interrupts.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>

namespace locklab::proc {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};

std::atomic<int> pending{0};
static_assert(std::atomic<int>::is_always_lock_free);  // for the handler

int depth = 0;
pid_t owner = 0;  // the process whose scopes these are
std::array<struct sigaction, kSignals.size()> before;

void Remember(int signal) { pending.store(signal); }

}  // namespace

Interrupts::Interrupts() {
  // A child's scopes are not those that its parent was in.
  if (owner != getpid()) {
    owner = getpid();
    depth = 0;
    pending.store(0);
  }
  if (depth++ > 0) return;
  struct sigaction remember {};
  remember.sa_handler = Remember;
  for (size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], nullptr, &before[i]);
    if (before[i].sa_handler != SIG_IGN) {
      sigaction(kSignals[i], &remember, nullptr);
    }
  }
}

Interrupts::~Interrupts() {
  if (--depth > 0) return;
  for (size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], &before[i], nullptr);
  }
  const int signal = Take();
  if (signal != 0) std::raise(signal);
}

int Interrupts::Pending() { return pending.load(); }

int Interrupts::Take() { return pending.exchange(0); }

}  // namespace locklab::proc
