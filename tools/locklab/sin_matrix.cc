#include "tools/locklab/sin_matrix.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <array>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <regex>

#include "conformance/claims/features.h"
#include "conformance/proc/child.h"
#include "conformance/proc/namespaces.h"
#include "conformance/proc/shared.h"
#include "stress/faultfs/stage.h"
#include "tools/locklab/check/survey.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/sins.h"

namespace locklab::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kPatience = std::chrono::minutes(3);

constexpr auto kCases = std::to_array<SinCase>({
    {.sin = "", .claims = "^fs\\.", .backends = "link", .quick = true},
    {.sin = "link-not-atomic",
     .claims = "^fs.link_is_atomic",
     .backends = "link,pid",
     .caught_by = "fs.link_is_atomic",
     .breaks = "link pid",
     .quick = true},
    {.sin = "mkdir-not-atomic",
     .claims = "^fs.mkdir_is_atomic",
     .backends = "mkdir",
     .caught_by = "fs.mkdir_is_atomic",
     .breaks = "mkdir"},
    {.sin = "symlink-not-atomic",
     .claims = "^fs.symlink_is_atomic",
     .backends = "symlink",
     .caught_by = "fs.symlink_is_atomic",
     .breaks = "symlink"},
    {.sin = "excl-not-atomic",
     .claims = "^fs.excl_is_atomic",
     .backends = "excl",
     .caught_by = "fs.excl_is_atomic",
     .breaks = "excl",
     .quick = true},
    {.sin = "rename-replaces",
     .claims = "^fs.rename_noreplace",
     .backends = "mkdir",
     .caught_by = "fs.rename_noreplace",
     .breaks = "mkdir"},
    {.sin = "rename-not-atomic",
     .claims = "^fs.rename_(is_atomic|replaces)",
     .backends = "link,mkdir,symlink,pid,excl",
     .caught_by = "fs.rename_is_atomic",
     .breaks = "link mkdir symlink pid excl",
     .quick = true},
    {.sin = "no-effect:op=link",
     .claims = "^fs.link_is_atomic",
     .backends = "link,pid",
     .caught_by = "fs.link_is_atomic",
     .breaks = "link pid"},
    {.sin = "no-effect:op=mkdir",
     .claims = "^fs.mkdir_is_atomic",
     .backends = "mkdir",
     .caught_by = "fs.mkdir_is_atomic",
     .breaks = "mkdir"},
    {.sin = "no-effect:op=symlink",
     .claims = "^fs.symlink_is_atomic",
     .backends = "symlink",
     .caught_by = "fs.symlink_is_atomic",
     .breaks = "symlink"},
    {.sin = "no-effect:op=create",
     .claims = "^fs.excl_is_atomic",
     .backends = "excl",
     .caught_by = "fs.excl_is_atomic",
     .breaks = "excl"},
    {.sin = "no-effect:op=unlink",
     .claims = "^fs.unlink_is_seen$",
     .backends = "link,symlink,pid,excl",
     .caught_by = "fs.unlink_is_seen",
     .breaks = "link symlink pid excl"},
    {.sin = "no-effect:op=rename",
     .claims = "^fs.rename_noreplace",
     .backends = "mkdir",
     .caught_by = "fs.rename_noreplace",
     .breaks = "mkdir"},
    {.sin = "lost-reply:op=link",
     .claims = "^fs.link_is_atomic",
     .backends = "link,pid",
     .caught_by = "fs.link_is_atomic",
     .breaks = "link pid",
     .quick = true},
    {.sin = "lost-reply:op=mkdir",
     .claims = "^fs.mkdir_is_atomic",
     .backends = "mkdir",
     .caught_by = "fs.mkdir_is_atomic",
     .breaks = "mkdir"},
    {.sin = "lost-reply:op=symlink",
     .claims = "^fs.symlink_is_atomic",
     .backends = "symlink",
     .caught_by = "fs.symlink_is_atomic",
     .breaks = "symlink"},
    {.sin = "lost-reply:op=rename",
     .claims = "^fs.rename_noreplace",
     .backends = "mkdir",
     .caught_by = "fs.rename_noreplace",
     .breaks = "mkdir"},
    {.sin = "link-eperm",
     .claims = "^fs.link_is_atomic",
     .backends = "link",
     .missing = true,
     .quick = true},
    {.sin = "enospc",
     .claims = "^fs.excl_is_atomic",
     .backends = "excl",
     .caught_by = "fs.excl_is_atomic",
     .breaks = "excl"},
    {.sin = "link-count-stale",
     .claims = "^(fs.link_count|exclusion.(two_proc|across))",
     .backends = "link",
     .caught_by = "fs.link_count_is_fresh",
     .quick = true},
    {.sin = "attributes-cached",
     .claims = "^(fs.link_count|exclusion.(two_proc|across))",
     .backends = "link",
     .caught_by = "fs.link_count_is_fresh"},
    {.sin = "names-cached",
     .claims = "^(fs.unlink_is_seen_across|exclusion.(two_proc|across))",
     .backends = "link",
     .caught_by = "fs.unlink_is_seen_across_mounts"},
    {.sin = "data-cached",
     .claims = "^fs.excl_is_atomic",
     .backends = "excl",
     .caught_by = "fs.excl_is_atomic",
     .breaks = "excl"},
    {.sin = "unlink-late",
     .claims = "^fs.unlink_is_seen$",
     .backends = "link,mkdir,symlink,pid,excl",
     .caught_by = "fs.unlink_is_seen",
     .breaks = "link mkdir symlink pid excl",
     .quick = true},
    {.sin = "readdir-stale",
     .claims = "^release.survives_foreign",
     .backends = "mkdir",
     .caught_by = "release.survives_foreign_files",
     .breaks = "mkdir"},
    {.sin = "inode-unstable",
     .claims = "^fs.inode_is_stable",
     .backends = "link,pid,flock,fcntl,ofd",
     .caught_by = "fs.inode_is_stable",
     .breaks = "link pid flock fcntl",
     .quick = true},
    {.sin = "case-folded",
     .claims = "^(fs.case|exclusion.(two_proc|across))",
     .backends = "link",
     .caught_by = "fs.case_sensitive",
     .quick = true},
    {.sin = "mtime-coarse:ms=3600000",
     .claims = "^(fs.mtime|exclusion.(two_proc|across))",
     .backends = "link",
     .caught_by = "fs.mtime_granularity"},
    {.sin = "locks-local",
     .claims = "^fs.(flock|fcntl|ofd)_is_shared",
     .backends = "flock,fcntl,ofd,sqlite",
     .caught_by = "fs.flock_is_shared_between_mounts",
     .breaks = "flock fcntl ofd sqlite",
     .quick = true},
    {.sin = "locks-granted",
     .claims = "^fs.(flock|fcntl|ofd)_released",
     .backends = "flock,fcntl,ofd",
     .caught_by = "fs.flock_released_on_kill",
     .breaks = "flock",
     .quick = true},
    {.sin = "locks-dropped",
     .claims = "^stale.live_holder",
     .backends = "flock,fcntl,ofd",
     .caught_by = "stale.live_holder_is_never_broken",
     .breaks = "flock fcntl ofd"},
    {.sin = "locks-outlive",
     .claims = "^fs.flock_released",
     .backends = "flock",
     .caught_by = "fs.flock_released_on_kill",
     .breaks = "flock"},
});

