#include "tools/lab/guest/processor.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <string>

namespace locklab::lab {
namespace {

// unix(7): a name in the abstract namespace is there as long as a socket is
// bound to it, and no longer. < 0: somebody has it.
int Claim(const std::string& kind, int processor) {
  const std::string name = fmt::format("locklab-{}-on-{}", kind, processor);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fd;
  const auto length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0) return fd;
  close(fd);
  return -1;
}

}  // namespace

Processor::Processor(const std::string& kind) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  for (int i = 0; i < CPU_SETSIZE && claim_ < 0; ++i) {
    if (!CPU_ISSET(i, &allowed)) continue;
    claim_ = Claim(kind, i);
    if (claim_ >= 0) number_ = i;
  }
}

Processor::~Processor() {
  if (claim_ >= 0) close(claim_);
}

void Processor::Settle() const {
  if (!number_) return;
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(*number_, &here);
  sched_setaffinity(0, sizeof here, &here);
}

}  // namespace locklab::lab
