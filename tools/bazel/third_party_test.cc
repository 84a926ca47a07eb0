// Shows that every third-party dependency compiles, links and runs, and which
// version it is: the first thing to look at when a build differs elsewhere.

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sqlite3.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {

TEST(ThirdParty, FmtFormats) {
  fmt::print("fmt {}\n", FMT_VERSION);
  EXPECT_EQ(fmt::format("{:>4}", 42), "  42");
}

TEST(ThirdParty, SqliteIsTheVersionItsHeaderSays) {
  fmt::print("sqlite3 {}\n", sqlite3_libversion());
  EXPECT_STREQ(sqlite3_libversion(), SQLITE_VERSION);
  EXPECT_NE(sqlite3_threadsafe(), 0);
}

TEST(ThirdParty, LibcryptoIsThere) {
  fmt::print("{}\n", OpenSSL_version(OPENSSL_VERSION));
  EXPECT_EQ(OPENSSL_version_major(), OPENSSL_VERSION_MAJOR);
}

TEST(ThirdParty, Cli11ReadsALongFlag) {
  fmt::print("CLI11 {}\n", CLI11_VERSION);
  CLI::App app;
  std::string dir;
  app.add_option("--dir", dir);
  app.parse("--dir=/dev/shm");
  EXPECT_EQ(dir, "/dev/shm");
}

TEST(ThirdParty, JsonRoundTrips) {
  fmt::print("nlohmann/json {}.{}.{}\n", NLOHMANN_JSON_VERSION_MAJOR,
             NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH);
  const auto parsed = nlohmann::json::parse(R"({"verdict": "safe"})");
  EXPECT_THAT(parsed.at("verdict").get<std::string>(), testing::Eq("safe"));
}

TEST(ThirdParty, BenchmarkRunsALoop) {
  int iterations = 0;
  benchmark::RegisterBenchmark("Loop", [&](benchmark::State& state) {
    for (auto _ : state) ++iterations;
  })->Iterations(10);
  benchmark::ConsoleReporter reporter;
  EXPECT_EQ(benchmark::RunSpecifiedBenchmarks(&reporter), 1U);
  EXPECT_EQ(iterations, 10);
}

}  // namespace
