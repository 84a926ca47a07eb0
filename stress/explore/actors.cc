#include "stress/explore/actors.h"

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include "stress/explore/fiber.h"

namespace locklab::explore {
namespace {

constexpr size_t kMostParked = 4096;
// Of saved images: what is not kept is run again from its beginning.
constexpr size_t kMostImages = size_t{24} << 20;
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

// The same on a stage, and what was saved of it.
class Actors::Play {
 public:
  Play(const SubjectFactory& subject, const Model& model, Lexicon& lexicon)
      : subject_(subject),
        model_(model),
        lexicon_(lexicon),
        stage_([this] { Body(); }) {}

  void Begin(const Life& life) {
    life_ = life;
    stage_.Begin();
    Landed();
  }
  void GoOn(const Result& result) {
    result_ = result;
    stage_.Resume();
    Landed();
  }
  [[nodiscard]] const Call& next() const { return call_; }

  // Where it is, in bytes, until it goes on.
  [[nodiscard]] Digest Save() {
    stage_.Save(&image_);
    return Stage::DigestOf(image_);
  }
  [[nodiscard]] Position at() const { return at_; }
  void Stand(Position at) { at_ = at; }
  // What was saved is there, and may be loaded for some time.
  void Keep(Position at) {
    at_ = at;
    kept_.emplace_front(at, image_);
    kept_at_[at] = kept_.begin();
    bytes_ += image_.size();
    while (bytes_ > kMostImages) {
      bytes_ -= kept_.back().second.size();
      kept_at_.erase(kept_.back().first);
      kept_.pop_back();
    }
  }
  [[nodiscard]] size_t bytes() const { return bytes_; }
  bool Load(Position at) {
    const auto found = kept_at_.find(at);
    if (found == kept_at_.end()) return false;
    kept_.splice(kept_.begin(), kept_, found->second);
    stage_.Load(found->second->second);
    at_ = at;
    return true;
  }

 private:
  using Images = std::list<std::pair<Position, std::string>>;

  void Body() {
    const Life life = life_;
    ActorOs os(life, model_, lexicon_,
               [this](const Call& call) { return Hand(call); });
    try {
      Run(static_cast<Role>(life.role), subject_, os);
    } catch (const std::length_error&) {
      full_ = true;
    }
    call_ = Call{.op = Op::kEnd};
  }
  Result Hand(const Call& call) {
    call_ = call;
    stage_.Yield();
    return result_;
  }
  void Landed() {
    at_ = kNowhere;
    if (full_) throw std::length_error("the model has room for 65535 texts");
  }

  const SubjectFactory& subject_;
  const Model& model_;
  Lexicon& lexicon_;
  Life life_;
  Call call_;
  Result result_;
  bool full_ = false;
  Position at_ = kNowhere;
  std::string image_;
  Images kept_;
  size_t bytes_ = 0;  // of their images
  std::unordered_map<Position, Images::iterator> kept_at_;
  Stage stage_;
};

Actors::Actors(const SubjectFactory& subject, const Model& model,
               Lexicon& lexicon, bool merge)
    : subject_(subject), model_(model), lexicon_(lexicon) {
  nodes_.emplace_back();  // kNowhere
  if (merge && Stage::IsToBeHad()) {
    play_ = std::make_unique<Play>(subject, model, lexicon);
  }
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
  if (play_ != nullptr) {
    if (number == 0) {
      // What the code makes once and keeps for ever must not be a process's.
      const Thread warm(life, subject_, model_, lexicon_, {});
    }
    ++runs_;
    play_->Begin(life);
    begins_.push_back(Arrive(kNowhere, 0, number));
    return begins_.back();
  }
  auto thread = std::make_unique<Thread>(life, subject_, model_, lexicon_,
                                         std::vector<uint32_t>());
  ++runs_;
  const Position at = Add(thread->next(), kNowhere, 0, number);
  begins_.push_back(at);
  Park(at, std::move(thread));
  return at;
}

Position Actors::After(Position at, uint32_t result) {
  const uint32_t* const found = after_.Find(KeyOf(at, result));
  if (found != nullptr) return *found;
  ++calls_;
  if (play_ != nullptr) {
    Bring(at);
    play_->GoOn(lexicon_.results.Get(result));
    const Position to = Arrive(at, result, nodes_[at].life);
    after_.Add(KeyOf(at, result), to);
    return to;
  }
  std::unique_ptr<Thread> thread = At(at);
  thread->GoOn(lexicon_.results.Get(result));
  const Position to = Add(thread->next(), at, result, nodes_[at].life);
  after_.Add(KeyOf(at, result), to);
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
  std::vector<uint32_t> past = PastOf(at);
  calls_ += past.size();
  auto thread = std::make_unique<Thread>(lives_[nodes_[at].life], subject_,
                                         model_, lexicon_, std::move(past));
  ++runs_;
  Check(at, thread->next());
  return thread;
}

// The results that lead there, the last one first.
std::vector<uint32_t> Actors::PastOf(Position at) const {
  std::vector<uint32_t> results;
  for (; nodes_[at].parent != kNowhere; at = nodes_[at].parent) {
    results.push_back(nodes_[at].result);
  }
  return results;
}

void Actors::Check(Position at, const Call& next) const {
  if (lexicon_.calls.Id(next) == nodes_[at].id) return;
  throw std::logic_error(
      "the code of " + std::string(subject_.name()) +
      " is not deterministic: the same results led to another call");
}

Position Actors::Arrive(Position parent, uint32_t result, uint32_t life) {
  Digest digest{.low = life, .high = 1};
  const bool ended = play_->next().op == Op::kEnd;
  if (!ended) digest = play_->Save();
  // Beside the memory: how often it has waited is counted outside.
  uint32_t waits = 0;
  if (parent != kNowhere) {
    waits = nodes_[parent].waits + (nodes_[parent].call.op == Op::kWaitEvent);
    digest.high ^= (uint64_t{waits} << 32) * 0x9e3779b97f4a7c15;
  }
  digest.low ^= lexicon_.calls.Id(play_->next());
  const auto known = known_.find(digest);
  if (known != known_.end()) {
    if (!ended) play_->Stand(known->second);
    return known->second;
  }
  const Position at = Add(play_->next(), parent, result, life);
  known_.emplace(digest, at);
  if (!ended) play_->Keep(at);
  return at;
}

void Actors::Bring(Position at) {
  if (play_->at() == at || play_->Load(at)) return;
  const std::vector<uint32_t> past = PastOf(at);
  play_->Begin(lives_[nodes_[at].life]);
  for (size_t i = past.size(); i-- > 0;) {
    play_->GoOn(lexicon_.results.Get(past[i]));
  }
  ++runs_;
  calls_ += past.size();
  Check(at, play_->next());
  play_->Stand(at);
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
  constexpr size_t kOfMap = 64;  // a node of it, and its bucket, roughly
  const size_t images = play_ == nullptr ? 0 : play_->bytes();
  return nodes_.capacity() * sizeof(Node) + after_.bytes() +
         known_.size() * kOfMap + images;
}

}  // namespace locklab::explore
