#include "conformance/proc/latch.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace locklab::proc {

Latch::Latch() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(),
                            "cannot make a pipe; see `ulimit -n`");
  }
  reader_ = ends[0];
  writer_ = ends[1];
}

Latch::~Latch() {
  close(reader_);
  if (writer_ >= 0) close(writer_);
}

void Latch::Open() {
  const char byte = 1;
  // The reading end is open in this very process: no SIGPIPE, and a pipe has
  // room for the first byte. Whether a second is written is of no matter.
  while (write(writer_, &byte, 1) < 0 && errno == EINTR) {
  }
}

Latch::Passed Latch::Wait(TimePoint deadline) {
  if (writer_ >= 0) close(writer_);
  writer_ = -1;
  // The byte is never read: it stays for all others.
  const short events = PollUntil(reader_, POLLIN, deadline);
  if (events & POLLIN) return kOpen;
  return events == 0 ? kTimeout : kBroken;
}

bool Latch::IsOpen() const {
  return (PollUntil(reader_, POLLIN, TimePoint::min()) & POLLIN) != 0;
}

}  // namespace locklab::proc
