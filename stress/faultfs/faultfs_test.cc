// The filesystem as its users see it: two mounts of one directory.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <string>

#include "conformance/proc/namespaces.h"
#include "stress/faultfs/stage.h"

namespace locklab::faultfs {
namespace {

using namespace std::chrono_literals;

// One mount namespace for all tests: it goes with this process.
std::string WhyNot() {
  static const std::string why = [] {
    const std::string no_fuse = WhyNoFuse();
    return no_fuse.empty() ? proc::EnterMounts() : no_fuse;
  }();
  return why;
}

struct stat Look(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(lstat(path.c_str(), &info), 0) << path;
  return info;
}

void Put(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}

std::string Get(const std::string& path) {
  std::string text;
  std::getline(std::ifstream(path), text, '\0');
  return text;
}

class Descriptor {
 public:
  explicit Descriptor(const std::string& path, int flags = O_RDWR | O_CREAT)
      : fd_(open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    EXPECT_GE(fd_, 0) << path;
  }
  ~Descriptor() { Close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

class FaultfsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!WhyNot().empty()) GTEST_SKIP() << WhyNot();
    stage_ = std::make_unique<Stage>(Stage::Plan{.mounts = 2});
    a_ = stage_->dir(0);
    b_ = stage_->dir(1);
  }

  std::unique_ptr<Stage> stage_;
  std::string a_, b_;  // the two mounts
};

TEST_F(FaultfsTest, ShowsTheFilesOfTheDirectoryAtOnce) {
  Put(a_ + "/file", "text");
  EXPECT_EQ(Get(b_ + "/file"), "text");
  EXPECT_EQ(Get(stage_->backing() + "/file"), "text");
  Put(b_ + "/file", "other");
  EXPECT_EQ(Get(a_ + "/file"), "other");
  ASSERT_EQ(unlink((b_ + "/file").c_str()), 0);
  EXPECT_NE(access((a_ + "/file").c_str(), F_OK), 0);
}

TEST_F(FaultfsTest, KeepsInodeNumbersAndLinkCounts) {
  Put(a_ + "/one", "");
  ASSERT_EQ(link((a_ + "/one").c_str(), (a_ + "/two").c_str()), 0);
  for (const char* name : {"/one", "/two"}) {
    EXPECT_EQ(Look(a_ + name).st_ino, Look(stage_->backing() + "/one").st_ino);
    EXPECT_EQ(Look(b_ + name).st_nlink, 2U);
  }
}

TEST_F(FaultfsTest, GivesAFileToWhoMadeIt) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  chmod(a_.c_str(), 0777);
  auto end = proc::Child::Spawn([this] {
               // The user need not reach the mount by its path: it may stand
               // below a directory that is root's alone.
               if (chdir(a_.c_str()) != 0) return 1;
               if (setgid(65534) != 0 || setuid(65534) != 0) return 1;
               const Descriptor file("mine");
               return fchmod(file.get(), 0600) == 0 ? 0 : 2;
             }).Wait(proc::In(20s));
  ASSERT_TRUE(end && end->ok());
  EXPECT_EQ(Look(b_ + "/mine").st_uid, 65534U);
}

struct Kind {
  const char* name;
  bool (*try_lock)(int fd, bool exclusive);
};

bool TryFlock(int fd, bool exclusive) {
  return flock(fd, (exclusive ? LOCK_EX : LOCK_UN) | LOCK_NB) == 0;
}

