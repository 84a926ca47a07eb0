#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "conformance/proc/temp_dir.h"
#include "conformance/subject/subject.h"

namespace locklab {
namespace {

using std::chrono_literals::operator""ms;

class BackendSubjectTest : public testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] std::unique_ptr<Subject> Make() const {
    return BackendSubject(GetParam())->Make(dir_ / "target");
  }

  const proc::TempDir dir_;
};

TEST_P(BackendSubjectTest, HasTheNameAndTraitsOfItsRow) {
  const auto factory = BackendSubject(GetParam());
  EXPECT_EQ(factory->name(), GetParam());
  EXPECT_EQ(factory->traits().released_on_crash,
            lockfile::FindBackend(GetParam())->traits.released_on_crash);
}

TEST_P(BackendSubjectTest, IsTakenRefusedAndGivenBack) {
  const auto first = Make();
  const auto second = Make();
  const Outcome taken = first->Acquire(0ms);
  ASSERT_EQ(taken.got, Got::kOk) << taken.message;
  const Outcome refused = second->Acquire(0ms);
  EXPECT_EQ(refused.got, Got::kTimeout);
  EXPECT_EQ(refused.code, lockfile::Errc::kAlreadyLocked);
  EXPECT_NE(refused.message, "");
  EXPECT_EQ(second->Acquire(5ms).code, lockfile::Errc::kLockTimeout);
  EXPECT_TRUE(first->Release().ok());
  EXPECT_TRUE(second->Acquire(-1ms).ok());
  EXPECT_TRUE(second->Release().ok());
  EXPECT_EQ(second->Release().code, lockfile::Errc::kNotLocked);
}

TEST_P(BackendSubjectTest, AnswersQuestions) {
  const auto subject = Make();
  ASSERT_NE(subject->inspector(), nullptr);
  Inspector& inspector = *subject->inspector();
  bool locked = true;
  EXPECT_TRUE(inspector.IsLocked(&locked).ok());
  EXPECT_FALSE(locked);
  ASSERT_TRUE(subject->Acquire(0ms).ok());
  bool mine = false;
  EXPECT_TRUE(inspector.IAmLocking(&mine).ok());
  EXPECT_TRUE(mine);
  std::optional<lockfile::Owner> owner;
  EXPECT_TRUE(inspector.ReadOwner(&owner).ok());
  EXPECT_TRUE(owner.has_value());
  EXPECT_EQ(inspector.HolderLife().life, lockfile::Life::kAlive);
}

TEST_P(BackendSubjectTest, StandsOnTheOperatingSystemItIsGiven) {
  const auto subject = BackendSubject(GetParam())
                           ->MakeOn(lockfile::os::Os::Real(), dir_ / "target");
  ASSERT_NE(subject, nullptr);
  EXPECT_TRUE(subject->Acquire(0ms).ok());
}

TEST_P(BackendSubjectTest, AMissingDirectoryIsAnErrorAndNotARefusal) {
  const auto subject =
      BackendSubject(GetParam())->Make(dir_ / "missing/target");
  const Outcome outcome = subject->Acquire(0ms);
  EXPECT_EQ(outcome.got, Got::kError);
  EXPECT_EQ(outcome.sys, ENOENT);
}

std::vector<std::string> AllBackends() {
  std::vector<std::string> names;
  for (const lockfile::BackendRow& row : lockfile::Backends()) {
    names.emplace_back(row.name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, BackendSubjectTest,
                         testing::ValuesIn(AllBackends()),
                         [](const auto& info) { return info.param; });

TEST(BackendSubject, OfAnUnknownNameIsNull) {
  EXPECT_EQ(BackendSubject("no such backend"), nullptr);
}

}  // namespace
}  // namespace locklab
