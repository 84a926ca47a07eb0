// The program as its users meet it: help, lists, bad input.
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "conformance/canary/canary.h"
#include "conformance/claims/claim.h"
#include "conformance/claims/features.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/backends.h"
#include "stress/adapters/adapter.h"
#include "tools/locklab/command.h"
#include "tools/locklab/program.h"

namespace locklab::cli {
namespace {

using ::testing::HasSubstr;

TEST(Locklab, AloneShowsHelpAndIsAUsageError) {
  const Ended ended = RunLocklab({});
  EXPECT_EQ(ended.code, kExitUsage);
  EXPECT_EQ(ended.out, "");
  EXPECT_THAT(ended.err, HasSubstr("Usage: locklab"));
}

TEST(Locklab, EveryCommandIsListedAndHasHelp) {
  const Ended all = RunLocklab({"--help"});
  EXPECT_EQ(all.code, kExitOk);
  for (const CommandRow& row : Commands()) {
    const std::string name(row.name);
    EXPECT_THAT(all.out, HasSubstr(name));
    EXPECT_THAT(all.out, HasSubstr(std::string(row.doc)));
    const Ended own = RunLocklab({name, "--help"});
    EXPECT_EQ(own.code, kExitOk) << name;
    EXPECT_THAT(own.out, HasSubstr("Usage: locklab " + name)) << name;
    EXPECT_EQ(own.err, "") << name;
  }
}

TEST(Locklab, UnknownFlagOfAnyCommandIsAUsageError) {
  for (const CommandRow& row : Commands()) {
    const std::string name(row.name);
    const Ended ended = RunLocklab({name, "--frobnicate"});
    EXPECT_EQ(ended.code, kExitUsage) << name;
    EXPECT_EQ(ended.out, "") << name;
    EXPECT_EQ(ended.err, "locklab: unknown flag --frobnicate (see locklab " +
                             name + " --help)\n");
  }
}

struct BadCase {
  std::vector<std::string> args;
  std::string says;
};

TEST(Locklab, BadInputIsOneHelpfulLine) {
  const BadCase cases[] = {
      {{"exce"}, "did you mean exec?"},
      {{"exec", "p", "--bakend=link", "--", "true"}, "did you mean --backend?"},
      {{"exec", "p", "--backend=lnk", "--", "true"}, "did you mean link?"},
      {{"exec", "p", "--timeout=soon", "--", "true"}, "--timeout=soon"},
      {{"exec", "p", "--timeout=-1", "--", "true"}, "--timeout=-1"},
      {{"exec", "p", "--conflict-exit-code=256", "--", "true"}, "0 to 255"},
      {{"exec", "--", "true"}, "PATH is required"},
      {{"exec", "p"}, "it follows --"},
      {{"exec", "p", "--"}, "it follows --"},
      {{"exec", "p", "true"}, "follows --"},
      {{"list"}, "WHAT is required"},
      {{"list", "backend"}, "did you mean backends?"},
      {{"list", "backends", "--format=xml"}, "one of text, json"},
  };
  for (const BadCase& row : cases) {
    const Ended ended = RunLocklab(row.args);
    EXPECT_EQ(ended.code, kExitUsage) << row.says;
    EXPECT_EQ(ended.out, "") << row.says;
    EXPECT_THAT(ended.err, HasSubstr(row.says));
    EXPECT_EQ(ended.err.find('\n'), ended.err.size() - 1) << ended.err;
  }
}

TEST(List, BackendsAsTextNamesEachOnce) {
  const Ended ended = RunLocklab({"list", "backends"});
  EXPECT_EQ(ended.code, kExitOk);
  for (const lockfile::BackendRow& row : lockfile::Backends()) {
    EXPECT_THAT(ended.out, HasSubstr(std::string(row.name) + " "));
    EXPECT_THAT(ended.out, HasSubstr(std::string(row.doc)));
  }
}

TEST(List, CanariesSayWhatIsWrongAndWhichClaimCatchesIt) {
  const Ended text = RunLocklab({"list", "canaries"});
  EXPECT_EQ(text.code, kExitOk);
  const Ended ended = RunLocklab({"list", "canaries", "--format=json"});
  const auto json = nlohmann::json::parse(ended.out);
  ASSERT_EQ(json.at("canaries").size(), canary::Canaries().size());
  for (size_t i = 0; i < canary::Canaries().size(); ++i) {
    const canary::Canary& row = canary::Canaries()[i];
    const auto& item = json.at("canaries").at(i);
    EXPECT_EQ(item.at("name"), row.name);
    EXPECT_EQ(item.at("doc"), row.doc);
    EXPECT_EQ(item.at("claims").at(0), row.claim);
    EXPECT_THAT(text.out, HasSubstr(std::string(row.doc) + "\n"));
    EXPECT_THAT(text.out, HasSubstr("caught by: " + std::string(row.claim)));
  }
}

std::string Joined(const std::vector<std::string_view>& names) {
  std::string out;
  for (const std::string_view name : names) {
    out.append(out.empty() ? "" : ", ").append(name);
  }
  return out;
}

// A change of a row has to be made there, too: the message is the line.
TEST(Readme, HasTheTablesOfCanariesAndPrimitives) {
  const std::string text = ReadWhole("conformance/README.md");
  for (const canary::Canary& row : canary::Canaries()) {
    std::string line = "\n| `" + std::string(row.name) + "` | ";
    line.append(row.doc).append(" | " + Joined(row.claims()) + " |\n");
    EXPECT_THAT(text, HasSubstr(line));
  }
  for (const Claim& row : Claims()) {
    if (!row.primitive) continue;
    std::string line = "\n| `" + std::string(row.id) + "` | ";
    line.append(LevelName(row.level)).append(" | ").append(row.statement);
    line.append(" | " + Joined(NamesIn(row.carries)) + " |\n");
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(List, BackendsAsJsonIsTheTable) {
  const Ended ended = RunLocklab({"list", "backends", "--format=json"});
  EXPECT_EQ(ended.code, kExitOk);
  const auto json = nlohmann::json::parse(ended.out);
  EXPECT_EQ(json.at("schema_version"), 1);
  ASSERT_EQ(json.at("backends").size(), lockfile::Backends().size());
  for (size_t i = 0; i < lockfile::Backends().size(); ++i) {
    const lockfile::BackendRow& row = lockfile::Backends()[i];
    const auto& item = json.at("backends").at(i);
    EXPECT_EQ(item.at("name"), row.name);
    EXPECT_EQ(item.at("doc"), row.doc);
    EXPECT_EQ(item.at("path"), "PATH" + std::string(row.suffix));
    EXPECT_EQ(item.at("traits").at("breakable"), row.traits.breakable);
  }
}

TEST(List, ClaimsTellWhatTheyNeed) {
  const Ended ended = RunLocklab({"list", "claims", "--format=json"});
  EXPECT_EQ(ended.code, kExitOk);
  const auto claims = nlohmann::json::parse(ended.out).at("claims");
  ASSERT_EQ(claims.size(), Claims().size());
  for (size_t i = 0; i < Claims().size(); ++i) {
    EXPECT_EQ(claims.at(i).at("id"), Claims()[i].id);
    EXPECT_EQ(claims.at(i).at("needs"), NamesIn(Claims()[i].needs));
  }
  EXPECT_THAT(RunLocklab({"list", "claims"}).out,
              HasSubstr("needs: other-users"));
}

TEST(List, FeaturesTellWhatToDo) {
  const Ended text = RunLocklab({"list", "features"});
  const Ended json = RunLocklab({"list", "features", "--format=json"});
  EXPECT_EQ(text.code, kExitOk);
  const auto features = nlohmann::json::parse(json.out).at("features");
  ASSERT_EQ(features.size(), Features().size());
  for (size_t i = 0; i < Features().size(); ++i) {
    const Feature& row = Features()[i];
    EXPECT_EQ(features.at(i).at("name"), row.name);
    EXPECT_EQ(features.at(i).at("if_missing"), row.remedy);
    EXPECT_THAT(text.out, HasSubstr(std::string(row.doc)));
  }
}

TEST(List, AdaptersTellWhetherTheyAreThere) {
  const Ended ended = RunLocklab({"list", "adapters", "--format=json"});
  EXPECT_EQ(ended.code, kExitOk);
  const auto list = nlohmann::json::parse(ended.out).at("adapters");
  ASSERT_EQ(list.size(), adapters::Adapters().size());
  for (size_t i = 0; i < list.size(); ++i) {
    const adapters::Adapter& row = adapters::Adapters()[i];
    EXPECT_EQ(list.at(i).at("name"), "adapter:" + std::string(row.name));
    EXPECT_EQ(list.at(i).at("package"), row.package);
    EXPECT_EQ(list.at(i).at("available"), list.at(i).at("reason") == "");
  }
}

}  // namespace
}  // namespace locklab::cli
