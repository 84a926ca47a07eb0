#include "stress/explore/fiber.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>
#include <vector>

#include "stress/explore/sanitizers.h"
#ifdef LOCKLAB_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef LOCKLAB_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace locklab::explore {
namespace {

constexpr size_t kGuard = 4096;
#ifdef LOCKLAB_SANITIZED
constexpr size_t kStack = size_t{512} << 10;
#else
constexpr size_t kStack = size_t{128} << 10;
#endif

// Mapping a stack takes longer than what runs on it. Each thread has its own.
class SpareStacks {
 public:
  SpareStacks() = default;
  ~SpareStacks() {
    for (char* const stack : spare_) munmap(stack, kGuard + kStack);
  }
  SpareStacks(const SpareStacks&) = delete;
  SpareStacks& operator=(const SpareStacks&) = delete;

  char* Take() {
    if (spare_.empty()) return Map();
    char* const stack = spare_.back();
    spare_.pop_back();
    return stack;
  }
  void Give(char* stack) { spare_.push_back(stack); }

 private:
  static char* Map() {
    void* const at = mmap(nullptr, kGuard + kStack, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
      throw std::system_error(errno, std::generic_category(),
                              "no room for another stack");
    }
    mprotect(at, kGuard, PROT_NONE);
    return static_cast<char*>(at);
  }

  std::vector<char*> spare_;
};

thread_local SpareStacks g_spare_stacks;

}  // namespace

Fiber::Fiber(std::function<void()> body)
    : body_(std::move(body)), stack_(g_spare_stacks.Take()) {
  getcontext(&here_);
  here_.uc_stack.ss_sp = stack_ + kGuard;
  here_.uc_stack.ss_size = kStack;
  here_.uc_link = nullptr;
  const auto self = reinterpret_cast<uintptr_t>(this);
  makecontext(&here_, reinterpret_cast<void (*)()>(&Fiber::Enter), 2,
              static_cast<unsigned>(self >> 32), static_cast<unsigned>(self));
#ifdef LOCKLAB_TSAN
  tsan_here_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
#ifdef LOCKLAB_ASAN
  // What stands there for ever never says that its variables are gone.
  ASAN_UNPOISON_MEMORY_REGION(stack_ + kGuard, kStack);
#endif
#ifdef LOCKLAB_TSAN
  __tsan_destroy_fiber(tsan_here_);
#endif
  g_spare_stacks.Give(stack_);
}

void Fiber::Enter(unsigned high, unsigned low) {
  auto* const self = reinterpret_cast<Fiber*>(
      static_cast<uintptr_t>((static_cast<uint64_t>(high) << 32) | low));
#ifdef LOCKLAB_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &self->back_bottom_,
                                  &self->back_size_);
#endif
  self->body_();
  self->ended_ = true;
  self->Leave(/*for_good=*/true);
}

void Fiber::Resume() {
#ifdef LOCKLAB_ASAN
  __sanitizer_start_switch_fiber(&fake_back_, stack_ + kGuard, kStack);
#endif
#ifdef LOCKLAB_TSAN
  tsan_back_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(tsan_here_, 0);
#endif
  swapcontext(&back_, &here_);
#ifdef LOCKLAB_ASAN
  __sanitizer_finish_switch_fiber(fake_back_, nullptr, nullptr);
#endif
}

void Fiber::Yield() { Leave(/*for_good=*/false); }

void Fiber::Leave(bool for_good) {
#ifdef LOCKLAB_ASAN
  __sanitizer_start_switch_fiber(for_good ? nullptr : &fake_here_, back_bottom_,
                                 back_size_);
#endif
#ifdef LOCKLAB_TSAN
  __tsan_switch_to_fiber(tsan_back_, 0);
#endif
  (void)for_good;
  swapcontext(&here_, &back_);
#ifdef LOCKLAB_ASAN
  __sanitizer_finish_switch_fiber(fake_here_, &back_bottom_, &back_size_);
#endif
}

}  // namespace locklab::explore
