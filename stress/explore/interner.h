// Numbers for byte strings: equal strings have equal numbers, from 0 on.
#ifndef LOCKLAB_STRESS_EXPLORE_INTERNER_H_
#define LOCKLAB_STRESS_EXPLORE_INTERNER_H_

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <vector>

namespace locklab::explore {

[[nodiscard]] inline uint64_t HashBytes(const void* data, size_t size) {
  const auto* at = static_cast<const unsigned char*>(data);
  uint64_t hash = 0x9e3779b97f4a7c15 ^ size;
  for (; size >= 8; at += 8, size -= 8) {
    uint64_t word = 0;
    std::memcpy(&word, at, 8);
    hash = (hash ^ word) * 0xff51afd7ed558ccd;
    hash ^= hash >> 32;
  }
  uint64_t rest = 0;
  if (size > 0) std::memcpy(&rest, at, size);  // from nowhere, otherwise
  hash = (hash ^ rest) * 0xff51afd7ed558ccd;
  return hash ^ (hash >> 29);
}

// For tables that are looked into at random: on pages so great that the
// processor remembers where they all are. What was freed is the system's again.
template <typename T>
struct GreatPages {
  using value_type = T;
  static constexpr size_t kGreat = size_t{2} << 20;

  GreatPages() = default;
  template <typename U>
  explicit GreatPages(const GreatPages<U>&) {}

  T* allocate(size_t count) {
    const size_t size = count * sizeof(T);
    return static_cast<T*>(size < kGreat ? operator new(size) : Map(size));
  }
  void deallocate(T* at, size_t count) {
    const size_t size = count * sizeof(T);
    size < kGreat ? operator delete(at) : static_cast<void>(munmap(at, size));
  }
  bool operator==(const GreatPages&) const = default;

 private:
  // Begins where a great page can.
  static void* Map(size_t size) {
    void* const got = mmap(nullptr, size + kGreat, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (got == MAP_FAILED) throw std::bad_alloc();
    const size_t before = -reinterpret_cast<uintptr_t>(got) % kGreat;
    char* const at = static_cast<char*>(got) + before;
    if (before > 0) munmap(got, before);
    munmap(at + size, kGreat - before);
    madvise(at, size, MADV_HUGEPAGE);  // where it is to be had
    return at;
  }
};

// Grows only. Strings of 64 KiB at most. Not for more than one thread.
class Interner {
 public:
  Interner() : slots_(1024, kNone) {}

  uint32_t Id(std::string_view bytes) {
    const uint64_t hash = HashBytes(bytes.data(), bytes.size());
    size_t at = hash & (slots_.size() - 1);
    for (; slots_[at] != kNone; at = (at + 1) & (slots_.size() - 1)) {
      const Item& item = items_[slots_[at]];
      if (item.hash == static_cast<uint32_t>(hash) &&
          std::string_view(item.data, item.size) == bytes) {
        return slots_[at];
      }
    }
    const auto id = static_cast<uint32_t>(items_.size());
    slots_[at] = id;
    items_.push_back({Store(bytes), static_cast<uint32_t>(hash),
                      static_cast<uint32_t>(bytes.size())});
    if (items_.size() * 2 > slots_.size()) Grow();
    return id;
  }

  [[nodiscard]] std::string_view Text(uint32_t id) const {
    return {items_[id].data, items_[id].size};
  }
  [[nodiscard]] size_t size() const { return items_.size(); }
  [[nodiscard]] size_t bytes() const {
    return chunks_.size() * kChunk + items_.capacity() * sizeof(Item) +
           slots_.size() * sizeof(uint32_t);
  }

 private:
  struct Item {
    const char* data;
    uint32_t hash;
    uint32_t size;
  };
  using Table = std::vector<uint32_t, GreatPages<uint32_t>>;
  static constexpr uint32_t kNone = ~uint32_t{0};
  static constexpr size_t kChunk = size_t{1} << 16;

  const char* Store(std::string_view bytes) {
    if (chunks_.empty() || used_ + bytes.size() > kChunk) {
      chunks_.push_back(std::make_unique<char[]>(kChunk));
      used_ = 0;
    }
    char* to = chunks_.back().get() + used_;
    if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
    used_ += bytes.size();
    return to;
  }

  void Grow() {
    slots_ = Table(slots_.size() * 2, kNone);
    for (uint32_t id = 0; id < items_.size(); ++id) {
      const uint64_t hash = HashBytes(items_[id].data, items_[id].size);
      size_t at = hash & (slots_.size() - 1);
      while (slots_[at] != kNone) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = id;
    }
  }

  Table slots_;
  std::vector<Item> items_;
  std::vector<std::unique_ptr<char[]>> chunks_;
  size_t used_ = 0;
};

// Numbers for numbers, kept in one piece. The greatest key is not to be used.
class NumberMap {
 public:
  NumberMap() : items_(1024) {}

  [[nodiscard]] const uint32_t* Find(uint64_t key) const {
    const Item& item = items_[At(key)];
    return item.key == key ? &item.value : nullptr;
  }
  // It is going to be looked for.
  void Fetch(uint64_t key) const {
    __builtin_prefetch(&items_[HashOf(key) & (items_.size() - 1)]);
  }
  // Does nothing where the key is known.
  void Add(uint64_t key, uint32_t value) {
    Item& item = items_[At(key)];
    if (item.key == key) return;
    item = {key, value};
    if (++size_ * 2 > items_.size()) Grow();
  }
  [[nodiscard]] size_t size() const { return size_; }
  // What it takes, also while it grows next.
  [[nodiscard]] size_t bytes() const {
    const bool full = (size_ + kSoon) * 2 > items_.size();
    return items_.size() * sizeof(Item) * (full ? 3 : 1);
  }

 private:
  static constexpr uint64_t kNone = ~uint64_t{0};
  // Before anybody asks for its size again.
  static constexpr size_t kSoon = size_t{1} << 14;
  struct Item {
    uint64_t key = kNone;
    uint32_t value = 0;
  };

  using Table = std::vector<Item, GreatPages<Item>>;

  static uint64_t HashOf(uint64_t key) {
    const uint64_t hash = key * 0x9e3779b97f4a7c15;
    return hash ^ (hash >> 29);
  }
  [[nodiscard]] size_t At(uint64_t key) const {
    size_t at = HashOf(key) & (items_.size() - 1);
    while (items_[at].key != key && items_[at].key != kNone) {
      at = (at + 1) & (items_.size() - 1);
    }
    return at;
  }

  void Grow() {
    Table old(items_.size() * 2);
    old.swap(items_);
    for (const Item& item : old) {
      if (item.key != kNone) items_[At(item.key)] = item;
    }
  }

  Table items_;
  size_t size_ = 0;
};

// The same for plain values that have no padding.
template <typename T>
class ValueInterner {
  static_assert(std::has_unique_object_representations_v<T>);

 public:
  uint32_t Id(const T& value) {
    return bytes_.Id({reinterpret_cast<const char*>(&value), sizeof value});
  }
  [[nodiscard]] T Get(uint32_t id) const {
    T value;
    std::memcpy(&value, bytes_.Text(id).data(), sizeof value);
    return value;
  }
  [[nodiscard]] size_t size() const { return bytes_.size(); }
  [[nodiscard]] size_t bytes() const { return bytes_.bytes(); }

 private:
  Interner bytes_;
};

}  // namespace locklab::explore

#endif  // LOCKLAB_STRESS_EXPLORE_INTERNER_H_
