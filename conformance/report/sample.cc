#include "conformance/report/sample.h"

#include <fmt/format.h>

#include <utility>

namespace locklab::report {
namespace {

Expectation Known() {
  return {.reason = "the server does not do this",
          .link = "https://example.org/bug/1?a=b&c=d",
          .where = "nfs.expect:12"};
}

ClaimResult Claim(std::string id, Level level, Verdict verdict) {
  ClaimResult claim = {
      .id = std::move(id),
      .level = level,
      .finding = {verdict, "what was seen", ""},
      .replay = verdict == Verdict::kPass ? "" : "locklab check --dir=/d",
      .duration_s = 0.25};
  if (verdict == Verdict::kXfail || verdict == Verdict::kXpass) {
    claim.expected = Known();
  }
  return claim;
}

// One claim of each verdict at each level; MUST only as far as `must` allows.
std::vector<ClaimResult> Everything(bool must) {
  std::vector<ClaimResult> claims;
  for (const Level level : {Level::kMust, Level::kShould, Level::kReport}) {
    for (int i = 0; i <= static_cast<int>(Verdict::kInconclusive); ++i) {
      const auto verdict = static_cast<Verdict>(i);
      const bool good =
          verdict == Verdict::kPass || verdict == Verdict::kUnsupported;
      if (level == Level::kMust && !must && !good) continue;
      if (!must && verdict == Verdict::kXpass) continue;
      ClaimResult claim =
          Claim(fmt::format("family.{}_{}", VerdictName(verdict),
                            static_cast<int>(level)),
                level, verdict);
      if (verdict == Verdict::kFail) {
        claim.finding.evidence =
            "actor 3 acquired it at +0.2 s\n  while actor 5 held it\n\nend\n";
      }
      claims.push_back(std::move(claim));
    }
  }
  return claims;
}

Context FullContext() {
  Context context;
  context.run_id = "0123456789abcdef0123456789abcdef";
  context.suite_version = "0.1.0";
  context.seed = 18446744073709551615u;
  context.command_line = "locklab check --dir=/d --seed=18446744073709551615";
  context.dir = "/d";
  context.other_mount = "/e";
  context.variant = "nfs4.2/2";
  context.profile = "full";
  context.claims_chosen = 60;
  context.claims_total = 60;
  context.expectations = {"nfs.expect"};
  context.filesystem = {
      .type = "nfs4", .source = "host:/d", .options = "rw", .shared = true};
  context.kernel = "Linux 6.1.0 x86_64";
  context.host = "here";
  context.processors = 2;
  context.started = "2026-01-02T03:04:05Z";
  context.duration_s = 12.5;
  context.versions = {{"sqlite", "3.40.1"}, {"compiler", "gcc 12.2.0"}};
  return context;
}

BackendReport Measured(std::string name) {
  BackendReport backend;
  backend.name = std::move(name);
  backend.complete = true;
  backend.released_on_crash = true;
  backend.claims = {Claim("release.frees", Level::kMust, Verdict::kPass)};
  backend.contention = Contention{.processes = 8,
                                  .acquisitions = 4000,
                                  .violations = 0,
                                  .wait_ns = {1000, 2000, 3000, 4000, 5000},
                                  .jain = 0.998};
  backend.latency_ns = Percentiles{6130, 7000, 9900, 20000, 31000};
  backend.floor_ns = 5900;
  backend.crash = {{.point = "acquire:3:before",
                    .waiters = 1,
                    .call = "Link job.lock",
                    .verdict = Verdict::kPass,
                    .reason = "",
                    .recovery_ns = 310000},
                   {.point = "hold:1:before",
                    .waiters = 3,
                    .call = "",
                    .verdict = Verdict::kInconclusive,
                    .reason = "no process was to be had",
                    .recovery_ns = {}}};
  backend.distributions = {{"wait_ns", {{1000, 2000}, {5000, 2000}}}};
  return backend;
}

BackendReport Unsupported() {
  BackendReport backend;
  backend.name = "symlink";
  backend.supported = false;
  backend.reason = "the filesystem has no symbolic links";
  return backend;
}

RunReport Judged(std::vector<BackendReport> backends) {
  RunReport report;
  report.context = FullContext();
  report.backends = std::move(backends);
  report.canary = Canary{.name = "check-then-create",
                         .caught = true,
                         .reason = "1337 times two held the lock at once"};
  Judge(&report);
  return report;
}

RunReport CutShort() {
  RunReport report = Judged({Measured("link"), Measured("flock")});
  report.backends[1].complete = false;
  report.backends[1].claims.clear();
  report.backends[1].contention.reset();
  report.cut_short = "interrupted by SIGINT";
  Judge(&report);
  return report;
}

RunReport Partial() {
  BackendReport none = Measured("excl");
  none.claims = {Claim("a.b", Level::kMust, Verdict::kUnsupported)};
  none.latency_ns.reset();
  none.floor_ns.reset();
  none.contention.reset();
  RunReport report = Judged({Measured("link"), none});
  report.context.claims_chosen = 1;
  Judge(&report);
  return report;
}

RunReport Missing() {
  RunReport report = Judged({Measured("link"), Unsupported()});
  report.missing = {"other-mount"};
  return report;
}

RunReport CanaryAway() {
  RunReport report = Judged({Measured("link")});
  report.canary->caught = false;
  Judge(&report);
  return report;
}

RunReport With(Verdict verdict, Level level = Level::kMust) {
  BackendReport backend = Measured("link");
  backend.claims.push_back(Claim("a.claim", level, verdict));
  return Judged({backend});
}

RunReport Violated(Verdict other) {
  RunReport report = With(other);
  report.backends[0].contention->violations = 3;
  Judge(&report);
  return report;
}

RunReport WithPrimitive(Verdict verdict, std::vector<std::string> carries) {
  RunReport report = Judged({Measured("link"), Unsupported()});
  report.primitives = {{.claim = Claim("fs.link_atomic", Level::kMust, verdict),
                        .carries = std::move(carries)}};
  Judge(&report);
  return report;
}

}  // namespace

RunReport FullReport() {
  BackendReport bad = Measured("link");
  bad.claims = Everything(true);
  bad.contention->violations = 3;
  BackendReport fair = Measured("flock");
  fair.claims = Everything(false);
  RunReport report = Judged({bad, fair, Measured("ofd"), Unsupported()});
  for (const ClaimResult& claim : Everything(true)) {
    report.primitives.push_back({.claim = claim, .carries = {"link", "mkdir"}});
    report.primitives.back().claim.id = "fs." + claim.id;
  }
  report.missing = {"other-mount"};
  report.cut_short = "interrupted by SIGINT";
  // As it would be, had the run reached its end.
  Judge(&report);
  report.recommendation = Recommendation{.backend = "ofd", .reason = "it held"};
  return report;
}

RunReport HostileReport() {
  const std::string bad =
      "</failure>]]>&amp;<b>'\"`|\\ # TODO\x1b[31m\xff\xfe\xed\xa0\x80\xef\xbf"
      "\xbe\x01\x7f ${x} \xe2\x82\xac\r\n\t1..0\nnot ok 7\nBail out!\n...\n" +
      std::string(1, '\0') + "```\n</pre></details>@here :x: ~~ends~~";
  BackendReport backend = Measured(bad);
  backend.claims = Everything(true);
  for (ClaimResult& claim : backend.claims) {
    claim.id += bad;
    claim.replay = bad;
    claim.finding.reason = bad;
    claim.finding.evidence = "\n  " + bad + "\n---\n" + bad;
    if (claim.expected) claim.expected = {bad, bad, bad};
  }
  for (CrashPoint& point : backend.crash) {
    point.point = point.call = point.reason = bad;
  }
  RunReport report = Judged({backend});
  report.primitives = {{.claim = backend.claims[1], .carries = {bad}}};
  for (std::string* text :
       {&report.context.dir, &report.context.command_line, &report.context.host,
        &report.context.filesystem.type, &report.context.filesystem.options,
        &report.context.kernel, &report.context.other_mount,
        &report.context.variant, &report.canary->name, &report.canary->reason,
        &report.cut_short}) {
    *text = bad;
  }
  report.context.expectations = {bad};
  report.context.versions = {{bad, bad}};
  report.missing = {bad};
  Judge(&report);
  return report;
}

RunReport HugeReport(size_t size) {
  const std::string text(size, '|');
  std::vector<BackendReport> backends;
  for (size_t i = 0; i < size; ++i) {
    BackendReport backend = Measured(fmt::format("lock{}", i));
    backend.claims.push_back(
        {.id = "a.claim",
         .level = Level::kMust,
         .finding = {Verdict::kFail, text, text + "\n" + text},
         .replay = text});
    backends.push_back(std::move(backend));
  }
  return Judged(std::move(backends));
}

std::vector<Sample> Samples() {
  RunReport no_claims = With(Verdict::kPass);
  no_claims.backends[0].claims.clear();
  Judge(&no_claims);
  RunReport refused = Judged({Unsupported()});
  RunReport empty;
  Judge(&empty);
  RunReport cut_early;
  cut_early.cut_short = "interrupted by SIGTERM";
  return {
      {"full", FullReport()},
      {"hostile", HostileReport()},
      {"empty", empty},
      {"partial", Partial()},
      {"cut_short", CutShort()},
      {"cut_early", cut_early},
      {"missing", Missing()},
      {"canary_away", CanaryAway()},
      {"no_claims", no_claims},
      {"refused", refused},
      {"good", Judged({Measured("link"), Unsupported()})},
      {"failed", With(Verdict::kFail)},
      {"should_failed", With(Verdict::kFail, Level::kShould)},
      {"should_doubt", With(Verdict::kInconclusive, Level::kShould)},
      {"expected", With(Verdict::kXfail)},
      {"surprise", With(Verdict::kXpass)},
      {"should_surprise", With(Verdict::kXpass, Level::kShould)},
      {"doubt", With(Verdict::kInconclusive)},
      {"violated", Violated(Verdict::kPass)},
      {"violated_expected", Violated(Verdict::kXfail)},
      {"violated_failed", Violated(Verdict::kFail)},
      {"primitive_failed", WithPrimitive(Verdict::kFail, {"link"})},
      {"primitive_of_none", WithPrimitive(Verdict::kFail, {"symlink"})},
      {"primitive_alone", WithPrimitive(Verdict::kFail, {})},
      {"primitive_doubt", WithPrimitive(Verdict::kInconclusive, {"link"})},
      {"primitive_vague", WithPrimitive(Verdict::kInconclusive, {})},
      {"primitive_expected", WithPrimitive(Verdict::kXfail, {"link"})},
      {"primitive_surprise", WithPrimitive(Verdict::kXpass, {"symlink"})},
  };
}

}  // namespace locklab::report
