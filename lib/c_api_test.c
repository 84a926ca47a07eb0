/* The C ABI as a C program meets it: this test links liblockfile.so only. */
#include "lib/c_api.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int failures = 0;

#define CHECK(condition)                                               \
  do {                                                                 \
    if (!(condition)) {                                                \
      fprintf(stderr, "%s:%d: %s: not true: %s\n", __FILE__, __LINE__, \
              __func__, #condition);                                   \
      ++failures;                                                      \
    }                                                                  \
  } while (0)

#define CHECK_CODE(wanted, call)                                           \
  do {                                                                     \
    const int got_ = (call);                                               \
    if (got_ != (wanted)) {                                                \
      fprintf(stderr, "%s:%d: %s: %s is %s, not %s\n", __FILE__, __LINE__, \
              __func__, #call, lockfile_error_name(got_),                  \
              lockfile_error_name(wanted));                                \
      ++failures;                                                          \
    }                                                                      \
  } while (0)

#define CHECK_OK(call) CHECK_CODE(LOCKFILE_OK, call)

static char dir[512];

static const char *PathOf(const char *name) {
  static char path[1024];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  return path;
}

static lockfile_t *Open(const char *name, const char *backend) {
  lockfile_t *lock = NULL;
  CHECK_OK(lockfile_open(PathOf(name), backend, NULL, &lock));
  if (lock == NULL) exit(1);
  return lock;
}

static int IsLocked(lockfile_t *lock) {
  int locked = -1;
  CHECK_OK(lockfile_is_locked(lock, &locked));
  return locked;
}

static int Mine(lockfile_t *lock) {
  int mine = -1;
  CHECK_OK(lockfile_i_am_locking(lock, &mine));
  return mine;
}

/* --- for every backend --------------------------------------------------- */

static void TwoHandlesExcludeEachOther(const char *backend) {
  lockfile_t *one = Open("exclude", backend);
  lockfile_t *two = Open("exclude", backend);
  CHECK(IsLocked(one) == 0);
  CHECK_OK(lockfile_acquire(one, LOCKFILE_FOREVER));
  CHECK_OK(lockfile_acquire(one, 0)); /* idempotent */
  CHECK(Mine(one) == 1 && Mine(two) == 0);
  CHECK(IsLocked(one) == 1 && IsLocked(two) == 1);
  CHECK_CODE(LOCKFILE_E_ALREADY_LOCKED, lockfile_try(two));
  CHECK_CODE(LOCKFILE_E_TIMEOUT, lockfile_acquire(two, 0.02));
  CHECK_CODE(LOCKFILE_E_NOT_MINE, lockfile_release(two));
  CHECK_OK(lockfile_release(one));
  CHECK_CODE(LOCKFILE_E_NOT_LOCKED, lockfile_release(one));
  CHECK_OK(lockfile_try(two));
  CHECK_OK(lockfile_close(two)); /* releases */
  CHECK(IsLocked(one) == 0);
  CHECK_OK(lockfile_close(one));
}

static void OwnerIsThisProcess(const char *backend) {
  lockfile_t *lock = Open("owner", backend);
  lockfile_owner_t owner = {.size = sizeof owner};
  int known = -1;
  CHECK_OK(lockfile_owner(lock, &owner, &known));
  CHECK(known == 0 && owner.token[0] == '\0' && owner.size == sizeof owner);
  CHECK_OK(lockfile_try(lock));
  CHECK_OK(lockfile_owner(lock, &owner, &known));
  CHECK(known == 1);
  CHECK(owner.pid == (int64_t)getpid());
  CHECK(strlen(owner.token) == 32);
  CHECK(owner.host[0] != '\0');
  int life = -1;
  char reason[200] = "unset";
  CHECK_OK(lockfile_holder_liveness(lock, &life, reason, sizeof reason));
  CHECK(life == LOCKFILE_LIFE_ALIVE);
  CHECK_OK(lockfile_release(lock));
  CHECK_OK(lockfile_holder_liveness(lock, &life, NULL, 0));
  CHECK(life == LOCKFILE_LIFE_DEAD);
  CHECK_OK(lockfile_close(lock));
}

static void BrokenHolderLearnsIt(const char *backend) {
  lockfile_t *holder = Open("break", backend);
  lockfile_t *breaker = Open("break", backend);
  lockfile_owner_t owner = {.size = sizeof owner};
  int known = 0;
  int broken = -1;
  CHECK_OK(lockfile_break_lock(breaker, &broken));
  CHECK(broken == 0);
  CHECK_OK(lockfile_try(holder));
  CHECK_OK(lockfile_owner(breaker, &owner, &known));
  CHECK_OK(lockfile_break_lock_if(breaker, "00000000000000000000000000000000",
                                  &broken));
  CHECK(broken == 0);
  CHECK_OK(lockfile_break_lock_if(breaker, owner.token, &broken));
  CHECK(broken == 1);
  CHECK_CODE(LOCKFILE_E_LOST, lockfile_release(holder));
  CHECK_OK(lockfile_close(holder));
  CHECK_OK(lockfile_close(breaker));
}

/* A wait status that says "exited with 0". */
static int ChildSucceeds(pid_t child) {
  int status = -1;
  if (waitpid(child, &status, 0) != child) return 0;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void ChildOwnsNothing(const char *backend) {
  lockfile_t *lock = Open("fork", backend);
  CHECK_OK(lockfile_try(lock));
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    failures = 0;
    CHECK(Mine(lock) == 0);
    CHECK_CODE(LOCKFILE_E_NOT_MINE, lockfile_release(lock));
    CHECK_CODE(LOCKFILE_E_ALREADY_LOCKED, lockfile_try(lock));
    CHECK_OK(lockfile_close(lock));
    _exit(failures);
  }
  CHECK(child > 0 && ChildSucceeds(child));
  CHECK(Mine(lock) == 1);
  CHECK_OK(lockfile_release(lock));
  CHECK_OK(lockfile_close(lock));
}

static void *TryInThread(void *lock) {
  static int code;
  code = lockfile_try(lock);
  return &code;
}

static void ThreadsAreSeparateContenders(const char *backend) {
  lockfile_t *lock = Open("thread", backend);
  CHECK_OK(lockfile_try(lock));
  pthread_t thread;
  void *code = NULL;
  CHECK(pthread_create(&thread, NULL, TryInThread, lock) == 0);
  CHECK(pthread_join(thread, &code) == 0);
  CHECK_CODE(LOCKFILE_E_ALREADY_LOCKED, *(int *)code);
  /* The error of the other thread is not seen here. */
  CHECK_CODE(LOCKFILE_OK, lockfile_last_error(lock));
  CHECK_OK(lockfile_close(lock));
}

static void MissingDirectoryIsAnErrorAtOnce(const char *backend) {
  lockfile_t *lock = Open("missing/lock", backend);
  CHECK_CODE(LOCKFILE_E_FAILED, lockfile_acquire(lock, LOCKFILE_FOREVER));
  CHECK_CODE(LOCKFILE_E_FAILED, lockfile_last_error(lock));
  CHECK(lockfile_last_errno(lock) == ENOENT);
  char message[512] = "";
  CHECK_OK(lockfile_last_message(lock, message, sizeof message));
  CHECK(strstr(message, "missing/lock") != NULL);
  char tiny[4] = "xxx";
  CHECK_OK(lockfile_last_message(lock, tiny, sizeof tiny));
  CHECK(strlen(tiny) == 3 && strncmp(tiny, message, 3) == 0);
  CHECK_OK(lockfile_close(lock));
}

static void NamesAreTold(const char *backend) {
  lockfile_t *lock = Open("names", backend);
  CHECK(strcmp(lockfile_path(lock), PathOf("names")) == 0);
  CHECK(strcmp(lockfile_backend_name(lock), backend) == 0);
  const char *path = lockfile_lock_path(lock);
  CHECK(strncmp(path, lockfile_path(lock), strlen(PathOf("names"))) == 0);
  CHECK_OK(lockfile_close(lock));
}

/* --- once ----------------------------------------------------------------- */

static void NullIsInvalid(void) {
  lockfile_t *lock = NULL;
  char text[16];
  int flag = 0;
  lockfile_owner_t owner = {.size = sizeof owner};
  const int codes[] = {
      lockfile_open(NULL, NULL, NULL, &lock),
      lockfile_open("/x", NULL, NULL, NULL),
      lockfile_close(NULL),
      lockfile_acquire(NULL, 0),
      lockfile_try(NULL),
      lockfile_release(NULL),
      lockfile_refresh(NULL),
      lockfile_is_locked(NULL, &flag),
      lockfile_i_am_locking(NULL, &flag),
      lockfile_owner(NULL, &owner, &flag),
      lockfile_holder_liveness(NULL, &flag, text, sizeof text),
      lockfile_break_lock(NULL, &flag),
      lockfile_break_lock_if(NULL, "", &flag),
      lockfile_backend(0, NULL),
      lockfile_probe(NULL, NULL, NULL),
      lockfile_probe("/", NULL, NULL),
      lockfile_last_message(NULL, NULL, 10),
      lockfile_last_message(NULL, text, 0),
  };
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; ++i) {
    if (codes[i] == LOCKFILE_E_INVALID) continue;
    fprintf(stderr, "%s: call %zu is not invalid\n", __func__, i);
    ++failures;
  }
  CHECK(lock == NULL);
  CHECK(lockfile_path(NULL) == NULL && lockfile_lock_path(NULL) == NULL);
  CHECK(lockfile_backend_name(NULL) == NULL);
}

