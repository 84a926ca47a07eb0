#include "stress/explore/stage.h"

#include <sys/mman.h>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <new>
#include <system_error>
#include <utility>

#include "stress/explore/sanitizers.h"

namespace locklab::explore {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kStack = size_t{128} << 10;
constexpr size_t kHeap = size_t{256} << 10;
constexpr size_t kGranule = 32;
constexpr size_t kGranules = kHeap / kGranule;
// Below the stack pointer: what a function that calls no other may use.
constexpr size_t kRedZone = 128;
// As deep as the code goes between two calls through the seam.
constexpr size_t kSwept = size_t{12} << 10;

// Whose code runs, and allocates there.
thread_local Stage* g_playing = nullptr;
// Whose memory may be given back.
thread_local Stage* g_built = nullptr;

struct Block {
  size_t granules;
  size_t padding;  // what follows is aligned to sixteen bytes
};

}  // namespace

// First fit: where a block lies depends on what lives alone, and not on what
// has lived before. What is free is zero.
struct Stage::Heap {
  uint32_t top = 0;  // all granules from there on are free
  uint32_t padding = 0;
  std::array<uint64_t, kGranules / 64> used{};
  alignas(kGranule) std::array<char, kHeap> bytes{};

  [[nodiscard]] bool Used(size_t at) const {
    return ((used[at / 64] >> (at % 64)) & 1) != 0;
  }
  // Those from there on in its word, the lowest bit first, and how many.
  [[nodiscard]] uint64_t From(size_t at, size_t* count) const {
    *count = 64 - at % 64;
    return used[at / 64] >> (at % 64);
  }
  // The first place for so many; kGranules: there is none.
  [[nodiscard]] size_t FindFree(size_t count) const {
    size_t free = 0;
    size_t at = 0;
    while (free < count && at < kGranules) {
      size_t left = 0;
      const uint64_t word = From(at, &left);
      const auto zeros =
          std::min(static_cast<size_t>(std::countr_zero(word)), left);
      free += zeros;
      at += zeros;
      if (free >= count || zeros == left) continue;
      free = 0;
      at += static_cast<size_t>(std::countr_one(word >> zeros));
    }
    return free < count ? kGranules : at - free;
  }
  void Mark(size_t from, size_t count, bool in_use) {
    for (size_t at = from; at < from + count; ++at) {
      const uint64_t bit = uint64_t{1} << (at % 64);
      used[at / 64] = in_use ? used[at / 64] | bit : used[at / 64] & ~bit;
    }
  }
};

bool Stage::IsToBeHad() {
#ifdef LOCKLAB_SANITIZED
  return false;
#else
  return true;
#endif
}

namespace {

char* MapRegion(size_t size) {
  void* const at = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) {
    throw std::system_error(errno, std::generic_category(),
                            "no room for a stage");
  }
  return static_cast<char*>(at);
}

constexpr size_t PagesFor(size_t size) {
  return (size + kPage - 1) / kPage * kPage;
}

}  // namespace

#if defined(__x86_64__)
// swapcontext(3) asks the kernel twice each time, for signals. Here what a
// function has to keep is pushed on its stack, and the rest is forgotten: it
// holds nothing across a call.
struct Stage::Registers {
  char* sp = nullptr;

  [[nodiscard]] size_t StackPointer() const {
    return reinterpret_cast<size_t>(sp);
  }
  // What begins anew begins with no register of who lets it.
  void Begin(char* stack, size_t size, void (*enter)(Stage*), Stage* stage);
  static void Switch(Registers* from, const Registers& to);
};

extern "C" void LocklabSwitchStacks(char** save, char* load);
extern "C" void LocklabBeginStack();
asm(R"(
  .text
  .p2align 4
  .type LocklabSwitchStacks, @function
LocklabSwitchStacks:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size LocklabSwitchStacks, .-LocklabSwitchStacks
  .p2align 4
  .type LocklabBeginStack, @function
LocklabBeginStack:
  .cfi_startproc
  .cfi_undefined rip
  movq %r12, %rdi
  xorl %r12d, %r12d
  movq %rbx, %rax
  xorl %ebx, %ebx
  callq *%rax
  ud2
  .cfi_endproc
  .size LocklabBeginStack, .-LocklabBeginStack
)");

void Stage::Registers::Begin(char* stack, size_t size, void (*enter)(Stage*),
                             Stage* stage) {
  // As LocklabSwitchStacks takes them off; the stack is aligned at the call.
  auto* const top = reinterpret_cast<void**>(stack + size) - 9;
  top[2] = nullptr;
  top[3] = stage;                           // r12
  top[4] = reinterpret_cast<void*>(enter);  // rbx
  top[6] = reinterpret_cast<void*>(&LocklabBeginStack);
  sp = reinterpret_cast<char*>(top);
}

