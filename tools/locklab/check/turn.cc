#include "tools/locklab/check/turn.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>

#include "conformance/proc/interrupts.h"
#include "conformance/proc/poll_until.h"

namespace locklab::check {
namespace {

using namespace std::chrono_literals;

int OpenFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    throw std::system_error(errno, std::generic_category(),
                            "cannot open " + path);
  }
  return fd;
}

// A pause is far shorter than what is waited for.
void Take(int fd, int how) {
  (void)proc::Eventually(
      [fd, how] {
        return flock(fd, how | LOCK_NB) == 0 ||
               proc::Interrupts::Pending() != 0;
      },
      proc::kForever, 10ms);
}

}  // namespace

Turn::Turn(const std::string& file) {
  if (file.empty()) return;
  work_ = OpenFile(file);
  gate_ = OpenFile(file + ".gate");
}

Turn::~Turn() {
  if (work_ < 0) return;
  // Processes that were forked meanwhile have them open, too.
  flock(work_, LOCK_UN);
  flock(gate_, LOCK_UN);
  close(work_);
  close(gate_);
}

void Turn::Together() {
  if (work_ < 0) return;
  // Nobody may want to be alone.
  Take(gate_, LOCK_EX);
  Take(work_, LOCK_SH);
  flock(gate_, LOCK_UN);
}

void Turn::Alone() {
  if (work_ < 0) return;
  Take(gate_, LOCK_SH);
  flock(work_, LOCK_UN);
  Take(work_, LOCK_EX);
}

}  // namespace locklab::check
