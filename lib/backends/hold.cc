#include "lib/backends/backend.h"
#include "lib/backends/naming.h"

namespace lockfile {

Status MakeOwner(os::Os& os, Owner* owner) {
  unsigned char bytes[kTokenLength / 2];
  const os::SysResult random = os.Random(bytes, sizeof bytes);
  if (!random.ok()) {
    return Status::Failed("get random bytes from", "the kernel", random.error);
  }
  owner->token.clear();
  for (const unsigned char byte : bytes) {
    owner->token.push_back("0123456789abcdef"[byte >> 4]);
    owner->token.push_back("0123456789abcdef"[byte & 15]);
  }
  os::ProcessIdentity self = os.Self();
  owner->host = std::move(self.host);
  owner->boot_id = std::move(self.boot_id);
  owner->pid_ns = self.pid_ns;
  owner->time_ns = self.time_ns;
  owner->pid = self.pid;
  owner->start_time = self.start_time;
  owner->thread_id = os.ThreadId();
  owner->since = os.WallSeconds();
  return Status::Ok();
}

Hold MakeHold(const Owner& owner) {
  return {owner.token, FormatRecord(owner), TicketName(owner)};
}

}  // namespace lockfile
