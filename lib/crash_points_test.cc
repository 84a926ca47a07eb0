// A process dies before or after each call that a lock makes, found by
// counting. Whatever was half done: the next one gets the lock, and the next
// release leaves nothing behind. Likewise each call fails, or is done and says
// that it failed (a reply lost on the way).
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "lib/lock_file.h"
#include "lib/os/forwarding_os.h"

namespace lockfile {
namespace {

using namespace std::chrono_literals;

// Does something at the n-th call, and counts them all.
class CountingOs : public os::ForwardingOs {
 public:
  enum class At { kNothing, kDieBefore, kDieAfter, kFail, kLoseReply };

  void Arm(At at, int call, int error = 0) {
    at_ = at;
    call_ = call;
    error_ = error;
    count_ = 0;
  }
  [[nodiscard]] int count() const { return count_; }
  [[nodiscard]] const std::string& hit() const { return hit_; }

 protected:
  os::SysResult Around(const os::Call& call,
                       const std::function<os::SysResult()>& next) override {
    if (++count_ != call_ || at_ == At::kNothing) return next();
    hit_ = call.name;
    if (at_ == At::kDieBefore) kill(getpid(), SIGKILL);
    if (at_ == At::kFail) return os::SysResult::Fail(error_);
    const os::SysResult result = next();
    if (at_ == At::kDieAfter) kill(getpid(), SIGKILL);
    // Only what changes something can have been done in vain.
    const bool changes = call.name == "Link" || call.name == "Symlink" ||
                         call.name == "MakeDir" || call.name == "Rename" ||
                         call.name == "RenameNoReplace" ||
                         call.name == "Unlink" || call.name == "RemoveDir";
    return changes && result.ok() ? os::SysResult::Fail(error_) : result;
  }

