#include "stress/explore/actors.h"

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include "stress/explore/fiber.h"

namespace locklab::explore {
namespace {

constexpr size_t kMostParked = 4096;
// A program that has to end does so within this, or is left standing.
constexpr int kPatience = 1000;

uint64_t KeyOf(Position at, uint32_t result) {
  return (static_cast<uint64_t>(at) << 32) | result;
}

}  // namespace

// A process's code that is being run: stands at its next call.
class Actors::Thread {
 public:
  // Begins with these results, the last one first, and goes on to the call
  // behind them.
  Thread(const Life& life, const SubjectFactory& subject, const Model& model,
         Lexicon& lexicon, std::vector<uint32_t> past)
      : lexicon_(lexicon),
        past_(std::move(past)),
        os_(life, model, lexicon,
            [this](const Call& call) { return Hand(call); }),
        fiber_([this, &subject, role = static_cast<Role>(life.role)] {
          Run(role, subject, os_);
          call_ = Call{.op = Op::kEnd};
        }) {
    fiber_.Resume();
  }

  // Lets the program come to its end: from now on nothing can be done.
  ~Thread() {
    ending_ = true;
    result_ = Result::Fail(EIO);
    if (!fiber_.ended()) fiber_.Resume();
  }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  [[nodiscard]] const Call& next() const { return call_; }
  void GoOn(const Result& result) {
    result_ = result;
    fiber_.Resume();
  }

 private:
  Result Hand(const Call& call) {
    if (!past_.empty()) {
      const Result result = lexicon_.results.Get(past_.back());
      past_.pop_back();
      return result;
    }
    if (ending_) {
      if (++left_over_ > kPatience) fiber_.Yield();  // for ever
      return Result::Fail(EIO);
    }
    call_ = call;
    fiber_.Yield();
    return result_;
  }

  const Lexicon& lexicon_;
  std::vector<uint32_t> past_;
  Call call_;
  Result result_;
  bool ending_ = false;
  int left_over_ = 0;
  ActorOs os_;
  Fiber fiber_;  // ends before what it uses
};

Actors::Actors(const SubjectFactory& subject, const Model& model,
               Lexicon& lexicon)
    : subject_(subject), model_(model), lexicon_(lexicon) {
  nodes_.emplace_back();  // kNowhere
}

Actors::~Actors() = default;

Position Actors::Add(const Call& call, Position parent, uint32_t result,
                     uint32_t life) {
  uint32_t waits = parent == kNowhere ? 0 : nodes_[parent].waits;
  if (parent != kNowhere && nodes_[parent].call.op == Op::kWaitEvent) ++waits;
  nodes_.push_back({.call = call,
                    .id = lexicon_.calls.Id(call),
                    .parent = parent,
                    .result = result,
                    .life = life,
                    .waits = waits});
  return static_cast<Position>(nodes_.size() - 1);
}

Position Actors::Begin(const Life& life) {
  const auto found = std::find(lives_.begin(), lives_.end(), life);
  if (found != lives_.end()) return begins_[found - lives_.begin()];
  const auto number = static_cast<uint32_t>(lives_.size());
  lives_.push_back(life);
  auto thread = std::make_unique<Thread>(life, subject_, model_, lexicon_,
                                         std::vector<uint32_t>());
  ++runs_;
  const Position at = Add(thread->next(), kNowhere, 0, number);
  begins_.push_back(at);
  Park(at, std::move(thread));
  return at;
}

Position Actors::After(Position at, uint32_t result) {
  const auto found = after_.find(KeyOf(at, result));
  if (found != after_.end()) return found->second;
  std::unique_ptr<Thread> thread = At(at);
  thread->GoOn(lexicon_.results.Get(result));
  ++calls_;
  const Position to = Add(thread->next(), at, result, nodes_[at].life);
  after_.emplace(KeyOf(at, result), to);
  Park(to, std::move(thread));
  return to;
}

std::unique_ptr<Actors::Thread> Actors::At(Position at) {
  const auto found = parked_at_.find(at);
  if (found != parked_at_.end()) {
    auto thread = std::move(found->second->second);
    parked_.erase(found->second);
    parked_at_.erase(found);
    return thread;
  }
  std::vector<uint32_t> results;
  for (Position each = at; nodes_[each].parent != kNowhere;
       each = nodes_[each].parent) {
    results.push_back(nodes_[each].result);
  }
  calls_ += results.size();
  auto thread = std::make_unique<Thread>(lives_[nodes_[at].life], subject_,
                                         model_, lexicon_, std::move(results));
  ++runs_;
  if (lexicon_.calls.Id(thread->next()) != nodes_[at].id) {
    throw std::logic_error(
        "the code of " + std::string(subject_.name()) +
        " is not deterministic: the same results led to another call");
  }
  return thread;
}

void Actors::Park(Position at, std::unique_ptr<Thread> thread) {
  if (thread->next().op == Op::kEnd) return;
  parked_.emplace_front(at, std::move(thread));
  parked_at_[at] = parked_.begin();
  if (parked_.size() <= kMostParked) return;
  parked_at_.erase(parked_.back().first);
  parked_.pop_back();
}

size_t Actors::bytes() const {
  constexpr size_t kOfMap = 48;  // a node of it, roughly
  return nodes_.capacity() * sizeof(Node) + after_.size() * kOfMap;
}

}  // namespace locklab::explore