// What was found in one case, where it survives the process that found it.
struct Board {
  bool done;
  std::array<char, 1024> failed;  // claims, separated by blanks
  std::array<char, 512> unsafe;   // backends
  std::array<char, 512> safe;     // backends that stay so all the same
  std::array<char, 512> missing;  // backends that are unsupported
  std::array<char, 512> trouble;
};

template <size_t kSize>
void Add(std::array<char, kSize>* list, std::string_view what) {
  std::string all = list->data();
  if (!all.empty()) all += ' ';
  all += what;
  all.copy(list->data(), kSize - 1);
}

bool Has(const char* list, std::string_view what) {
  return (" " + std::string(list) + " ").find(fmt::format(" {} ", what)) !=
         std::string::npos;
}

void Note(const report::RunReport& report, Board* board) {
  if (!report.cut_short.empty()) Add(&board->trouble, report.cut_short);
  const auto note = [board](const report::ClaimResult& claim) {
    if (claim.finding.verdict != Verdict::kFail) return;
    if (!Has(board->failed.data(), claim.id)) Add(&board->failed, claim.id);
  };
  for (const auto& primitive : report.primitives) note(primitive.claim);
  for (const auto& backend : report.backends) {
    for (const auto& claim : backend.claims) note(claim);
    if (backend.worth == report::Worth::kUnsafe) {
      Add(&board->unsafe, backend.name);
    }
    // Without a claim about itself nothing is known of it.
    if (backend.worth == report::Worth::kSafe && !backend.claims.empty()) {
      Add(&board->safe, backend.name);
    }
    if (backend.worth == report::Worth::kUnsupported) {
      Add(&board->missing, backend.name);
    }
  }
  board->done = true;
}

// In a process of its own, which has its own mounts from then on.
int Examine(const SinCase& each, const SinMatrix& plan, Board* board) {
  std::string why = proc::EnterMounts();
  if (!why.empty()) {
    Add(&board->trouble, why);
    return 1;
  }
  try {
    const std::string sins(each.sin);
    faultfs::Stage::Plan stage_plan{.mounts = 2, .seed = plan.seed};
    if (!sins.empty()) stage_plan.sins = ParseSins("--sin", sins);
    const faultfs::Stage stage(stage_plan);
    check::SurveyPlan survey;
    survey.dir = stage.dir(0);
    survey.other_mount = stage.dir(1);
    survey.subjects = ParseSubjects(std::string(each.backends), plan.seed);
    const std::regex wanted{std::string(each.claims)};
    for (const Claim& claim : Claims()) {
      const std::string id(claim.id);
      if (std::regex_search(id, wanted)) survey.claims.push_back(&claim);
    }
    survey.latency = false;
    survey.seed = plan.seed;
    survey.run_id = std::string(32, '0');
    std::ostream nowhere(nullptr);
    Console silent{nowhere};
    check::Progress progress(silent);
    Note(check::Survey(survey, &progress, nullptr), board);
    return 0;
  } catch (const std::exception& error) {
    Add(&board->trouble, error.what());
    return 1;
  }
}

