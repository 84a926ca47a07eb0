#include "lib/owner.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lib/os/forwarding_os.h"

namespace lockfile {
namespace {

Owner Example() {
  Owner owner;
  owner.token = "0123456789abcdef0123456789abcdef";
  owner.host = "büro 7%/4711\n";
  owner.boot_id = "6f1c-22";
  owner.pid_ns = 4026531836;
  owner.time_ns = 4026531834;
  owner.pid = 4711;
  owner.start_time = 123456;
  owner.thread_id = 4712;
  owner.since = 1700000000;
  owner.lease = std::chrono::milliseconds(1500);
  return owner;
}

TEST(Record, ReadsBackWhatWasWritten) {
  const Owner owner = Example();
  const std::string text = FormatRecord(owner);
  EXPECT_LE(text.size(), kMaxRecord);
  for (const char c : text) EXPECT_TRUE(c >= ' ' && c <= '~') << text;
  const std::optional<Owner> back = ParseRecord(text + "\n");
  ASSERT_TRUE(back.has_value()) << text;
  EXPECT_EQ(FormatRecord(*back), text);
  EXPECT_EQ(back->host, owner.host);
  EXPECT_EQ(back->pid, owner.pid);
  EXPECT_EQ(back->lease, owner.lease);
}

TEST(Record, OfEndlessHostNameStaysBounded) {
  Owner owner = Example();
  owner.host = std::string(100000, '\x80');
  EXPECT_LE(FormatRecord(owner).size(), kMaxRecord);
  EXPECT_TRUE(ParseRecord(FormatRecord(owner)).has_value());
}

TEST(Record, EveryTruncationIsRefused) {
  const std::string text = FormatRecord(Example());
  for (size_t size = 0; size < text.size(); ++size) {
    const std::optional<Owner> owner = ParseRecord(text.substr(0, size));
    // The last field may lose digits of its number and still be a record.
    if (owner.has_value()) {
      EXPECT_GE(size, text.find("lease=") + 7);
    }
  }
}

TEST(Record, EveryChangedByteIsRefusedOrReadsAsSomething) {
  const std::string text = FormatRecord(Example());
  for (size_t i = 0; i < text.size(); ++i) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = text;
      changed[i] = static_cast<char>(byte);
      const std::optional<Owner> owner = ParseRecord(changed);
      if (!owner.has_value()) continue;
      EXPECT_TRUE(IsToken(owner->token));
      EXPECT_GT(owner->pid, 0);
      EXPECT_FALSE(owner->Describe().empty());
    }
  }
}

TEST(Record, GarbageIsRefused) {
  const std::string good = FormatRecord(Example());
  const std::vector<std::string> garbage = {
      "",
      "\n",
      std::string(64, '\0'),
      std::string(10 << 20, 'x'),
      good + " more=1",
      good + "\n\n",
      " " + good,
      "lockfile2" + good.substr(9),
      "lockfile1 token=short host=h boot=b pidns=1 timens=1 pid=1 start=1 "
      "tid=1 since=1 lease=0",
      "lockfile1 token=0123456789abcdef0123456789abcdef host=h boot=b pidns=1 "
      "timens=1 pid=-1 start=1 tid=1 since=1 lease=0",
      "lockfile1 token=0123456789abcdef0123456789abcdef host=h boot=b pidns=1 "
      "timens=1 pid=99999999999999999999 start=1 tid=1 since=1 lease=0",
  };
  for (const std::string& text : garbage) {
    EXPECT_FALSE(ParseRecord(text).has_value()) << text.substr(0, 80);
  }
}

// A host whose processes are what a test says.
class TestOs : public os::ForwardingOs {
 public:
  os::ProcessIdentity Self() override { return self; }
  os::ProcessStatus Status(pid_t) override { return status; }

  os::ProcessIdentity self{.host = "here",
                           .boot_id = "boot",
                           .pid_ns = 1,
                           .time_ns = 2,
                           .pid = 10,
                           .start_time = 5};
  os::ProcessStatus status{.exists = true, .zombie = false, .start_time = 7};
};

Owner Holder() {
  Owner owner = Example();
  owner.host = "here";
  owner.boot_id = "boot";
  owner.pid_ns = 1;
  owner.time_ns = 2;
  owner.start_time = 7;
  return owner;
}

struct LifeCase {
  const char* name;
  Life life;
  void (*change)(TestOs* os, Owner* owner);
};

class JudgeLifeTest : public testing::TestWithParam<LifeCase> {};

TEST_P(JudgeLifeTest, NeedsProofForDeath) {
  TestOs os;
  Owner owner = Holder();
  GetParam().change(&os, &owner);
  const Liveness found = JudgeLife(os, owner);
  EXPECT_EQ(found.life, GetParam().life) << found.reason;
  EXPECT_NE(found.reason, "");
}

INSTANTIATE_TEST_SUITE_P(
    Cases, JudgeLifeTest,
    testing::ValuesIn(std::vector<LifeCase>{
        {"Running", Life::kAlive, [](TestOs*, Owner*) {}},
        {"Gone", Life::kDead,
         [](TestOs* os, Owner*) { os->status.exists = false; }},
        {"Zombie", Life::kDead,
         [](TestOs* os, Owner*) { os->status.zombie = true; }},
        {"PidUsedAgain", Life::kDead,
         [](TestOs* os, Owner*) { os->status.start_time = 8; }},
        {"StartNotReadable", Life::kUnknown,
         [](TestOs* os, Owner*) { os->status.start_time = 0; }},
        {"StartNotRecorded", Life::kUnknown,
         [](TestOs*, Owner* owner) { owner->start_time = 0; }},
        {"OtherTimeNamespace", Life::kUnknown,
         [](TestOs* os, Owner* owner) {
           owner->time_ns = 3;
           os->status.start_time = 8;
         }},
        {"Rebooted", Life::kDead,
         [](TestOs*, Owner* owner) { owner->boot_id = "earlier"; }},
        {"BootUnknown", Life::kUnknown,
         [](TestOs* os, Owner*) { os->self.boot_id.clear(); }},
        {"OtherHost", Life::kUnknown,
         [](TestOs* os, Owner* owner) {
           owner->host = "there";
           os->status.exists = false;
         }},
        {"OtherHostAndBoot", Life::kUnknown,
         [](TestOs*, Owner* owner) {
           owner->host = "there";
           owner->boot_id = "earlier";
         }},
        {"OtherPidNamespace", Life::kUnknown,
         [](TestOs* os, Owner* owner) {
           owner->pid_ns = 9;
           os->status.exists = false;
         }},
        {"PidNamespaceUnknown", Life::kUnknown,
         [](TestOs* os, Owner* owner) {
           owner->pid_ns = 0;
           os->self.pid_ns = 0;
           os->status.exists = false;
         }},
    }),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace lockfile
