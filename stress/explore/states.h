// The states that a search has found, by number, in the order in which they
// were found, and how.
#ifndef LOCKLAB_STRESS_EXPLORE_STATES_H_
#define LOCKLAB_STRESS_EXPLORE_STATES_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

#include "stress/explore/actors.h"
#include "stress/explore/interner.h"
#include "stress/explore/scene.h"

namespace locklab::explore {

inline constexpr uint32_t kNobody = kSlots;

// A moment by numbers.
struct State {
  uint32_t world = 0;
  // Whom others interrupt when they go on; kNobody: no one, or it does not
  // matter to the search.
  uint32_t last = kNobody;
  std::array<Position, kMaxProcesses> at{};
  bool operator==(const State&) const = default;
};
static_assert(std::has_unique_object_representations_v<State>);

class States {
 public:
  static constexpr uint32_t kNone = ~uint32_t{0};

  // How a state was come to.
  struct Origin {
    uint32_t from = kNone;
    Choice choice{};
    uint16_t depth = 0;
  };

  States() : slots_(4096, kFree) {}

  // It is going to be added.
  void Fetch(const State& state) const {
    __builtin_prefetch(&slots_[HashOf(state) & (slots_.size() - 1)]);
  }

  // The number of the state; `fresh`: it was not known.
  uint32_t Add(const State& state, const Origin& origin, bool* fresh) {
    const uint32_t hash = HashOf(state);
    size_t at = hash & (slots_.size() - 1);
    for (; slots_[at] != kFree; at = (at + 1) & (slots_.size() - 1)) {
      const auto number = static_cast<uint32_t>(slots_[at]);
      if (slots_[at] >> 32 == hash && (*this)[number] == state) {
        *fresh = false;
        return number;
      }
    }
    *fresh = true;
    const auto number = static_cast<uint32_t>(size_++);
    slots_[at] = (uint64_t{hash} << 32) | number;
    if (number % kChunk == 0) chunks_.push_back(std::make_unique<Chunk>());
    chunks_.back()->states[number % kChunk] = state;
    chunks_.back()->origins[number % kChunk] = origin;
    if (size_ * 3 > slots_.size() * 2) Grow();
    return number;
  }

  [[nodiscard]] const State& operator[](uint32_t number) const {
    return chunks_[number / kChunk]->states[number % kChunk];
  }
  [[nodiscard]] const Origin& OriginOf(uint32_t number) const {
    return chunks_[number / kChunk]->origins[number % kChunk];
  }
  [[nodiscard]] size_t size() const { return size_; }
  // What it takes, also while it grows next: that doubles the table.
  [[nodiscard]] size_t bytes() const {
    const size_t table = slots_.size() * sizeof(uint64_t);
    const bool full = (size_ + kSoon) * 3 > slots_.size() * 2;
    return chunks_.size() * sizeof(Chunk) + (full ? 3 * table : table);
  }

  [[nodiscard]] Schedule WayTo(uint32_t number) const {
    Schedule way;
    for (; OriginOf(number).from != kNone; number = OriginOf(number).from) {
      way.push_back(OriginOf(number).choice);
    }
    std::reverse(way.begin(), way.end());
    return way;
  }

 private:
  static uint32_t HashOf(const State& state) {
    return static_cast<uint32_t>(HashBytes(&state, sizeof state));
  }

  static constexpr size_t kChunk = size_t{1} << 12;
  // Before anybody asks for its size again.
  static constexpr size_t kSoon = size_t{1} << 14;
  struct Chunk {
    std::array<State, kChunk> states;
    std::array<Origin, kChunk> origins;
  };

  void Grow() {
    Table old(slots_.size() * 2, kFree);
    old.swap(slots_);
    for (const uint64_t slot : old) {
      if (slot == kFree) continue;
      size_t at = (slot >> 32) & (slots_.size() - 1);
      while (slots_[at] != kFree) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = slot;
    }
  }

  // A part of the hash, that tells most others, above the number.
  static constexpr uint64_t kFree = ~uint64_t{0};
  using Table = std::vector<uint64_t, GreatPages<uint64_t>>;
  Table slots_;
  std::vector<std::unique_ptr<Chunk>> chunks_;
  size_t size_ = 0;
};

}  // namespace locklab::explore

#endif  // LOCKLAB_STRESS_EXPLORE_STATES_H_
