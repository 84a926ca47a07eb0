// page_writer DIR: writes pages for the test that opens them with a browser:
// full.html, hostile.html, check.html (of a run and nothing else). To be run
// where the sources are.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "conformance/report/html/html.h"
#include "conformance/report/sample.h"

namespace {

using namespace locklab;
using report::BackendReport;
using report::ClaimResult;
using report::HtmlPage;
using report::RunReport;

std::string Read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// What would run or be seen as markup if it were ever taken for such.
constexpr const char* kAttack =
    "</script><script>hacked=1</script><!--<script><img src=x "
    "onerror=\"hacked=1\">{{data}}";

RunReport Attacked() {
  RunReport run = report::HostileReport();
  for (BackendReport& backend : run.backends) {
    backend.name += kAttack;
    backend.distributions.push_back({kAttack, {{1, 1}}});
    for (ClaimResult& claim : backend.claims) {
      claim.id += kAttack;
      claim.finding.reason += kAttack;
      claim.finding.evidence += kAttack;
      claim.replay += kAttack;
      if (claim.expected) claim.expected->link = "javascript:hacked=1";
    }
  }
  run.context.dir += kAttack;
  run.context.variant += kAttack;
  return run;
}

RunReport Later(const char* started, double factor) {
  RunReport run = report::FullReport();
  run.context.run_id = std::string("run") + started;
  run.context.started = started;
  for (BackendReport& backend : run.backends) {
    if (!backend.latency_ns) continue;
    const auto p50 = static_cast<double>(backend.latency_ns->p50);
    backend.latency_ns->p50 = static_cast<int64_t>(p50 * factor);
  }
  return run;
}

RunReport Elsewhere() {
  RunReport run = report::FullReport();
  run.context.variant = "tmpfs";
  run.context.filesystem = {.type = "tmpfs", .source = "", .options = "rw"};
  for (BackendReport& backend : run.backends) {
    backend.distributions = {
        {"latency_ns", {{900, 10}, {1000, 70}, {2000, 15}, {90000, 5}}}};
  }
  return run;
}

store::BenchRun BenchRun(const char* started, double value) {
  store::BenchRun run = {.context = report::FullReport().context,
                         .series = {{.backend = "link",
                                     .measure = "uncontended",
                                     .samples = {value, value * 1.1}}},
                         .locks = {{"link", "pass", ""}}};
  run.context.started = started;
  return run;
}

// Of a lock in the trends of both kinds.
HtmlPage::Change ChangeOf(const report::Context& context, const char* kind,
                          const char* measure, const std::string& backend) {
  return {.place = context.place(),
          .host = context.host,
          .kind = kind,
          .backend = backend,
          .measure = measure,
          .unit = "ns",
          .run_id = context.run_id,
          .started = context.started,
          .before = 24000,
          .after = 36000,
          .standing = "REGRESSED"};
}

void Write(const std::string& path, const HtmlPage& page) {
  std::ofstream(path, std::ios::binary) << page.Write();
}

std::string Replace(std::string text, const std::string& from,
                    const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != text.npos;) {
    text.replace(at, from.size(), to);
    at += to.size();
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: page_writer DIR\n", stderr);
    return 2;
  }
  const std::string dir = argv[1];
  std::filesystem::create_directories(dir);
  HtmlPage full;
  HtmlPage hostile;
  HtmlPage check;
  full.Add(Later("2026-01-02T03:04:05Z", 1));
  full.Add(Later("2026-01-03T03:04:05Z", 1.5));
  full.Add(Elsewhere());
  hostile.Add(Attacked());
  for (const char* kind : {"bench", "crash", "explore", "sins", "stress"}) {
    const std::string path =
        fmt::format("conformance/report/html/testdata/{}.json", kind);
    const std::string text = Read(path);
    full.AddDocument(path, text);
    // As a name in JSON.
    hostile.AddDocument(
        path, Replace(text, "\"link",
                      "\"" + Replace(kAttack, "\"", "\\\"") + "link"));
  }
  full.Add(BenchRun("2026-01-04T03:04:05Z", 24000));
  full.Add(BenchRun("2026-01-05T03:04:05Z", 36000));
  const RunReport later = Later("2026-01-03T03:04:05Z", 1.5);
  full.Add(ChangeOf(later.context, "check", "latency-p50",
                    later.backends.front().name));
  full.Add(ChangeOf(BenchRun("2026-01-05T03:04:05Z", 1).context, "bench",
                    "uncontended", "link"));
  const RunReport attacked = Attacked();
  hostile.Add(ChangeOf(attacked.context, kAttack, kAttack, kAttack));
  check.Add(Elsewhere());
  Write(dir + "/full.html", full);
  Write(dir + "/hostile.html", hostile);
  Write(dir + "/check.html", check);
  return 0;
}
