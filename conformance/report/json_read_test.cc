#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "conformance/report/json.h"
#include "conformance/report/sample.h"

namespace locklab::report {
namespace {

using Json = nlohmann::ordered_json;

TEST(FromJsonTest, ReadsWhatWasWritten) {
  for (const Sample& sample : Samples()) {
    const std::string text = ToJson(sample.report);
    int exit_code = -1;
    const RunReport report = FromJson(text, &exit_code);
    EXPECT_EQ(ToJson(report), text) << sample.name;
    EXPECT_EQ(exit_code, ExitCodeOf(sample.report)) << sample.name;
    EXPECT_EQ(report.backends.size(), sample.report.backends.size());
  }
}

TEST(FromJsonTest, JudgesNothing) {
  Json json = Json::parse(ToJson(Samples().front().report));
  json["backends"][0]["verdict"] = "safe";
  json["exit_code"] = 0;
  int exit_code = -1;
  EXPECT_EQ(FromJson(json.dump(), &exit_code).backends[0].worth, Worth::kSafe);
  EXPECT_EQ(exit_code, 0);
}

struct BadCase {
  const char* pointer;
  Json value;  // discarded: the field is removed
  const char* message;
};

TEST(FromJsonTest, SaysWhereItIsWrong) {
  const Json removed(Json::value_t::discarded);
  const BadCase cases[] = {
      {"/context/seed", removed, "context: seed is missing"},
      {"/context/seed", -1, "context.seed: must be a whole number from 0"},
      {"/context/seed", 1.5, "context.seed: must be a whole number"},
      {"/context/processors", 4294967296, "context.processors: must be"},
      {"/context/dir", 7, "context.dir: must be a string"},
      {"/context/partial", true, "context.partial: does not follow"},
      {"/context/versions", Json::array(), "context.versions: must be"},
      {"/context/color", "red", "context: unknown field color"},
      {"/schema_version", 5, "is 5, and this locklab reads version 4: use"},
      {"/schema_version", 1, "is 1, and this locklab reads version 4"},
      {"/backends", Json::object(), "backends: must be an array"},
      {"/backends/0", 1, "backends[0]: must be an object"},
      {"/backends/0/verdict", "save", "backends[0].verdict: must be one of"},
      {"/backends/0/claims/0/level", "MAY", "backends[0].claims[0].level: "},
      {"/backends/0/claims/0/duration_s", -1, "must not be negative"},
      {"/backends/0/supported", "yes", "must be true or false"},
      {"/backends/0/contention/jain", nullptr, "jain: must be a number"},
      {"/primitives/0/carries/0", 1, "primitives[0].carries[0]: must be"},
      {"/exit_code", removed, "document: exit_code is missing"},
  };
  const Json good = Json::parse(ToJson(FullReport()));
  for (const BadCase& bad : cases) {
    const Json::json_pointer pointer(bad.pointer);
    Json json = good;
    if (bad.value.is_discarded()) {
      json[pointer.parent_pointer()].erase(pointer.back());
    } else {
      json[pointer] = bad.value;
    }
    try {
      (void)FromJson(json.dump());
      ADD_FAILURE() << bad.pointer << " was taken";
    } catch (const JsonError& error) {
      EXPECT_NE(std::string(error.what()).find(bad.message), std::string::npos)
          << error.what();
    }
  }
}

// Each fault becomes a JsonError and nothing else.
void TryToRead(const std::string& text) {
  try {
    const RunReport report = FromJson(text);
    (void)FromJson(ToJson(report));
  } catch (const JsonError& error) {
    EXPECT_NE(error.what(), std::string());
  }
}

TEST(FromJsonTest, SurvivesAnyBytes) {
  const std::string good = ToJson(HostileReport());
  std::mt19937_64 random(20260102);
  const auto below = [&random](size_t n) { return random() % n; };
  for (int i = 0; i < 300; ++i) {
    std::string text = good;
    for (size_t edits = 1 + below(4); edits > 0; --edits) {
      const size_t at = below(text.size());
      switch (below(4)) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + below(20));
          break;
        case 2:
          text.insert(at, text.substr(below(text.size()), below(60)));
          break;
        default:
          text.resize(at + 1);
      }
    }
    TryToRead(text);
  }
  TryToRead(std::string(1'000'000, '['));
  TryToRead("{\"context\":1e999}");
  TryToRead("");
  TryToRead("null");
}

}  // namespace
}  // namespace locklab::report
