#include "conformance/proc/namespaces.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <ctime>
#include <fstream>
#include <string>
#include <utility>

#include "conformance/proc/child.h"
#include "conformance/proc/shared.h"
#include "gtest/gtest.h"

namespace locklab::proc {
namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""h;

#define NEEDS(enter) \
  if (const std::string why = WhyNot(enter); !why.empty()) GTEST_SKIP() << why

// What `body` returns in a child.
int CodeOf(const std::function<int()>& body) {
  Child child = Child::Spawn(body);
  const auto end = child.Wait(In(20s));
  return end && end->signal == 0 ? end->code : -1;
}

TEST(Namespaces, AHostHasAnotherNameForThoseInItOnly) {
  NEEDS([] { return EnterHost("elsewhere"); });
  EXPECT_EQ(CodeOf([] {
              if (!EnterHost("elsewhere").empty()) return 1;
              utsname names{};
              uname(&names);
              return std::string(names.nodename) == "elsewhere" ? 0 : 2;
            }),
            0);
  utsname names{};
  uname(&names);
  EXPECT_STRNE(names.nodename, "elsewhere");
}

std::string BootId() {
  std::string id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
  return id;
}

TEST(Namespaces, ABootHasAnotherIdForThoseInItOnly) {
  const std::string id = "11111111-2222-4333-8444-555555555555";
  NEEDS([&] { return EnterBoot(id); });
  EXPECT_EQ(CodeOf([&] {
              if (!EnterBoot(id).empty()) return 1;
              return BootId() == id ? 0 : 2;
            }),
            0);
  EXPECT_NE(BootId(), id);
}

TEST(Namespaces, TimeIsLaterForThoseInItOnly) {
  NEEDS([] { return EnterTime(24h); });
  const uint64_t before = TicksSinceBoot();
  const auto day = static_cast<uint64_t>(24 * 3600 * sysconf(_SC_CLK_TCK));
  EXPECT_EQ(CodeOf([&] {
              if (!EnterTime(24h).empty()) return 1;
              return TicksSinceBoot() >= before + day ? 0 : 2;
            }),
            0);
  EXPECT_LT(TicksSinceBoot(), before + day);
}

TEST(Namespaces, PidsAreNewAndCanBeChosen) {
  NEEDS(EnterPids);
  EXPECT_EQ(CodeOf([] {
              if (!EnterPids().empty()) return 1;
              Child init = Child::Spawn([]() -> int {
                if (getpid() != 1) return 2;
                for (;;) pause();
              });
              const int forced = CodeOf([] {
                if (!MountProc().empty()) return 3;
                return ForceNextPid(77).empty() ? 0 : 4;
              });
              if (forced != 0) return forced;
              return CodeOf([] { return getpid() == 77 ? 0 : 5; });
            }),
            0);
}

// The processes of a PID namespace do not outlive the one that made it.
TEST(Namespaces, DieWithTheirMaker) {
  NEEDS(EnterPids);
  Shared<std::atomic<int64_t>> beats;
  Child maker = Child::Spawn([&]() -> int {
    if (!EnterPids().empty()) return 1;
    const Child init = Child::Spawn([]() -> int {
      for (;;) pause();
    });
    const Child beating = Child::Spawn([&]() -> int {
      for (;;) {
        beats->fetch_add(1);
        usleep(1000);
      }
    });
    for (;;) pause();
  });
  ASSERT_TRUE(Eventually([&] { return *beats > 3; }, In(20s)));
  maker.Stop();
  // Still at last: no beat in a hundred times the time of one.
  int64_t last = -1;
  ASSERT_TRUE(Eventually(
      [&] {
        const int64_t now = *beats;
        return std::exchange(last, now) == now;
      },
      In(20s), std::chrono::milliseconds(100)));
}

}  // namespace
}  // namespace locklab::proc
