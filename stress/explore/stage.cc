#include "stress/explore/stage.h"

#include <sys/mman.h>

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

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LOCKLAB_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define LOCKLAB_SANITIZED 1
#endif
#endif

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
Stage* g_playing = nullptr;
// Whose memory may be given back.
Stage* g_built = nullptr;

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

constexpr size_t kContextSize = (sizeof(ucontext_t) + 63) / 64 * 64;

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

#if defined(__x86_64__)
size_t StackPointer(const ucontext_t& context) {
  return static_cast<size_t>(context.uc_mcontext.gregs[REG_RSP]);
}
// What begins anew begins with no register of who lets it.
void ForgetAllRegisters(ucontext_t* context) {
  std::fill(std::begin(context->uc_mcontext.gregs),
            std::end(context->uc_mcontext.gregs), 0);
}
// Registers that a function may change hold nothing across a call.
void ForgetRegisters(ucontext_t* context) {
  for (const int each : {REG_RDI, REG_RSI, REG_RDX, REG_RCX, REG_R8, REG_R9,
                         REG_R10, REG_R11, REG_RAX}) {
    context->uc_mcontext.gregs[each] = 0;
  }
}
#elif defined(__aarch64__)
size_t StackPointer(const ucontext_t& context) {
  return context.uc_mcontext.sp;
}
void ForgetAllRegisters(ucontext_t* context) {
  std::fill(std::begin(context->uc_mcontext.regs),
            std::end(context->uc_mcontext.regs), 0);
}
void ForgetRegisters(ucontext_t*) {}
#else
#error "where is the stack pointer of a ucontext_t?"
#endif

}  // namespace

Stage::Stage(std::function<void()> body)
    : body_(std::move(body)),
      region_(
          MapRegion(PagesFor(kContextSize + sizeof(Heap)) + kPage + kStack)),
      here_(new (region_) ucontext_t{}),
      heap_(new (region_ + kContextSize) Heap),
      stack_(region_ + PagesFor(kContextSize + sizeof(Heap)) + kPage) {
  mprotect(stack_ - kPage, kPage, PROT_NONE);
}

Stage::~Stage() {
  if (g_built == this) g_built = nullptr;
  munmap(region_, static_cast<size_t>(stack_ + kStack - region_));
}

void Stage::Enter(unsigned high, unsigned low) {
  auto* const self = reinterpret_cast<Stage*>(
      static_cast<uintptr_t>((static_cast<uint64_t>(high) << 32) | low));
  self->body_();
  self->Yield();  // for ever
}

void Stage::Clean(char* from, char* to) {
  std::memset(from, 0, static_cast<size_t>(to - from));
}

void Stage::Begin() {
  std::memset(heap_->bytes.data(), 0, heap_->top * kGranule);
  heap_->top = 0;
  heap_->used.fill(0);
  Clean(stack_, stack_ + kStack);
  std::memset(static_cast<void*>(here_), 0, sizeof *here_);
  getcontext(here_);
  ForgetAllRegisters(here_);
  here_->uc_stack.ss_sp = stack_;
  here_->uc_stack.ss_size = kStack;
  here_->uc_link = nullptr;
  const auto self = reinterpret_cast<uintptr_t>(this);
  makecontext(here_, reinterpret_cast<void (*)()>(&Stage::Enter), 2,
              static_cast<unsigned>(self >> 32), static_cast<unsigned>(self));
  Resume();
}

void Stage::Resume() {
  g_built = this;
  g_playing = this;
  swapcontext(&back_, here_);
  g_playing = nullptr;
}

void Stage::Yield() {
  Stage* const was = std::exchange(g_playing, nullptr);
  swapcontext(here_, &back_);
  g_playing = was;
}

void Stage::Save(std::string* image) {
  ForgetRegisters(here_);
  const size_t sp = StackPointer(*here_) - reinterpret_cast<size_t>(stack_);
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

Digest Stage::DigestOf(const std::string& image) {
  Digest digest{.low = 0x9e3779b97f4a7c15 ^ image.size(),
                .high = 0xc2b2ae3d27d4eb4f};
  const char* at = image.data();
  size_t left = image.size();
  while (left > 0) {
    uint64_t word = 0;
    std::memcpy(&word, at, std::min<size_t>(left, 8));
    digest.low = (digest.low ^ word) * 0xff51afd7ed558ccd;
    digest.low ^= digest.low >> 32;
    digest.high = std::rotl(digest.high, 23) + word;
    digest.high *= 0x9ddfea08eb382d69;
    at += std::min<size_t>(left, 8);
    left -= std::min<size_t>(left, 8);
  }
  digest.low ^= digest.low >> 29;
  digest.high ^= digest.high >> 31;
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
  for (volatile uint64_t* at = begin; at < end; ++at) *at = 0;
}

void* Stage::Allocate(size_t size) {
  const size_t count = (size + sizeof(Block) + kGranule - 1) / kGranule;
  size_t from = 0;
  size_t run = 0;
  while (run < count && from + run < kGranules) {
    if (heap_->Used(from + run)) {
      from += run + 1;
      run = 0;
    } else {
      ++run;
    }
  }
  if (run < count) throw std::bad_alloc();
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