void Stage::Registers::Switch(Registers* from, const Registers& to) {
  LocklabSwitchStacks(&from->sp, to.sp);
}
#elif defined(__aarch64__)
struct Stage::Registers {
  ucontext_t context{};

  [[nodiscard]] size_t StackPointer() const { return context.uc_mcontext.sp; }
  static void Enter(unsigned enter_high, unsigned enter_low, unsigned high,
                    unsigned low) {
    const auto join = [](unsigned upper, unsigned lower) {
      return static_cast<uintptr_t>((uint64_t{upper} << 32) | lower);
    };
    reinterpret_cast<void (*)(Stage*)>(join(enter_high, enter_low))(
        reinterpret_cast<Stage*>(join(high, low)));
  }
  void Begin(char* stack, size_t size, void (*enter)(Stage*), Stage* stage) {
    std::memset(static_cast<void*>(&context), 0, sizeof context);
    getcontext(&context);
    std::fill(std::begin(context.uc_mcontext.regs),
              std::end(context.uc_mcontext.regs), 0);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = size;
    const auto to = reinterpret_cast<uintptr_t>(enter);
    const auto self = reinterpret_cast<uintptr_t>(stage);
    makecontext(&context, reinterpret_cast<void (*)()>(&Enter), 4,
                static_cast<unsigned>(to >> 32), static_cast<unsigned>(to),
                static_cast<unsigned>(self >> 32), static_cast<unsigned>(self));
  }
  static void Switch(Registers* from, const Registers& to) {
    swapcontext(&from->context, &to.context);
  }
};
#else
#error "how are stacks switched here?"
#endif

// Behind the registers.
static constexpr size_t kHeapAt = 1024;

Stage::Stage(std::function<void()> body)
    : body_(std::move(body)),
      region_(MapRegion(PagesFor(kHeapAt + sizeof(Heap)) + kPage + kStack)),
      here_(new (region_) Registers),
      heap_(new (region_ + kHeapAt) Heap),
      stack_(region_ + PagesFor(kHeapAt + sizeof(Heap)) + kPage),
      back_(std::make_unique<Registers>()) {
  mprotect(stack_ - kPage, kPage, PROT_NONE);
}

Stage::~Stage() {
  if (g_built == this) g_built = nullptr;
  munmap(region_, static_cast<size_t>(stack_ + kStack - region_));
}

void Stage::Enter(Stage* stage) {
  stage->body_();
  stage->Yield();  // for ever
}

void Stage::Clean(char* from, char* to) {
  std::memset(from, 0, static_cast<size_t>(to - from));
}

void Stage::Begin() {
  std::memset(heap_->bytes.data(), 0, heap_->top * kGranule);
  heap_->top = 0;
  heap_->used.fill(0);
  Clean(stack_, stack_ + kStack);
  here_->Begin(stack_, kStack, &Stage::Enter, this);
  Resume();
}

void Stage::Resume() {
  g_built = this;
  g_playing = this;
  Registers::Switch(back_.get(), *here_);
  g_playing = nullptr;
}

void Stage::Yield() {
  Stage* const was = std::exchange(g_playing, nullptr);
  Registers::Switch(here_, *back_);
  g_playing = was;
}

void Stage::Save(std::string* image) {
  const size_t sp = here_->StackPointer() - reinterpret_cast<size_t>(stack_);
  const size_t top = heap_->top;
  const size_t words = (top + 63) / 64;
  image->resize(2 * sizeof(size_t) + sizeof *here_ + words * 8 +
                top * kGranule + (kStack - sp));
  char* to = image->data();
  const auto put = [&to](const void* from, size_t size) {
    std::memcpy(to, from, size);
    to += size;
  };
  put(&sp, sizeof sp);
  put(&top, sizeof top);
  put(here_, sizeof *here_);
  put(heap_->used.data(), words * 8);
  put(heap_->bytes.data(), top * kGranule);
  put(stack_ + sp, kStack - sp);
}

void Stage::Load(const std::string& image) {
  const char* from = image.data();
  const auto take = [&from](void* to, size_t size) {
    std::memcpy(to, from, size);
    from += size;
  };
  size_t sp = 0;
  size_t top = 0;
  take(&sp, sizeof sp);
  take(&top, sizeof top);
  take(here_, sizeof *here_);
  if (heap_->top > top) {
    std::memset(heap_->bytes.data() + top * kGranule, 0,
                (heap_->top - top) * kGranule);
  }
  heap_->used.fill(0);
  heap_->top = static_cast<uint32_t>(top);
  take(heap_->used.data(), (top + 63) / 64 * 8);
  take(heap_->bytes.data(), top * kGranule);
  Clean(stack_ + sp - std::min(sp, 3 * kSwept), stack_ + sp);
  take(stack_ + sp, kStack - sp);
}