bool TryOfd(int fd, bool exclusive) {
  struct flock lock {};
  lock.l_type = static_cast<short>(exclusive ? F_WRLCK : F_UNLCK);
  return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

constexpr Kind kKinds[] = {{"flock", TryFlock}, {"ofd", TryOfd}};

TEST_F(FaultfsTest, LocksAreHeldForTheOtherMountAndItsDirectory) {
  for (const Kind& kind : kKinds) {
    SCOPED_TRACE(kind.name);
    const std::string name = std::string("/") + kind.name;
    const Descriptor here(a_ + name);
    const Descriptor there(b_ + name);
    const Descriptor below(stage_->backing() + name);
    ASSERT_TRUE(kind.try_lock(here.get(), true));
    EXPECT_FALSE(kind.try_lock(there.get(), true));
    EXPECT_FALSE(kind.try_lock(below.get(), true));
    ASSERT_TRUE(kind.try_lock(here.get(), false));
    EXPECT_TRUE(kind.try_lock(there.get(), true));
    EXPECT_FALSE(kind.try_lock(here.get(), true));
  }
}

TEST_F(FaultfsTest, LocksGoWithTheOpenFile) {
  for (const Kind& kind : kKinds) {
    SCOPED_TRACE(kind.name);
    const std::string name = std::string("/") + kind.name;
    Descriptor here(a_ + name);
    const Descriptor there(b_ + name);
    ASSERT_TRUE(kind.try_lock(here.get(), true));
    here.Close();
    const auto got = [&] { return kind.try_lock(there.get(), true); };
    EXPECT_TRUE(proc::Eventually(got, proc::In(20s)));
  }
}

// More wait than there are threads to serve, and the holder still comes
// through.
TEST_F(FaultfsTest, WaitersDoNotKeepTheHolderFromLettingGo) {
  constexpr int kWaiters = 100;
  const Descriptor holder(a_ + "/file");
  ASSERT_EQ(flock(holder.get(), LOCK_EX), 0);
  std::vector<proc::Child> waiters;
  for (int i = 0; i < kWaiters; ++i) {
    waiters.push_back(proc::Child::Spawn([this, i] {
      const Descriptor mine((i % 2 == 0 ? a_ : b_) + "/file");
      return flock(mine.get(), LOCK_EX) == 0 ? 0 : 1;
    }));
  }
  const auto all_wait = [&] {
    return std::all_of(waiters.begin(), waiters.end(),
                       [](const proc::Child& one) { return one.Asleep(); });
  };
  EXPECT_TRUE(proc::Eventually(all_wait, proc::In(20s), 10ms));
  EXPECT_EQ(Look(a_ + "/file").st_size, 0);
  ASSERT_EQ(flock(holder.get(), LOCK_UN), 0);
  for (proc::Child& waiter : waiters) {
    const auto end = waiter.Wait(proc::In(30s));
    EXPECT_TRUE(end && end->ok());
  }
}

TEST_F(FaultfsTest, AWaiterCanBeKilled) {
  const Descriptor holder(a_ + "/file");
  ASSERT_EQ(flock(holder.get(), LOCK_EX), 0);
  auto waiter = proc::Child::Spawn([this] {
    const Descriptor mine(b_ + "/file");
    return flock(mine.get(), LOCK_EX);
  });
  EXPECT_TRUE(proc::Eventually([&] { return waiter.Asleep(); }, proc::In(20s)));
  waiter.Kill(SIGKILL);
  EXPECT_TRUE(waiter.Wait(proc::In(20s)).has_value());
}

// As SQLite's index of a write-ahead log.
TEST_F(FaultfsTest, ProcessesOfOneMountShareAMappedFile) {
  const Descriptor file(a_ + "/db-shm");
  ASSERT_EQ(ftruncate(file.get(), 4096), 0);
  const auto map = [](int fd) {
    return static_cast<char*>(
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  };
  char* mine = map(file.get());
  ASSERT_NE(mine, MAP_FAILED);
  const auto end = proc::Child::Spawn([&] {
                     const Descriptor again(a_ + "/db-shm");
                     map(again.get())[7] = 'x';
                     return 0;
                   }).Wait(proc::In(20s));
  EXPECT_TRUE(end && end->ok());
  EXPECT_EQ(mine[7], 'x');
  munmap(mine, 4096);
}

}  // namespace
}  // namespace locklab::faultfs
