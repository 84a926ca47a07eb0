// A wait for a kernel lock that can be given up at a deadline.
//
// The kernel's blocking lock calls know no timeout. The usual ways out impose
// something on the caller: SIGALRM needs its signal and a handler, a thread
// that blocks cannot be called back. Here a helper task blocks instead: a
// clone(2) that shares the caller's memory and descriptors, but is no thread
// of the process. The lock it gets belongs to the shared open file (flock, OFD)
// or to the shared descriptor table (POSIX), which is to say to the caller. At
// the deadline it is killed. It raises no SIGCHLD, is not seen by wait(), and
// dies with the caller.
//
// Sources: clone(2), fcntl(2), flock(2); in Linux a POSIX lock's owner is the
// descriptor table (files_struct).
#ifndef LOCKLAB_LIB_OS_LOCK_HELPER_H_
#define LOCKLAB_LIB_OS_LOCK_HELPER_H_

#include "lib/os/os.h"

namespace lockfile::os {

// See Os::WaitLock. Thread-safe.
SysResult WaitLockInHelper(int fd, KernelLock kind, TimePoint deadline);

}  // namespace lockfile::os

#endif  // LOCKLAB_LIB_OS_LOCK_HELPER_H_
