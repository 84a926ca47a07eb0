// Where the code of one process at a time runs: its stack and its heap, at the
// same addresses always, so that all of it can be saved, compared and loaded
// again. What has the same bytes there goes on in the same way.
//
// Not to be had under the sanitizers, which have an allocator and a view of
// stacks of their own. A stage is one thread's; each thread may have one.
// Exceptions must not leave the body.
#ifndef LOCKLAB_STRESS_EXPLORE_STAGE_H_
#define LOCKLAB_STRESS_EXPLORE_STAGE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace locklab::explore {

struct Digest {
  uint64_t low = 0;
  uint64_t high = 0;
  bool operator==(const Digest&) const = default;
};

class Stage {
 public:
  [[nodiscard]] static bool IsToBeHad();

  // Throws std::system_error where there is no memory.
  explicit Stage(std::function<void()> body);
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  // The body begins anew, and runs until it yields or ends.
  void Begin();
  // It goes on from where it is, or from where an image was made.
  void Resume();
  void Load(const std::string& image);
  // Nothing but what the future of the body can depend on, and little else.
  void Save(std::string* image);
  [[nodiscard]] static Digest DigestOf(const std::string& image);

  // From inside the body: back to who resumed it.
  void Yield();

  // While it lives, the body's code allocates what is not the process's own.
  class Outside {
   public:
    Outside();
    ~Outside();
    Outside(const Outside&) = delete;
    Outside& operator=(const Outside&) = delete;

   private:
    Stage* const was_;
  };
  // Clears what returned functions have left on the stack: it would tell apart
  // what is the same. From inside the body; does nothing elsewhere.
  static void Sweep();

  // For operator new and delete.
  [[nodiscard]] void* Allocate(size_t size);
  void Free(void* at);
  [[nodiscard]] bool Owns(const void* at) const;
  [[nodiscard]] static Stage* Playing();

 private:
  struct Heap;
  struct Registers;
  static void Enter(Stage* stage);
  void Clean(char* from, char* to);

  const std::function<void()> body_;
  char* const region_;  // all that an image is made of lies in here
  Registers* const here_;
  Heap* const heap_;
  char* const stack_;  // its lowest address
  const std::unique_ptr<Registers> back_;
};

}  // namespace locklab::explore

#endif  // LOCKLAB_STRESS_EXPLORE_STAGE_H_
