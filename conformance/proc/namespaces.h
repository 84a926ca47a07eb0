// Processes in other surroundings than ours, made by the kernel: on a host of
// another name, in another boot, in other PID and time namespaces.
//
// Each function moves the process that calls it, which must have one thread,
// and there is no way back: call it in a child. They need root, or user
// namespaces that anyone may make (then the process is root in one of its own).
// They return why it cannot be done, as one sentence; empty: it was done. What
// they make goes with the processes that are in it.
#ifndef LOCKLAB_CONFORMANCE_PROC_NAMESPACES_H_
#define LOCKLAB_CONFORMANCE_PROC_NAMESPACES_H_

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace locklab::proc {

// What is mounted and unmounted from now on, only this process and those that
// it starts will see; it goes with the last of them.
[[nodiscard]] std::string EnterMounts();
// gethostname(2) and uname(2) say `name` from now on.
[[nodiscard]] std::string EnterHost(const std::string& name);
// /proc/sys/kernel/random/boot_id says `boot_id`, of 36 characters.
[[nodiscard]] std::string EnterBoot(const std::string& boot_id);
// CLOCK_BOOTTIME and CLOCK_MONOTONIC, and with them the start times of all
// processes, are later by that much.
[[nodiscard]] std::string EnterTime(std::chrono::seconds later);

// The children that it makes from now on have pids of their own. The first of
// them has pid 1: when it ends, the kernel kills the others and lets no more
// be made. /proc shows them the pids of before.
[[nodiscard]] std::string EnterPids();
// /proc shows the pids of the namespace that this process is in.
[[nodiscard]] std::string MountProc();
// Whether this kernel lets the pid of the next process be chosen.
[[nodiscard]] bool PidsCanBeForced();
// The next process of this namespace gets this pid, if it is free. After
// MountProc.
[[nodiscard]] std::string ForceNextPid(pid_t pid);

// Clock ticks since boot, as start times in /proc are counted.
[[nodiscard]] uint64_t TicksSinceBoot();

// What `enter` returns in a child that does nothing else: whether it can be
// done here.
[[nodiscard]] std::string WhyNot(const std::function<std::string()>& enter);

}  // namespace locklab::proc

#endif  // LOCKLAB_CONFORMANCE_PROC_NAMESPACES_H_
