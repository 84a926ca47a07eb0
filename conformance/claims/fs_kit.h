// What the claims about the filesystem itself are written with: bare calls
// through the claim's operating system, and another process that makes them.
#ifndef LOCKLAB_CONFORMANCE_CLAIMS_FS_KIT_H_
#define LOCKLAB_CONFORMANCE_CLAIMS_FS_KIT_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/claims/kit.h"
#include "conformance/proc/child.h"
#include "conformance/proc/shared.h"

namespace locklab::claims {

using lockfile::os::FileInfo;
using lockfile::os::KernelLock;
using lockfile::os::Os;
using lockfile::os::SysResult;

// Ends the body unless the call succeeded: what has nothing to do with the
// claim failed, so nothing can be said of it.
void Need(const SysResult& result, std::string_view what);
// "link(2): EIO".
std::string CallFailed(std::string_view what, int error);

// A new file with this text. `path` must not be there.
void MakeFile(Os& os, const std::string& path, std::string_view text = "x");
FileInfo Look(Os& os, const std::string& path);

// Where the second process of a claim works: the other mount, if there is one.
[[nodiscard]] const std::string& OtherSide(const ClaimContext& context);

// Another process that answers one question at a time. It dies with its
// parent. Used by one thread.
class Observer {
 public:
  // Runs in the other process, once a question.
  using Answer = std::function<int64_t(int64_t question)>;
  explicit Observer(Answer answer);
  // Ends the body if no answer comes within kSoon, or the process died.
  int64_t Ask(int64_t question);
  // SIGKILL, and its end was seen.
  void Kill() { child_.Stop(); }

 private:
  struct Board {
    std::atomic<uint32_t> asked;
    std::atomic<uint32_t> answered;
    int64_t question;
    int64_t answer;
    bool thrown;  // a finding that ended the process
    Verdict verdict;
    char reason[512];
  };
  proc::Shared<Board> board_;
  proc::Child child_;
};

// Durations of one kind: their middle and their worst, for reasons.
class Delays {
 public:
  void Add(nanoseconds delay) { all_.push_back(delay); }
  [[nodiscard]] size_t count() const { return all_.size(); }
  [[nodiscard]] nanoseconds Max() const;
  [[nodiscard]] nanoseconds Median() const;
  // "p50 0.004 ms, max 0.020 ms".
  [[nodiscard]] std::string Text() const;

 private:
  std::vector<nanoseconds> all_;
};

}  // namespace locklab::claims

#endif  // LOCKLAB_CONFORMANCE_CLAIMS_FS_KIT_H_