static void MissingResultsAreInvalid(void) {
  lockfile_t *lock = Open("results", NULL);
  lockfile_owner_t owner = {.size = sizeof owner};
  int flag = 0;
  CHECK_CODE(LOCKFILE_E_INVALID, lockfile_is_locked(lock, NULL));
  CHECK_CODE(LOCKFILE_E_INVALID, lockfile_i_am_locking(lock, NULL));
  CHECK_CODE(LOCKFILE_E_INVALID, lockfile_owner(lock, NULL, &flag));
  CHECK_CODE(LOCKFILE_E_INVALID, lockfile_owner(lock, &owner, NULL));
  owner.size = 0;
  CHECK_CODE(LOCKFILE_E_INVALID, lockfile_owner(lock, &owner, &flag));
  CHECK_CODE(LOCKFILE_E_INVALID, lockfile_holder_liveness(lock, NULL, NULL, 0));
  CHECK_CODE(LOCKFILE_E_INVALID,
             lockfile_holder_liveness(lock, &flag, NULL, 1));
  CHECK_CODE(LOCKFILE_E_INVALID, lockfile_break_lock_if(lock, NULL, &flag));
  CHECK_CODE(LOCKFILE_E_INVALID, lockfile_break_lock_if(lock, "me", &flag));
  CHECK_CODE(LOCKFILE_E_INVALID, lockfile_acquire(lock, (double)NAN));
  CHECK_CODE(LOCKFILE_E_INVALID, lockfile_last_error(lock));
  CHECK_OK(lockfile_break_lock(lock, NULL)); /* this one is optional */
  CHECK_OK(lockfile_close(lock));
}

