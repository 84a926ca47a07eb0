// A function that can be left in the middle and gone on with, on a stack of
// its own. Not for more than one thread; exceptions must not leave it.
#ifndef LOCKLAB_STRESS_EXPLORE_FIBER_H_
#define LOCKLAB_STRESS_EXPLORE_FIBER_H_

#include <ucontext.h>

#include <functional>
#include <memory>

namespace locklab::explore {

class Fiber {
 public:
  explicit Fiber(std::function<void()> body);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Runs the body until it yields or ends. Not from inside a fiber.
  void Resume();
  // From inside the body: back to who resumed it.
  void Yield();
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  static void Enter(unsigned high, unsigned low);
  void Leave(bool for_good);

  std::function<void()> body_;
  char* stack_ = nullptr;  // mapped, with a guard page below
  ucontext_t here_{};
  ucontext_t back_{};
  bool ended_ = false;
  // For the sanitizers, which have to know of every stack.
  [[maybe_unused]] void* fake_here_ = nullptr;
  [[maybe_unused]] void* fake_back_ = nullptr;
  [[maybe_unused]] const void* back_bottom_ = nullptr;
  [[maybe_unused]] size_t back_size_ = 0;
  [[maybe_unused]] void* tsan_here_ = nullptr;
  [[maybe_unused]] void* tsan_back_ = nullptr;
};

}  // namespace locklab::explore

#endif  // LOCKLAB_STRESS_EXPLORE_FIBER_H_
