// The calls of the explorer's processes, made in a real directory.
#ifndef LOCKLAB_STRESS_EXPLORE_REAL_CALLS_H_
#define LOCKLAB_STRESS_EXPLORE_REAL_CALLS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "lib/os/os.h"
#include "stress/explore/call.h"

namespace locklab::explore {

// Of one process.
class RealCalls {
 public:
  // Whether the process that has this pid in the model lives, and since when.
  using Alive = std::function<Result(uint32_t pid)>;

  RealCalls(std::string dir, Lexicon& lexicon, Alive alive)
      : dir_(std::move(dir)), lexicon_(lexicon), alive_(std::move(alive)) {}

  Result Do(const Call& call);
  // What the last look at that name has shown; ENOENT: there was none.
  [[nodiscard]] Result LastLook(const Call& call) const;

 private:
  [[nodiscard]] std::string PathOf(const Place& place) const;
  Result OnPath(const Call& call);
  Result OnFile(const Call& call);
  Result Read(const lockfile::os::SysResult& result, const std::string& text);
  Result Info(const lockfile::os::SysResult& result,
              const lockfile::os::FileInfo& info);
  Result Names(const Call& call);

  const std::string dir_;
  Lexicon& lexicon_;
  const Alive alive_;
  // Small numbers for what the model has small numbers for.
  std::vector<uint64_t> inodes_;
  std::vector<int64_t> times_;
  std::map<std::pair<uint16_t, uint16_t>, Result> looks_;
};

}  // namespace locklab::explore

#endif  // LOCKLAB_STRESS_EXPLORE_REAL_CALLS_H_