 private:
  At at_ = At::kNothing;
  int call_ = 0;
  int error_ = 0;
  int count_ = 0;
  std::string hit_;
};

// What the process does that dies.
struct Operation {
  const char* name = nullptr;
  // Runs up to where calls count, arms, and goes on.
  void (*run)(CountingOs* os, const std::function<void()>& arm,
              const std::string& path, const Options& options);
};

// For those whose calls are not what is examined.
Options Uncounted(Options options) {
  options.os = nullptr;
  return options;
}

void DieHolding(const std::string& path, const Options& options) {
  const pid_t pid = fork();
  if (pid == 0) {
    (new LockFile(path, Uncounted(options)))->acquire();
    _exit(0);
  }
  waitpid(pid, nullptr, 0);
}

constexpr Operation kOperations[] = {
    {"acquire",
     [](CountingOs*, const std::function<void()>& arm, const std::string& path,
        const Options& options) {
       auto* lock = new LockFile(path, options);
       arm();
       std::error_code error;
       lock->acquire(0s, error);
     }},
    {"refused",
     [](CountingOs*, const std::function<void()>& arm, const std::string& path,
        const Options& options) {
       LockFile holder(path, Uncounted(options));
       holder.acquire();
       auto* lock = new LockFile(path, options);
       arm();
       std::error_code error;
       lock->acquire(1ms, error);
     }},
    {"behind",
     [](CountingOs*, const std::function<void()>& arm, const std::string& path,
        const Options& options) {
       LockFile holder(path, Uncounted(options));
       holder.acquire();
       const std::string dir = path.substr(0, path.rfind('/'));
       const auto entries = [&] {
         return std::distance(std::filesystem::directory_iterator(dir), {});
       };
       const auto before = entries();
       std::thread ahead([&] {
         std::error_code error;
         LockFile(path, Uncounted(options)).acquire(20s, error);
       });
       while (entries() <= before) std::this_thread::yield();
       auto* lock = new LockFile(path, options);
       arm();
       std::error_code error;
       lock->acquire(1ms, error);
       holder.release();
       ahead.join();
     }},
    {"release",
     [](CountingOs*, const std::function<void()>& arm, const std::string& path,
        const Options& options) {
       auto* lock = new LockFile(path, options);
       lock->acquire();
       arm();
       std::error_code error;
       lock->release(error);
     }},
    {"take_from_dead",
     [](CountingOs*, const std::function<void()>& arm, const std::string& path,
        const Options& options) {
       DieHolding(path, options);
       auto* lock = new LockFile(path, options);
       arm();
       std::error_code error;
       lock->acquire(0s, error);
     }},
    {"break_living",
     [](CountingOs*, const std::function<void()>& arm, const std::string& path,
        const Options& options) {
       LockFile holder(path, Uncounted(options));
       holder.acquire();
       auto* lock = new LockFile(path, options);
       arm();
       std::error_code error;
       lock->break_lock(error);
     }},
};

void PrintTo(const Operation& operation, std::ostream* out) {
  *out << operation.name;
}

using Param = std::tuple<std::string, Operation>;

class CrashPointsTest : public testing::TestWithParam<Param> {
 protected:
  void SetUp() override {
    // Thousands of experiments: in memory, where there is some.
    const char* base = std::getenv("TEST_TMPDIR");  // NOLINT: one thread
    root_ = "/dev/shm/lockfile_crash_XXXXXX";
    if (mkdtemp(root_.data()) != nullptr) return;
    root_ = std::string(base != nullptr ? base : "/tmp") + "/crash_XXXXXX";
    ASSERT_NE(mkdtemp(root_.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  [[nodiscard]] Options MakeOptions() const {
    return {.backend = std::get<0>(GetParam()), .ownerless_grace = 20ms};
  }

  // Runs the operation in a child that dies, or suffers, at the n-th call.
  // False: the operation made fewer calls.
  bool Suffer(const std::string& path, CountingOs::At at, int call, int error) {
    const pid_t pid = fork();
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      CountingOs os;
      Options options = MakeOptions();
      options.os = &os;
      std::get<1>(GetParam())
          .run(
              &os, [&] { os.Arm(at, call, error); }, path, options);
      _exit(os.count() < call ? 3 : 0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) || WTERMSIG(status) == SIGKILL)
        << "signal " << WTERMSIG(status);
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 3);
  }

  // Everybody can have the lock again, and nothing lies about.
  void ExpectRecovered(const std::string& dir, const std::string& what) {
    {
      LockFile lock(dir + "/x", MakeOptions());
      std::error_code error;
      lock.acquire(20s, error);
      ASSERT_FALSE(error) << what << ": " << lock.last_error_message();
      EXPECT_TRUE(lock.i_am_locking()) << what;
      LockFile other(dir + "/x", MakeOptions());
      other.acquire(0s, error);
      EXPECT_EQ(error, Errc::kAlreadyLocked) << what;
      lock.release();
    }
    const BackendRow& row = *FindBackend(std::get<0>(GetParam()));
    for (const auto& entry : std::filesystem::directory_iterator(dir)) {
      const std::string name = entry.path().filename();
      EXPECT_TRUE(row.traits.keeps_file &&
                  name == "x" + std::string(row.suffix))
          << what << " left " << name;
    }
  }

  void Enumerate(CountingOs::At at, int error, const char* what) {
    int call = 1;
    for (;; ++call) {
      const std::string dir = root_ + "/" + std::to_string(call);
      std::filesystem::create_directory(dir);
      const bool reached = Suffer(dir + "/x", at, call, error);
      ExpectRecovered(dir, std::string(what) + " call " + std::to_string(call));
      std::filesystem::remove_all(dir);
      if (!reached || HasFatalFailure()) break;
    }
    // The seam sees of sqlite only that it makes its file.
    if (std::get<0>(GetParam()) != "sqlite") {
      EXPECT_GE(call, 3) << "hardly a call was seen";
    }
  }

  std::string root_;
};

TEST_P(CrashPointsTest, DeathBeforeEachCallIsRecovered) {
  Enumerate(CountingOs::At::kDieBefore, 0, "death before");
}

TEST_P(CrashPointsTest, DeathAfterEachCallIsRecovered) {
  Enumerate(CountingOs::At::kDieAfter, 0, "death after");
}

TEST_P(CrashPointsTest, LostReplyOfEachCallIsSurvived) {
  Enumerate(CountingOs::At::kLoseReply, EIO, "EIO instead of success at");
  Enumerate(CountingOs::At::kLoseReply, EEXIST, "EEXIST instead of success at");
}

TEST_P(CrashPointsTest, FailureOfEachCallIsSurvived) {
  for (const int error : {EIO, ENOSPC, EMFILE}) {
    Enumerate(CountingOs::At::kFail, error, "failure at");
  }
}

std::vector<Param> Cases() {
  std::vector<Param> cases;
  for (const BackendRow& row : Backends()) {
    for (const Operation& operation : kOperations) {
      // The kernel's locks have no line that could be seen; symlink and pid
      // line up by the steps of link.
      const std::string_view name = row.name;
      const bool lines = name == "link" || name == "mkdir" || name == "excl" ||
                         name == "sqlite";
      if (lines || operation.name != std::string_view("behind")) {
        cases.emplace_back(row.name, operation);
      }
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Everything, CrashPointsTest,
                         testing::ValuesIn(Cases()), [](const auto& info) {
                           return std::get<0>(info.param) + "_" +
                                  std::get<1>(info.param).name;
                         });

}  // namespace
}  // namespace lockfile
