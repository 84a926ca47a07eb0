// How long this process was ready to run, and others had the processors.
#ifndef LOCKLAB_CONFORMANCE_PROC_STARVED_H_
#define LOCKLAB_CONFORMANCE_PROC_STARVED_H_

#include <chrono>

namespace locklab::proc {

// Of all its threads that live, since each began: the run delay of
// /proc/PID/task/TID/schedstat (sched-stats.rst of the kernel's
// documentation). 0 where the kernel does not tell. Does not block; any thread.
[[nodiscard]] std::chrono::nanoseconds StarvedSoFar();

}  // namespace locklab::proc

#endif  // LOCKLAB_CONFORMANCE_PROC_STARVED_H_
