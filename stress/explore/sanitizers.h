// Which sanitizer this is built with, by whatever compiler: LOCKLAB_ASAN,
// LOCKLAB_TSAN, LOCKLAB_MSAN. They have a view of stacks and an allocator of
// their own (LOCKLAB_SANITIZED); that of undefined behaviour has not.
#ifndef LOCKLAB_STRESS_EXPLORE_SANITIZERS_H_
#define LOCKLAB_STRESS_EXPLORE_SANITIZERS_H_

#if defined(__SANITIZE_ADDRESS__)
#define LOCKLAB_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define LOCKLAB_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LOCKLAB_ASAN 1
#elif __has_feature(thread_sanitizer)
#define LOCKLAB_TSAN 1
#elif __has_feature(memory_sanitizer)
#define LOCKLAB_MSAN 1
#endif
#endif

#if defined(LOCKLAB_ASAN) || defined(LOCKLAB_TSAN) || defined(LOCKLAB_MSAN)
#define LOCKLAB_SANITIZED 1
#endif

#endif  // LOCKLAB_STRESS_EXPLORE_SANITIZERS_H_