enum class Result { kCaught, kClean, kMissed, kFalseAlarm, kUnknown };

struct Row {
  const SinCase* of = nullptr;
  Board board{};
  Result result = Result::kUnknown;
  double seconds = 0;
};

Result ResultOf(const SinCase& each, const Board& board) {
  if (!board.done) return Result::kUnknown;
  if (each.sin.empty()) {
    // Of REPORT claims one fails: no inotify between two mounts of anything.
    const bool clean = board.unsafe[0] == '\0' && board.missing[0] == '\0';
    return clean ? Result::kClean : Result::kFalseAlarm;
  }
  bool caught = each.missing ? board.missing[0] != '\0'
                             : Has(board.failed.data(), each.caught_by);
  // One whose probe fails by it is not offered to anybody, either.
  for (const std::string_view name : NamesIn(each.breaks)) {
    caught &= Has(board.unsafe.data(), name) || Has(board.missing.data(), name);
  }
  return caught ? Result::kCaught : Result::kMissed;
}

std::string_view NameOf(Result result) {
  constexpr std::string_view kNames[] = {"caught", "clean", "MISSED",
                                         "FALSE ALARM", "inconclusive"};
  return kNames[static_cast<size_t>(result)];
}

Row Try(const SinCase& each, const SinMatrix& plan) {
  Row row{.of = &each};
  const proc::Shared<Board> board;
  const auto start = proc::Clock::now();
  proc::Child child = proc::Child::Spawn(
      [&] { return Examine(each, plan, &*board); }, {.own_group = true});
  const auto end = child.Wait(proc::In(kPatience));
  row.seconds =
      std::chrono::duration<double>(proc::Clock::now() - start).count();
  row.board = *board;
  if (!row.board.done && row.board.trouble[0] == '\0') {
    Add(&row.board.trouble, end ? "the run " + end->Describe() : "it hung");
  }
  row.result = ResultOf(each, row.board);
  return row;
}

void PrintText(const Row& row, std::ostream& out) {
  std::string by = row.board.failed.data();
  if (row.board.safe[0] != '\0' && !row.of->sin.empty()) {
    by += fmt::format("; safe all the same: {}", row.board.safe.data());
  }
  if (row.of->missing) by = "the probe: unsupported";
  if (row.board.trouble[0] != '\0') by = row.board.trouble.data();
  fmt::print(out, "{:<22} {:<12} {:<27} {:>5.1f} s  {}\n",
             row.of->sin.empty() ? "(none)" : row.of->sin, NameOf(row.result),
             row.board.unsafe.data(), row.seconds, by);
  out.flush();
}

Json JsonOf(const Row& row) {
  return {{"sin", std::string(row.of->sin)},
          {"result", std::string(NameOf(row.result))},
          {"backends", std::string(row.of->backends)},
          {"failed_claims", row.board.failed.data()},
          {"unsafe", row.board.unsafe.data()},
          {"safe", row.board.safe.data()},
          {"unsupported", row.board.missing.data()},
          {"trouble", row.board.trouble.data()},
          {"duration_s", row.seconds}};
}

}  // namespace

std::span<const SinCase> SinCases() { return kCases; }

int RunSinMatrix(const SinMatrix& plan, Context& context) {
  std::ostream& out = context.out.stream;
  if (!plan.json) {
    fmt::print(out, "seed {}\n{:<22} {:<12} {:<27} {:>7}  {}\n", plan.seed,
               "sin", "result", "unsafe", "took", "failed");
  }
  Json rows = Json::array();
  Exit code = kExitOk;
  for (const SinCase& each : kCases) {
    if (plan.quick && !each.quick) continue;
    const Row row = Try(each, plan);
    if (plan.json) {
      rows.push_back(JsonOf(row));
    } else {
      PrintText(row, out);
    }
    if (row.result == Result::kMissed || row.result == Result::kFalseAlarm) {
      code = kExitFailed;
    }
    if (row.result == Result::kUnknown && code == kExitOk) {
      code = kExitInconclusive;
    }
  }
  if (plan.json) {
    const Json all = {
        {"schema_version", 1}, {"seed", plan.seed}, {"rows", std::move(rows)}};
    out << all.dump(2) << "\n";
  }
  return code;
}

}  // namespace locklab::cli