// Each word goes into one lane of each half, so that the processor need not
// wait for one multiplication to begin the next.
Digest Stage::DigestOf(const std::string& image) {
  constexpr size_t kLanes = 4;
  std::array<uint64_t, kLanes> low{1, 2, 3, 4};
  std::array<uint64_t, kLanes> high{5, 6, 7, 8};
  const auto stir = [&](const std::array<uint64_t, kLanes>& words) {
    for (size_t i = 0; i < kLanes; ++i) {
      low[i] = (low[i] ^ words[i]) * 0xff51afd7ed558ccd;
      low[i] ^= low[i] >> 32;
      high[i] = (std::rotl(high[i], 23) + words[i]) * 0x9ddfea08eb382d69;
    }
  };
  std::array<uint64_t, kLanes> words{};
  const char* at = image.data();
  const char* const end = at + image.size();
  for (; end - at >= static_cast<ptrdiff_t>(sizeof words); at += sizeof words) {
    std::memcpy(words.data(), at, sizeof words);
    stir(words);
  }
  words.fill(0);
  std::memcpy(words.data(), at, static_cast<size_t>(end - at));
  stir(words);
  Digest digest{.low = 0x9e3779b97f4a7c15 ^ image.size(),
                .high = 0xc2b2ae3d27d4eb4f};
  for (size_t i = 0; i < kLanes; ++i) {
    digest.low = (digest.low ^ low[i]) * 0xff51afd7ed558ccd;
    digest.low ^= digest.low >> 29;
    digest.high = (std::rotl(digest.high, 23) + high[i]) * 0x9ddfea08eb382d69;
    digest.high ^= digest.high >> 31;
  }
  return digest;
}

Stage::Outside::Outside() : was_(std::exchange(g_playing, nullptr)) {}
Stage::Outside::~Outside() { g_playing = was_; }

Stage* Stage::Playing() { return g_playing; }

// By stores of its own: a function that is called to do it would lie in what
// is to be cleared.
__attribute__((noinline)) void Stage::Sweep() {
  if (g_playing == nullptr) return;
  auto* const end = reinterpret_cast<uint64_t*>(
      reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) / 16 * 16 -
      3 * kRedZone);
  auto* const begin = std::max(end - kSwept / 8,
                               reinterpret_cast<uint64_t*>(g_playing->stack_));
#if defined(__x86_64__)
  size_t words = begin < end ? static_cast<size_t>(end - begin) : 0;
  uint64_t* at = begin;
  asm volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(0) : "memory");
#else
  for (volatile uint64_t* at = begin; at < end; ++at) *at = 0;
#endif
}

void* Stage::Allocate(size_t size) {
  const size_t count = (size + sizeof(Block) + kGranule - 1) / kGranule;
  const size_t from = heap_->FindFree(count);
  if (from == kGranules) throw std::bad_alloc();
  heap_->Mark(from, count, true);
  heap_->top = std::max(heap_->top, static_cast<uint32_t>(from + count));
  auto* const block =
      reinterpret_cast<Block*>(heap_->bytes.data() + from * kGranule);
  block->granules = count;
  return block + 1;
}

void Stage::Free(void* at) {
  Block* const block = static_cast<Block*>(at) - 1;
  const size_t count = block->granules;
  const size_t from = static_cast<size_t>(reinterpret_cast<char*>(block) -
                                          heap_->bytes.data()) /
                      kGranule;
  std::memset(static_cast<void*>(block), 0, count * kGranule);
  heap_->Mark(from, count, false);
  while (heap_->top > 0 && !heap_->Used(heap_->top - 1)) --heap_->top;
}

bool Stage::Owns(const void* at) const {
  return at >= heap_->bytes.data() && at < heap_->bytes.data() + kHeap;
}

namespace {

[[maybe_unused]] bool GiveBack(void* at) {
  if (g_built == nullptr || !g_built->Owns(at)) return false;
  g_built->Free(at);
  return true;
}

[[maybe_unused]] void* Get(size_t size) {
  if (g_playing != nullptr) return g_playing->Allocate(size);
  void* const at = std::malloc(size == 0 ? 1 : size);
  if (at == nullptr) throw std::bad_alloc();
  return at;
}

}  // namespace
}  // namespace locklab::explore

#ifndef LOCKLAB_SANITIZED
void* operator new(size_t size) { return locklab::explore::Get(size); }
void operator delete(void* at) noexcept {
  if (!locklab::explore::GiveBack(at)) std::free(at);
}
void operator delete(void* at, size_t) noexcept { operator delete(at); }
#endif
