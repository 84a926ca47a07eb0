// The floor is what it says it is: the very calls that the library makes.
#include "bench/floor.h"

#include <set>
#include <string>
#include <vector>

#include "conformance/proc/temp_dir.h"
#include "conformance/seam/intercepting_os.h"
#include "gtest/gtest.h"
#include "lib/lock_file.h"

namespace locklab::bench {
namespace {

Name NameOf(std::string_view path, std::string_view lock_path) {
  if (path.empty()) return Name::kNone;
  if (path == lock_path) return Name::kLock;
  if (!path.starts_with(lock_path)) return Name::kNone;
  path.remove_prefix(lock_path.size());
  if (path.starts_with('/')) return Name::kLockEntry;
  return path.find('/') == path.npos ? Name::kTicket : Name::kTicketEntry;
}

class FloorOf : public testing::TestWithParam<FloorRow> {};

INSTANTIATE_TEST_SUITE_P(Backends, FloorOf,
                         testing::ValuesIn(FloorRows().begin(),
                                           FloorRows().end()),
                         [](const auto& info) {
                           return std::string(info.param.backend);
                         });

TEST_P(FloorOf, IsTheCallsOfTheLibrary) {
  const proc::TempDir dir;
  std::vector<std::string> calls;
  std::string lock_path;
  seam::InterceptingOs os([&](const seam::Call& call) {
    calls.push_back(
        std::string(call.name) +
        std::string(NameText(NameOf(seam::Place(call), lock_path))));
    return seam::Fault{};
  });
  lockfile::Options options;
  options.backend = GetParam().backend;
  options.os = &os;
  lockfile::LockFile lock(dir / "resource", options);
  lock_path = lock.lock_path();
  lock.acquire();  // what an object does only once
  lock.release();
  calls.clear();
  lock.acquire();
  lock.release();
  std::vector<std::string> floor;
  for (const Step& step : StepsIn(dir.path(), GetParam())) {
    floor.push_back(Describe(step));
  }
  EXPECT_EQ(calls, floor)
      << "the library's calls have changed: change bench/floor.cc with them";
}

TEST_P(FloorOf, CanBeDoneAgainAndAgain) {
  const proc::TempDir dir;
  const auto floor = MakeFloor(GetParam().backend, dir.path());
  ASSERT_NE(floor, nullptr);
  for (int i = 0; i < 1000; ++i)
    ASSERT_TRUE(floor->Cycle()) << floor->Complaint();
}

TEST(Floors, EveryBackendHasOne) {
  const proc::TempDir dir;
  for (const lockfile::BackendRow& row : lockfile::Backends()) {
    const auto floor = MakeFloor(row.name, dir.path());
    ASSERT_NE(floor, nullptr) << row.name;
    EXPECT_TRUE(floor->Cycle()) << row.name << ": " << floor->Complaint();
    EXPECT_TRUE(floor->Cycle()) << row.name << ": " << floor->Complaint();
  }
}

}  // namespace
}  // namespace locklab::bench
