// A short check on every filesystem that this kernel mounts.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "conformance/verdict/exit.h"
#include "tools/lab/variant.h"
#include "tools/locklab/program.h"

namespace locklab::cli {
namespace {

using namespace std::chrono_literals;

class LocalVariant : public testing::TestWithParam<std::string> {};

TEST_P(LocalVariant, HoldsWhatLocksNeed) {
  const std::string missing = WhyNot(*lab::FindVariant(GetParam()));
  if (!missing.empty()) GTEST_SKIP() << missing;
  Program program(LocklabArgv({"check", "--fs=" + GetParam(),
                               "--filter=^(fs|exclusion|release|power)"}));
  const Ended ended = program.Wait(300s);
  EXPECT_EQ(ended.code, kExitOk) << ended.out << ended.err;
}

std::vector<std::string> LocalNames() {
  std::vector<std::string> names;
  for (const lab::Variant& variant : lab::Variants()) {
    if (variant.kind != lab::Kind::kGuest) names.push_back(variant.name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(
    All, LocalVariant, testing::ValuesIn(LocalNames()), [](const auto& info) {
      std::string name = info.param;
      std::replace_if(
          name.begin(), name.end(),
          [](char c) { return c == '-' || c == '/' || c == '.'; }, '_');
      return name;
    });

}  // namespace
}  // namespace locklab::cli
