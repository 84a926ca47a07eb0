#include "tools/locklab/pages.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "bench/trend/from_store.h"
#include "bench/trend/trend.h"
#include "conformance/report/html/html.h"
#include "conformance/report/write_file.h"
#include "conformance/store/bench_run.h"
#include "conformance/store/store.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/formats.h"

namespace locklab::cli {
namespace {

// Of check, or else of bench.
void AddRun(store::Store* store, const std::string& run,
            report::HtmlPage* page) {
  std::string id;
  try {
    id = store::FindRun(store, run);
  } catch (const store::StoreError& error) {
    if (error.trouble() != store::Trouble::kNoRun) throw;
    page->Add(store::LoadBenchRun(store, run));
    return;
  }
  page->Add(store::LoadRun(store, id));
}

// As locklab gate --series finds them.
void AddChanges(store::Store* store, report::HtmlPage* page) {
  constexpr size_t kRuns = 200;
  const bench::Trend trend = bench::TrendOf(
      bench::ReadHistory(store, kRuns).runs, {.hosts_apart = true});
  for (const bench::TrendSeries& series : trend.series) {
    for (const bench::ChangePoint& change : series.changes) {
      const bench::TrendRun& run = trend.runs[change.run];
      page->Add(report::HtmlPage::Change{
          .place = series.place,
          .host = series.host,
          .kind = series.kind,
          .backend = series.backend,
          .measure = series.measure,
          .unit = series.unit,
          .run_id = run.run_id,
          .started = run.started,
          .before = change.before,
          .after = change.after,
          .standing = bench::StandingName(change.standing)});
    }
  }
}

void AddStore(const std::string& dir, const std::string& run,
              report::HtmlPage* page, Context& context) try {
  store::Store store = store::Store::Open(dir, store::Mode::kRead);
  store.QuickCheck();
  if (!run.empty()) {
    AddRun(&store, run, page);
    return;
  }
  const auto runs = store::ListRuns(&store);
  for (const auto& each : runs) {
    page->Add(store::LoadRun(&store, each.run_id));
  }
  const auto benches = store::ListBenchRuns(&store);
  for (const auto& each : benches) {
    page->Add(store::LoadBenchRun(&store, each.run_id));
  }
  AddChanges(&store, page);
  if (runs.empty() && benches.empty()) {
    fmt::print(context.err.stream,
               "locklab: the results store of {} has no runs yet\n", dir);
  }
} catch (const store::StoreError& error) {
  if (error.may_pass()) throw;
  throw UsageError(fmt::format("--results={}: {}", dir, error.what()));
}

void AddFile(const std::string& path, report::HtmlPage* page) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in.is_open() || in.bad()) {
    throw UsageError(
        fmt::format("{}: cannot be read: {}", path, strerror(errno)));
  }
  try {
    page->AddDocument(path, text);
  } catch (const report::JsonError& error) {
    throw UsageError(error.what());
  }
}

}  // namespace

void CheckPage(const HtmlPageFile& page) {
  if (!page.wanted && !page.data.empty()) {
    throw UsageError(
        fmt::format("{}: files of JSON are for --html=PAGE: name the page",
                    page.data.front()));
  }
  if (!page.wanted) return;
  // "--html stress.json": a page there would be the end of the data.
  if (page.path.ends_with(".json")) {
    throw UsageError(
        fmt::format("--html={}: that is data, by its name: give the page with "
                    "--html=PAGE, before the files",
                    page.path));
  }
  ReportFiles().CheckOther("--html", page.path);
}

int WritePage(const HtmlPageFile& file, const std::vector<std::string>& results,
              const std::string& run, Context& context) {
  report::HtmlPage page;
  for (const std::string& dir : results) AddStore(dir, run, &page, context);
  for (const std::string& path : file.data) AddFile(path, &page);
  if (page.empty()) {
    fmt::print(context.err.stream,
               "locklab: there is nothing to show, so no page was written\n");
    return kExitNothingRan;
  }
  const std::string text = page.Write();
  const std::string error = report::WriteFile(file.path, text);
  if (error.empty()) {
    fmt::print(context.out.stream, "{}: {:.2f} MB; open it with a browser\n",
               file.path, static_cast<double>(text.size()) / 1e6);
    return kExitOk;
  }
  fmt::print(context.err.stream, "locklab: --html={}: {}\n", file.path, error);
  return kExitFailed;
}

}  // namespace locklab::cli
