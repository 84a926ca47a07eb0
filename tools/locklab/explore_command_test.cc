// locklab explore as its users meet it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "conformance/verdict/exit.h"
#include "tools/locklab/program.h"

namespace locklab::cli {
namespace {

using nlohmann::json;

Ended Explore(std::vector<std::string> args) {
  args.insert(args.begin(), "explore");
  return RunLocklab(args);
}

TEST(Explore, CallsSoundLocksRightAndExcusesOthers) {
  const Ended ended = Explore({"--backend=link,sqlite", "--model=posix,smb",
                               "--processes=2", "--format=json"});
  ASSERT_EQ(ended.code, kExitOk) << ended.out << ended.err;
  const json report = json::parse(ended.out);
  ASSERT_EQ(report["explorations"].size(), 4);
  const json& link = report["explorations"][0];
  EXPECT_EQ(link["verdict"], "pass");
  EXPECT_GT(link["states"], 100);
  EXPECT_FALSE(link["coverage"].empty());
  for (size_t i = 1; i < 4; ++i) {
    EXPECT_EQ(report["explorations"][i]["verdict"], "unsupported");
    EXPECT_NE(report["explorations"][i]["excuse"], "");
  }
}

TEST(Explore, ShowsAScheduleThatShowsItAgain) {
  const std::vector<std::string> flags = {"--backend=canary:unlink-on-release",
                                          "--model=posix", "--processes=3"};
  const Ended ended = Explore(flags);
  ASSERT_EQ(ended.code, kExitFailed) << ended.out << ended.err;
  const size_t at = ended.out.find("--replay=");
  ASSERT_NE(at, std::string::npos) << ended.out;
  std::vector<std::string> again = flags;
  again.push_back(ended.out.substr(at, ended.out.find('\n', at) - at));
  const Ended replayed = Explore(again);
  EXPECT_EQ(replayed.code, kExitFailed) << replayed.out << replayed.err;
  EXPECT_NE(replayed.out.find("two processes hold the lock at once"),
            std::string::npos)
      << replayed.out;
  const char* const tmp = std::getenv("TEST_TMPDIR");
  again.push_back(std::string("--dir=") + (tmp != nullptr ? tmp : "/tmp"));
  const Ended really = Explore(again);
  EXPECT_EQ(really.code, kExitFailed) << really.out << really.err;
  EXPECT_NE(really.out.find("a witness saw two holders at once"),
            std::string::npos)
      << really.out;
}

TEST(Explore, SaysWhereABoundKeptItFromTheEnd) {
  const Ended ended = Explore({"--backend=link", "--model=posix", "--depth=5"});
  EXPECT_EQ(ended.code, kExitInconclusive) << ended.out << ended.err;
  EXPECT_NE(ended.out.find("bound reached: depth 5"), std::string::npos);
  EXPECT_EQ(Explore({"--backend=sqlite"}).code, kExitNothingRan);
}

TEST(Explore, RefusesWhatItCannotRead) {
  for (const std::string flag : {"--replay=x1", "--model=ext9", "--role=sleep",
                                 "--processes=9", "--dir=/tmp"}) {
    const Ended ended = Explore({"--backend=link", "--model=posix", flag});
    EXPECT_EQ(ended.code, kExitUsage) << flag << ended.out << ended.err;
  }
}

}  // namespace
}  // namespace locklab::cli
