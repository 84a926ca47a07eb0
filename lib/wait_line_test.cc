// In whose turn soft locks are taken. Nothing here hangs on speed: waits end by
// what wakes them, not by time, unless a test says so, and a wake-up can be
// held back, as that of a stopped process is.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "lib/lock_file.h"
#include "lib/os/forwarding_os.h"

namespace lockfile {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 30s;

bool Eventually(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

// What one contender sees of the operating system.
class ContenderOs final : public os::ForwardingOs {
 public:
  // What a process keeps until it ends; a user has 128 of them.
  ~ContenderOs() override {
    for (const int fd : watches_) ForwardingOs::Close(fd);
  }
  os::SysResult WatchOpen() override {
    const os::SysResult opened = ForwardingOs::WatchOpen();
    const std::lock_guard guard(mutex_);
    if (opened.ok()) watches_.insert(static_cast<int>(opened.value));
    return opened;
  }
  os::SysResult Close(int fd) override {
    {
      const std::lock_guard guard(mutex_);
      watches_.erase(fd);
    }
    return ForwardingOs::Close(fd);
  }

  // It sleeps until something wakes it.
  [[nodiscard]] bool waits() const { return waits_; }
  // How often it was woken.
  [[nodiscard]] int woken() const { return woken_; }
  // From now on it stands still when it is woken.
  void Stop() { stopped_ = true; }
  void Continue() { stopped_ = false, stopped_.notify_all(); }
  // Its waits may end by time, too.
  void LetTimePass() { by_time_ = true; }
  // It does not see who else waits: how locks without a line are.
  void Blind() { blind_ = true; }

  os::SysResult WaitEvent(int watch_fd, int process_fd,
                          os::TimePoint deadline) override {
    if (watch_fd < 0 && process_fd < 0) {
      return ForwardingOs::WaitEvent(watch_fd, process_fd, deadline);
    }
    waits_ = true;
    os::SysResult result = os::SysResult::Ok();
    do {
      result = ForwardingOs::WaitEvent(watch_fd, process_fd,
                                       by_time_ ? deadline : Now() + kPatience);
    } while (result.ok() && result.value == 0 && !by_time_);
    ++woken_;
    stopped_.wait(true);
    waits_ = false;
    return result;
  }

  os::SysResult ListDir(const char* path, size_t limit,
                        std::vector<std::string>* names) override {
    if (blind_) return os::SysResult::Fail(EACCES);
    return ForwardingOs::ListDir(path, limit, names);
  }

  // As if it were a process of its own.
  os::ProcessLocal& LocalSlot(const void* key, MakeLocal make) override {
    const std::lock_guard guard(mutex_);
    std::unique_ptr<os::ProcessLocal>& slot = locals_[key];
    if (slot == nullptr) slot = make();
    return *slot;
  }

 private:
  std::atomic<bool> waits_{false};
  std::atomic<int> woken_{0};
  std::atomic<bool> stopped_{false};
  std::atomic<bool> by_time_{false};
  std::atomic<bool> blind_{false};
  std::mutex mutex_;
  std::set<int> watches_;
  std::map<const void*, std::unique_ptr<os::ProcessLocal>> locals_;
};

struct Contender {
  explicit Contender(const std::string& path, const std::string& backend)
      : lock(path, {.backend = backend, .os = &os}) {}
  ~Contender() { os.Continue(); }

  // Takes the lock in a thread of its own, and keeps it until it is told.
  void Start() {
    thread = std::jthread([this] {
      std::error_code error;
      lock.acquire(2 * kPatience, error);
      holds = !error;
      may_release.wait(false);
      if (!error) lock.release();
    });
  }
  void LetRelease() { may_release = true, may_release.notify_all(); }

  ContenderOs os;
  LockFile lock;
  std::atomic<bool> holds{false};
  std::atomic<bool> may_release{false};
  std::jthread thread;  // ends before what it uses
};

class WaitLineTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const char* base = std::getenv("TEST_TMPDIR");  // NOLINT: one thread
    dir_ = "/dev/shm/lockfile_line_XXXXXX";
    if (mkdtemp(dir_.data()) != nullptr) return;
    dir_ = std::string(base != nullptr ? base : "/tmp") + "/line_XXXXXX";
    ASSERT_NE(mkdtemp(dir_.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  [[nodiscard]] std::unique_ptr<Contender> Make() const {
    return std::make_unique<Contender>(dir_ + "/x", GetParam());
  }

  // One after the other, each asleep before the next begins.
  void StartInOrder(std::vector<std::unique_ptr<Contender>>& all) {
    for (auto& each : all) {
      each->Start();
      ASSERT_TRUE(Eventually([&] { return each->os.waits(); }));
    }
  }

  // Somebody takes the lock again and again, while another waits for it and
  // is slow to take it. Returns when it lets that one go first, the lock being
  // free, or has not for long.
  [[nodiscard]] bool LetsTheSlowOneGoFirst(Contender& eager, Contender& slow) {
    eager.lock.acquire();
    slow.Start();
    if (!Eventually([&] { return slow.os.waits(); })) return false;
    slow.os.Stop();
    eager.lock.release();
    std::atomic<bool> done{false};
    eager.thread = std::jthread([&] {
      std::error_code error;
      for (int i = 0; i < 3000 && !slow.holds && !error; ++i) {
        eager.lock.acquire(2 * kPatience, error);
        if (!error) eager.lock.release(error);
      }
      done = true;
    });
    const bool ended = Eventually([&] { return done || eager.os.waits(); });
    const bool stood_back = ended && !done && !slow.holds;
    if (!stood_back || meanwhile_ == nullptr) {
      slow.os.Continue();
    } else {
      meanwhile_();
      slow.os.Continue();
    }
    EXPECT_TRUE(Eventually([&] { return slow.holds.load(); }));
    slow.LetRelease();
    eager.thread.join();
    return stood_back;
  }

  std::string dir_;
  std::function<void()> meanwhile_;
};

TEST_P(WaitLineTest, ReleaseWakesTheOneWhoCameFirst) {
  const auto holder = Make();
  holder->lock.acquire();
  std::vector<std::unique_ptr<Contender>> waiters;
  for (int i = 0; i < 5; ++i) waiters.push_back(Make());
  StartInOrder(waiters);
  holder->lock.release();
  for (auto& next : waiters) {
    EXPECT_TRUE(Eventually([&] { return next->holds.load(); }));
    const auto holding = std::ranges::count_if(
        waiters, [](auto& each) { return each->holds.load(); });
    EXPECT_EQ(holding, &next - waiters.data() + 1);
    // By the ticket of the one before it, and perhaps by the lock, if that
    // went a step later.
    EXPECT_LE(next->os.woken(), 2) << "the " << holding << ". one";
    next->LetRelease();
  }
}

// The test above would notice.
TEST_P(WaitLineTest, ReleaseWakesAllWhoDoNotSeeTheLine) {
  const auto holder = Make();
  holder->lock.acquire();
  std::vector<std::unique_ptr<Contender>> waiters;
  for (int i = 0; i < 5; ++i) {
    waiters.push_back(Make());
    waiters.back()->os.Blind();
  }
  StartInOrder(waiters);
  holder->lock.release();
  EXPECT_TRUE(Eventually([&] {
    return std::ranges::all_of(waiters,
                               [](auto& each) { return each->os.woken() > 0; });
  }));
  for (auto& each : waiters) each->LetRelease();
}

TEST_P(WaitLineTest, ReleaserLetsWaitersGoFirst) {
  const auto eager = Make();
  const auto slow = Make();
  EXPECT_TRUE(LetsTheSlowOneGoFirst(*eager, *slow));
}

TEST_P(WaitLineTest, BlindReleaserGoesFirst) {
  const auto eager = Make();
  const auto slow = Make();
  eager->os.Blind();
  EXPECT_FALSE(LetsTheSlowOneGoFirst(*eager, *slow));
}

TEST_P(WaitLineTest, SingleTryTakesTheFreeLockAtOnce) {
  const auto eager = Make();
  const auto slow = Make();
  bool tried = false;
  meanwhile_ = [&] {
    LockFile stranger(dir_ + "/x", {.backend = GetParam()});
    stranger.acquire(0s);
    stranger.release();
    LockFile relative(dir_ + "/x", {.backend = GetParam(), .os = &eager->os});
    tried = relative.try_lock();
    relative.unlock();
  };
  EXPECT_TRUE(LetsTheSlowOneGoFirst(*eager, *slow));
  EXPECT_TRUE(tried);
}

TEST_P(WaitLineTest, StoppedWaiterStallsNobody) {
  const auto holder = Make();
  holder->lock.acquire();
  const auto stopped = Make();
  stopped->Start();
  ASSERT_TRUE(Eventually([&] { return stopped->os.waits(); }));
  stopped->os.Stop();
  std::vector<std::unique_ptr<Contender>> others;
  for (int i = 0; i < 2; ++i) others.push_back(Make());
  std::atomic<int> done{0};
  for (auto& each : others) {
    each->os.LetTimePass();
    each->thread = std::jthread([&] {
      std::error_code error;
      for (int i = 0; i < 20 && !error; ++i) {
        each->lock.acquire(2 * kPatience, error);
        if (!error) each->lock.release(error);
      }
      if (!error) ++done;
    });
  }
  ASSERT_TRUE(Eventually([&] {
    return std::ranges::all_of(others,
                               [](auto& each) { return each->os.waits(); });
  }));
  holder->lock.release();
  EXPECT_TRUE(Eventually([&] { return done == 2; }));
  EXPECT_FALSE(stopped->holds);
  stopped->os.Continue();
  EXPECT_TRUE(Eventually([&] { return stopped->holds.load(); }));
  stopped->LetRelease();
}

// A process that is killed leaves its ticket; who waits for that is woken by
// its death, and waits for the one before.
TEST_P(WaitLineTest, DeathInTheLineIsSeen) {
  const auto holder = Make();
  holder->lock.acquire();
  // By what it waits; these two have other files as well while they try.
  const bool tries = GetParam() == "excl" || GetParam() == "sqlite";
  const std::string mark = tries ? ".wait" : "";
  const auto entries = [&] {
    return std::count_if(std::filesystem::directory_iterator(dir_), {},
                         [&](const auto& entry) {
                           return entry.path().native().ends_with(mark);
                         });
  };
  const auto before = entries();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    LockFile(dir_ + "/x", {.backend = GetParam()}).acquire();
    _exit(0);
  }
  ASSERT_TRUE(Eventually([&] { return entries() > before; }));
  const auto last = Make();
  last->Start();
  ASSERT_TRUE(Eventually([&] { return last->os.waits(); }));
  kill(child, SIGKILL);
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(Eventually([&] { return last->os.woken() > 0; }));
  EXPECT_FALSE(last->holds);
  holder->lock.release();
  EXPECT_TRUE(Eventually([&] { return last->holds.load(); }));
  last->LetRelease();
}

INSTANTIATE_TEST_SUITE_P(Backends, WaitLineTest,
                         testing::Values("link", "mkdir", "symlink", "pid",
                                         "excl", "sqlite"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace lockfile