static void UnknownBackendIsInvalid(void) {
  lockfile_t *lock = NULL;
  CHECK_CODE(LOCKFILE_E_INVALID,
             lockfile_open(PathOf("x"), "etcd", NULL, &lock));
  CHECK(lock == NULL);
  CHECK_CODE(LOCKFILE_E_INVALID, lockfile_last_error(NULL));
  char message[512] = "";
  CHECK_OK(lockfile_last_message(NULL, message, sizeof message));
  CHECK(strstr(message, "backend") != NULL);
}

/* What a program built with a later version of the header could pass. */
struct Later {
  lockfile_options_t known;
  uint64_t news;
};

static void OptionsMayGrow(void) {
  struct Later later = {.known = LOCKFILE_OPTIONS_INIT, .news = 0};
  later.known.size = sizeof later;
  lockfile_t *lock = NULL;
  CHECK_OK(lockfile_open(PathOf("x"), NULL, &later.known, &lock));
  CHECK_OK(lockfile_close(lock));
  later.news = 1;
  CHECK_CODE(LOCKFILE_E_INVALID,
             lockfile_open(PathOf("x"), NULL, &later.known, &lock));
  lockfile_options_t early = LOCKFILE_OPTIONS_INIT;
  early.size = offsetof(lockfile_options_t, mode);
  early.mode = 0xffff; /* not read */
  CHECK_OK(lockfile_open(PathOf("x"), NULL, &early, &lock));
  CHECK_OK(lockfile_close(lock));
  early.size = 0;
  CHECK_CODE(LOCKFILE_E_INVALID,
             lockfile_open(PathOf("x"), NULL, &early, &lock));
}

static void BadOptionsAreInvalid(void) {
  const lockfile_options_t bad[] = {
      {.size = sizeof bad[0], .flags = 1U << 31},
      {.size = sizeof bad[0], .mode = 01777},
      {.size = sizeof bad[0], .lease_seconds = -1},
      {.size = sizeof bad[0], .lease_seconds = (double)NAN},
      {.size = sizeof bad[0], .ownerless_grace_seconds = (double)INFINITY},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i) {
    lockfile_t *lock = NULL;
    CHECK_CODE(LOCKFILE_E_INVALID,
               lockfile_open(PathOf("x"), NULL, &bad[i], &lock));
  }
}

