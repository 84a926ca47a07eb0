// Memory that a process shares with the children it forks.
//
//   Shared<Board> board;             // value-initialised, at one address
//   Shared<Slot> slots(64);          // or an array
//   Child::Spawn([&] { slots[3].count.fetch_add(1); ... });
//
// What a child wrote stays when it is killed. The memory goes when the last
// process that inherited it is gone; nothing is left in any filesystem.
#ifndef LOCKLAB_CONFORMANCE_PROC_SHARED_H_
#define LOCKLAB_CONFORMANCE_PROC_SHARED_H_

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <span>
#include <system_error>
#include <type_traits>

namespace locklab::proc {

template <typename T>
class Shared {
  // Several processes hold it: there is no moment to destroy a T.
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  // Throws std::system_error (ENOMEM).
  explicit Shared(size_t count = 1) : count_(count) {
    void* memory = mmap(nullptr, bytes(), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      throw std::system_error(errno, std::generic_category(),
                              "cannot map shared memory");
    }
    data_ = static_cast<T*>(memory);
    std::uninitialized_value_construct_n(data_, count);
  }
  ~Shared() { munmap(data_, bytes()); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  T& operator*() const { return *data_; }
  T* operator->() const { return data_; }
  T& operator[](size_t index) const { return data_[index]; }
  [[nodiscard]] size_t size() const { return count_; }
  [[nodiscard]] std::span<T> span() const { return {data_, count_}; }

 private:
  [[nodiscard]] size_t bytes() const {
    return count_ == 0 ? 1 : count_ * sizeof(T);
  }

  size_t count_;
  T* data_ = nullptr;
};

}  // namespace locklab::proc

#endif  // LOCKLAB_CONFORMANCE_PROC_SHARED_H_
