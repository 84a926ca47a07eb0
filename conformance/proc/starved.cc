#include "conformance/proc/starved.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace locklab::proc {

std::chrono::nanoseconds StarvedSoFar() {
  int64_t sum = 0;
  std::error_code gone;
  std::filesystem::directory_iterator task("/proc/self/task", gone);
  for (; !gone && task != std::filesystem::directory_iterator();
       task.increment(gone)) {
    int64_t ran = 0;
    int64_t delayed = 0;
    if (std::ifstream(task->path() / "schedstat") >> ran >> delayed) {
      sum += delayed;
    }
  }
  return std::chrono::nanoseconds(sum);
}

}  // namespace locklab::proc
