#include "conformance/report/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace locklab::report {
namespace {

using nlohmann::json;

RunReport Sample() {
  BackendReport link;
  link.name = "link";
  link.complete = true;
  link.claims = {{.id = "release.frees",
                  .level = Level::kMust,
                  .finding = Finding::Pass(),
                  .replay = ""}};
  link.latency_ns = Percentiles{1, 2, 3, 4, 5};
  link.contention = Contention{.processes = 8,
                               .acquisitions = 4000,
                               .violations = 0,
                               .wait_ns = {1, 2, 3, 4, 5},
                               .jain = 0.998};
  RunReport report;
  report.context.seed = 18446744073709551615u;
  report.backends = {link};
  report.canary = Canary{.name = "naive", .caught = true, .reason = ""};
  Judge(&report);
  return report;
}

TEST(JsonTest, HasEveryPromisedField) {
  const json document = json::parse(ToJson(Sample()));
  for (const char* pointer : {"/schema_version",
                              "/context/suite_version",
                              "/context/seed",
                              "/context/dir",
                              "/context/filesystem/type",
                              "/context/filesystem/source",
                              "/context/filesystem/options",
                              "/context/kernel",
                              "/context/host",
                              "/context/started",
                              "/context/duration_s",
                              "/backends/0/name",
                              "/backends/0/verdict",
                              "/backends/0/reason",
                              "/backends/0/claims/0/id",
                              "/backends/0/claims/0/verdict",
                              "/backends/0/claims/0/reason",
                              "/backends/0/contention/processes",
                              "/backends/0/contention/acquisitions",
                              "/backends/0/contention/violations",
                              "/backends/0/contention/wait_ns/p50",
                              "/backends/0/contention/wait_ns/p90",
                              "/backends/0/contention/wait_ns/p99",
                              "/backends/0/contention/wait_ns/p99_9",
                              "/backends/0/contention/wait_ns/max",
                              "/backends/0/contention/jain",
                              "/backends/0/latency_ns/p50",
                              "/backends/0/latency_ns/max",
                              "/backends/0/floor_ns",
                              "/canary/caught"}) {
    EXPECT_TRUE(document.contains(json::json_pointer(pointer))) << pointer;
  }
  EXPECT_EQ(document["backends"][0]["verdict"], "safe");
  EXPECT_TRUE(document["backends"][0]["floor_ns"].is_null());
  EXPECT_EQ(document["context"]["seed"], 18446744073709551615u);
}

TEST(JsonTest, SurvivesBytesThatAreNotText) {
  RunReport report = Sample();
  report.context.dir = "/tmp/\xff\xfe\n\"";
  EXPECT_NO_THROW({ EXPECT_FALSE(json::parse(ToJson(report)).empty()); });
}

TEST(JsonTest, AnEmptyRunIsADocumentToo) {
  const json document = json::parse(ToJson(RunReport{}));
  EXPECT_EQ(document["canary"]["caught"], false);
  EXPECT_EQ(document["exit_code"], kExitNothingRan);
}

}  // namespace
}  // namespace locklab::report
