// The processes' code as an automaton, made as it is explored: a position is
// what a process has come to by the results of its calls, and its next call.
//
// The library's own code runs, but only where a position meets a result for the
// first time. It is deterministic: the same results lead it to the same
// position, so that what was found once is looked up ever after.
//
// Two positions are one if the results that led there are the same. Where they
// are merged, also if the process's memory is: its stack, its heap, its
// registers, compared by 128 bits of hash. Then all that follows is the same.
#ifndef LOCKLAB_STRESS_EXPLORE_ACTORS_H_
#define LOCKLAB_STRESS_EXPLORE_ACTORS_H_

#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "conformance/subject/subject.h"
#include "stress/explore/actor_os.h"
#include "stress/explore/interner.h"
#include "stress/explore/program.h"
#include "stress/explore/stage.h"

namespace locklab::explore {

using Position = uint32_t;
inline constexpr Position kNowhere = 0;  // of who is dead, or has not begun

class Actors {
 public:
  // All outlive it. `merge`: where that is to be had, see stage.h.
  Actors(const SubjectFactory& subject, const Model& model, Lexicon& lexicon,
         bool merge);
  ~Actors();

  // Where this life begins.
  [[nodiscard]] Position Begin(const Life& life);
  // Where the result of its next call leads.
  [[nodiscard]] Position After(Position at, uint32_t result);
  // What comes next. Of kNowhere: kEnd.
  [[nodiscard]] const Call& Next(Position at) const { return nodes_[at].call; }
  [[nodiscard]] uint32_t NextId(Position at) const { return nodes_[at].id; }
  // How often it has waited until then.
  [[nodiscard]] int Waits(Position at) const { return nodes_[at].waits; }

  [[nodiscard]] bool merges() const { return play_ != nullptr; }
  [[nodiscard]] size_t size() const { return nodes_.size(); }
  [[nodiscard]] size_t bytes() const;
  // How often code was run, and how many calls it made.
  [[nodiscard]] uint64_t runs() const { return runs_; }
  [[nodiscard]] uint64_t calls() const { return calls_; }

 private:
  struct Node {
    Call call;
    uint32_t id = 0;  // of the call
    Position parent = kNowhere;
    uint32_t result = 0;  // that led here from the parent
    uint32_t life = 0;
    uint32_t waits = 0;
  };
  struct DigestHash {
    size_t operator()(const Digest& each) const { return each.low; }
  };
  class Thread;
  class Play;
  using Parked = std::list<std::pair<Position, std::unique_ptr<Thread>>>;

  Position Add(const Call& call, Position parent, uint32_t result,
               uint32_t life);
  [[nodiscard]] std::vector<uint32_t> PastOf(Position at) const;
  void Check(Position at, const Call& next) const;
  // The same with a play: the position it has come to, and to get it there.
  Position Arrive(Position parent, uint32_t result, uint32_t life);
  void Bring(Position at);
  [[nodiscard]] std::unique_ptr<Thread> At(Position at);
  void Park(Position at, std::unique_ptr<Thread> thread);

  const SubjectFactory& subject_;
  const Model& model_;
  Lexicon& lexicon_;
  std::vector<Life> lives_;
  std::vector<Position> begins_;  // of lives_
  std::vector<Node> nodes_;
  NumberMap after_;
  // Threads that stand at a position and can go on from there.
  Parked parked_;
  std::unordered_map<Position, Parked::iterator> parked_at_;
  // Instead of them, where positions are merged.
  std::unique_ptr<Play> play_;
  std::unordered_map<Digest, Position, DigestHash> known_;
  uint64_t runs_ = 0;
  uint64_t calls_ = 0;
};

}  // namespace locklab::explore

#endif  // LOCKLAB_STRESS_EXPLORE_ACTORS_H_