static void ModeIsRespected(void) {
  const lockfile_options_t options = {.size = sizeof options, .mode = 0600};
  lockfile_t *lock = NULL;
  CHECK_OK(lockfile_open(PathOf("mode"), "excl", &options, &lock));
  CHECK_OK(lockfile_try(lock));
  struct stat info;
  CHECK(stat(lockfile_lock_path(lock), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK_OK(lockfile_close(lock));
}

static void *ReleaseInThread(void *lock) {
  static int code;
  code = lockfile_release(lock);
  return &code;
}

static void AnyThreadMayReleaseWhenAsked(void) {
  lockfile_options_t options = LOCKFILE_OPTIONS_INIT;
  options.flags = LOCKFILE_ANY_THREAD;
  lockfile_t *lock = NULL;
  CHECK_OK(lockfile_open(PathOf("any"), "link", &options, &lock));
  CHECK_OK(lockfile_try(lock));
  pthread_t thread;
  void *code = NULL;
  CHECK(pthread_create(&thread, NULL, ReleaseInThread, lock) == 0);
  CHECK(pthread_join(thread, &code) == 0);
  CHECK_OK(*(int *)code);
  CHECK_OK(lockfile_close(lock));
}

static void CloseTellsOfALostLock(void) {
  lockfile_t *holder = Open("close", "link");
  lockfile_t *breaker = Open("close", "link");
  CHECK_OK(lockfile_try(holder));
  CHECK_OK(lockfile_break_lock(breaker, NULL));
  CHECK_CODE(LOCKFILE_E_LOST, lockfile_close(holder));
  CHECK_CODE(LOCKFILE_E_LOST, lockfile_last_error(NULL));
  CHECK_OK(lockfile_close(breaker));
}

static void CrashedHolderIsReplaced(void) {
  lockfile_t *lock = Open("crash", "link");
  const pid_t child = fork();
  if (child == 0) _exit(lockfile_try(lock));
  CHECK(child > 0 && ChildSucceeds(child));
  CHECK(IsLocked(lock) == 1);
  int life = -1;
  CHECK_OK(lockfile_holder_liveness(lock, &life, NULL, 0));
  CHECK(life == LOCKFILE_LIFE_DEAD);
  CHECK_OK(lockfile_try(lock));
  CHECK_OK(lockfile_close(lock));
}

static void *AcquireInThread(void *lock) {
  const int code = lockfile_acquire(lock, LOCKFILE_FOREVER);
  CHECK_OK(code);
  CHECK_OK(lockfile_release(lock));
  pthread_testcancel();
  return NULL;
}

static void CancelledThreadEndsAfterTheCall(void) {
  lockfile_t *holder = Open("cancel", "flock");
  lockfile_t *waiter = Open("cancel", "flock");
  CHECK_OK(lockfile_try(holder));
  pthread_t thread;
  void *ended = NULL;
  CHECK(pthread_create(&thread, NULL, AcquireInThread, waiter) == 0);
  CHECK(pthread_cancel(thread) == 0 || failures > 0);
  CHECK_OK(lockfile_release(holder));
  CHECK(pthread_join(thread, &ended) == 0);
  CHECK(ended == PTHREAD_CANCELED);
  CHECK(IsLocked(holder) == 0);
  CHECK_OK(lockfile_close(waiter));
  CHECK_OK(lockfile_close(holder));
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_MALLOC 0 /* a sanitizer's malloc ends the process instead */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OWN_MALLOC 0
#endif
#endif
#ifndef OWN_MALLOC
#define OWN_MALLOC 1
#endif

static void LackOfMemoryIsACode(void) {
  if (!OWN_MALLOC) return;
  const size_t length = (size_t)64 << 20;
  char *path = malloc(length + 1);
  CHECK(path != NULL);
  if (path == NULL) return;
  memset(path, 'x', length);
  path[length] = '\0';
  const pid_t child = fork();
  if (child == 0) {
    const struct rlimit limit = {1, 1}; /* not a byte more than now */
    if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(99);
    lockfile_t *lock = NULL;
    failures = 0;
    CHECK_CODE(LOCKFILE_E_NOMEM, lockfile_open(path, "link", NULL, &lock));
    CHECK(lock == NULL);
    CHECK_CODE(LOCKFILE_E_NOMEM, lockfile_last_error(NULL));
    _exit(failures);
  }
  CHECK(child > 0 && ChildSucceeds(child));
  free(path);
}

static int CountProbe(const char *backend, int supported, const char *reason,
                      void *user) {
  CHECK(backend[0] != '\0');
  CHECK((supported != 0) == (reason[0] == '\0'));
  return ++*(int *)user == 3; /* enough */
}

static int ExpectUnsupported(const char *backend, int supported,
                             const char *reason, void *user) {
  (void)user;
  CHECK(backend[0] != '\0');
  CHECK(supported == 0 && reason[0] != '\0');
  return 0;
}

static void ProbeTellsUntilToldToStop(void) {
  int count = 0;
  CHECK_OK(lockfile_probe(dir, CountProbe, &count));
  CHECK(count == 3);
  CHECK_OK(lockfile_probe(PathOf("missing"), ExpectUnsupported, NULL));
}

static void ErrorNamesAreKnown(void) {
  CHECK(strcmp(lockfile_error_name(0), "LOCKFILE_OK") == 0);
  CHECK(strcmp(lockfile_error_name(LOCKFILE_E_LOST), "LOCKFILE_E_LOST") == 0);
  CHECK(strcmp(lockfile_error_name(LOCKFILE_E_INTERNAL),
               "LOCKFILE_E_INTERNAL") == 0);
  CHECK(strcmp(lockfile_error_name(-1), "LOCKFILE_E_?") == 0);
  CHECK(strcmp(lockfile_error_name(12), "LOCKFILE_E_?") == 0);
}

static void HandlesRememberTheirOwnErrors(void) {
  lockfile_t *one = Open("one", "link");
  lockfile_t *two = Open("two", "link");
  CHECK_CODE(LOCKFILE_E_NOT_LOCKED, lockfile_release(one));
  CHECK_OK(lockfile_try(two));
  CHECK_CODE(LOCKFILE_E_NOT_LOCKED, lockfile_last_error(one));
  CHECK_CODE(LOCKFILE_OK, lockfile_last_error(two));
  CHECK_OK(lockfile_close(two));
  CHECK_OK(lockfile_close(one));
}

static void RunForBackend(const lockfile_backend_t *backend) {
  const int before = failures;
  CHECK(backend->doc[0] != '\0' && backend->suffix != NULL);
  NamesAreTold(backend->name);
  TwoHandlesExcludeEachOther(backend->name);
  OwnerIsThisProcess(backend->name);
  ChildOwnsNothing(backend->name);
  ThreadsAreSeparateContenders(backend->name);
  MissingDirectoryIsAnErrorAtOnce(backend->name);
  if (backend->traits & LOCKFILE_BREAKABLE) BrokenHolderLearnsIt(backend->name);
  if (failures != before) {
    fprintf(stderr, "  with backend %s\n", backend->name);
  }
}

static void RunAll(void) {
  const size_t count = lockfile_backend_count();
  CHECK(count >= 9);
  for (size_t i = 0; i < count; ++i) {
    lockfile_backend_t backend = {.size = sizeof backend};
    CHECK_OK(lockfile_backend(i, &backend));
    RunForBackend(&backend);
  }
  lockfile_backend_t none = {.size = sizeof none};
  CHECK_CODE(LOCKFILE_E_INVALID, lockfile_backend(count, &none));
  ErrorNamesAreKnown();
  NullIsInvalid();
  MissingResultsAreInvalid();
  UnknownBackendIsInvalid();
  OptionsMayGrow();
  BadOptionsAreInvalid();
  ModeIsRespected();
  AnyThreadMayReleaseWhenAsked();
  CloseTellsOfALostLock();
  CrashedHolderIsReplaced();
  CancelledThreadEndsAfterTheCall();
  LackOfMemoryIsACode();
  ProbeTellsUntilToldToStop();
  HandlesRememberTheirOwnErrors();
}

int main(void) {
  const char *tmp = getenv("TEST_TMPDIR");
  snprintf(dir, sizeof dir, "%s/c_api.XXXXXX", tmp != NULL ? tmp : "/tmp");
  if (mkdtemp(dir) == NULL) {
    perror(dir);
    return 1;
  }
  RunAll();
  char command[600];
  snprintf(command, sizeof command, "rm -rf '%s'", dir);
  if (system(command) != 0) ++failures;
  if (failures != 0) fprintf(stderr, "%d checks failed\n", failures);
  return failures == 0 ? 0 : 1;
}
