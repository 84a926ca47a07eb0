// Processes that want the lock while another dies, and after it. They live for
// many experiments: starting them costs more than one experiment takes.
#ifndef LOCKLAB_STRESS_CRASH_CREW_H_
#define LOCKLAB_STRESS_CRASH_CREW_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "conformance/proc/child.h"
#include "conformance/proc/poll_until.h"
#include "conformance/proc/shared.h"
#include "conformance/subject/subject.h"
#include "stress/crash/scene.h"

namespace locklab::crash {

// What one of them did on its last order.
struct Turn {
  bool ok = false;         // took the lock and gave it back
  std::string error;       // if not
  int64_t asked_ns = 0;    // CLOCK_MONOTONIC, before acquire
  int64_t granted_ns = 0;  // after it; 0: it was not granted
};

// Used by one thread, which has to live as long as the crew. Dies with it.
class Crew {
 public:
  // `subject` and `scene` outlive it. Throws std::system_error.
  Crew(const SubjectFactory& subject, int size, Scene* scene);

  // Orders: take the lock at `path`, however long that takes, and give it back.
  void Start(int index, const std::string& path);
  // Until it waits in the lock's own wait, or has done with it. False: neither
  // by then.
  [[nodiscard]] bool AwaitParked(int index, proc::TimePoint deadline);
  // False: it is not done by then.
  [[nodiscard]] bool AwaitDone(int index, proc::TimePoint deadline);
  // After AwaitDone.
  [[nodiscard]] Turn Result(int index) const;
  // Ends one that hangs, and puts another in its place. Throws.
  void Replace(int index);

 private:
  struct Post {
    std::atomic<uint32_t> ordered;
    std::atomic<uint32_t> done;  // the last order that was
    std::atomic<uint32_t> parked;
    bool ok;
    int64_t asked_ns;
    int64_t granted_ns;
    char path[4096];
    char error[512];
  };
  class Waiter;

  void Spawn(int index);
  [[nodiscard]] Post& post(int index) const {
    return posts_[static_cast<size_t>(index)];
  }

  const SubjectFactory& subject_;
  Scene* const scene_;
  proc::Shared<Post> posts_;
  std::vector<proc::Child> children_;
};

}  // namespace locklab::crash

#endif  // LOCKLAB_STRESS_CRASH_CREW_H_
