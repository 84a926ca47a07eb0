#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "conformance/bundle/bundle.h"
#include "conformance/bundle/manifest.h"
#include "conformance/digest/sha256.h"
#include "conformance/expect/expectations.h"
#include "conformance/history/log_reader.h"
#include "conformance/judge/judgement.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/report/json.h"

namespace locklab::bundle {
namespace {

namespace fs = std::filesystem;
using report::BackendReport;
using report::ClaimResult;
using report::RunReport;

// Of a text that is read whole; real ones have some hundred KB.
constexpr int64_t kMaxTextBytes = int64_t{256} << 20;

std::string ReadText(const std::string& path) {
  std::error_code error;
  if (fs::file_size(path, error) > static_cast<uintmax_t>(kMaxTextBytes)) {
    throw BundleError(fs::path(path).filename().string() +
                      " is too large: it is not to be trusted");
  }
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// A claim that a history decides on.
struct Judged {
  std::string_view id;
  Finding (judge::Judgement::*finding)() const;
  // Whether a failure has to be in the history, too: a lock that hangs is seen
  // by the supervisor alone.
  bool failure_shows;
};
constexpr Judged kJudged[] = {
    {"exclusion.two_processes", &judge::Judgement::Exclusion, true},
    {"load.progress", &judge::Judgement::Progress, false},
};

// As its logs name the lock.
std::string_view SubjectOf(std::string_view backend) {
  constexpr std::string_view kCanary = "canary:";
  if (backend.starts_with(kCanary)) backend.remove_prefix(kCanary.size());
  return backend;
}

class Verifier {
 public:
  Verifier(std::string dir, std::vector<std::string> names)
      : dir_(std::move(dir)), names_(std::move(names)) {}

  Verification Run() {
    if (names_.front() != kManifestName) {
      throw BundleError(fmt::format("is no bundle: it does not begin with {}",
                                    kManifestName));
    }
    const std::string text = ReadText(dir_ / kManifestName);
    manifest_ = ManifestFromJson(text);
    CheckMembers();
    if (ReadReport()) {
      CheckManifest(text);
      for (const BackendReport& backend : report().backends) {
        CheckHistory(backend);
        CompareDeaths(backend);
      }
      CheckCanary();
      CheckStrays();
      CheckExpected();
      CheckVerdicts();
    }
    return std::move(result_);
  }

 private:
  [[nodiscard]] const RunReport& report() const { return result_.report; }
  template <typename... T>
  void Say(fmt::format_string<T...> format, T&&... values) {
    result_.discrepancies.push_back(
        fmt::format(format, std::forward<T>(values)...));
  }

  void CheckMembers();
  bool ReadReport();
  void CheckManifest(const std::string& text);
  void CheckHistory(const BackendReport& backend);
  void CheckLogs(const BackendReport& backend,
                 const std::vector<const history::LogInfo*>& logs);
  void CompareContention(const BackendReport& backend,
                         const judge::Judgement& judgement);
  void CompareClaims(const BackendReport& backend,
                     const judge::Judgement& judgement);
  void CompareDeaths(const BackendReport& backend);
  void CheckCanary();
  void CheckStrays();
  void CheckExpected();
  void CheckExpected(const std::string& backend, const ClaimResult& claim,
                     const expect::Expectations& known);
  void CheckVerdicts();

  const fs::path dir_;
  const std::vector<std::string> names_;
  Manifest manifest_;
  std::string text_;  // of the report
  int exit_code_ = 0;
  Verification result_;
};

void Verifier::CheckMembers() {
  std::map<std::string, digest::FileDigest> listed;
  for (const Item& item : manifest_.items) {
    if (!listed.emplace(item.name, item.digest).second) {
      Say("{}: lists {} twice", kManifestName, item.name);
    }
  }
  for (const std::string& name : names_) {
    if (name == kManifestName) continue;
    const auto found = listed.find(name);
    if (found == listed.end()) {
      Say("{}: is in the bundle, and {} does not list it", name, kManifestName);
      continue;
    }
    const digest::FileDigest digest = digest::DigestOfFile(dir_ / name);
    if (digest.bytes != found->second.bytes) {
      Say("{}: has {} bytes, and {} says {}", name, digest.bytes, kManifestName,
          found->second.bytes);
    } else if (digest.sha256 != found->second.sha256) {
      Say("{}: its SHA-256 is {}, and {} says {}", name, digest.sha256,
          kManifestName, found->second.sha256);
    }
    listed.erase(found);
  }
  for (const auto& [name, digest] : listed) {
    Say("{}: is not in the bundle, and {} lists it", name, kManifestName);
  }
}

bool Verifier::ReadReport() {
  const std::string path = dir_ / kReportName;
  if (!fs::exists(path)) {
    // CheckMembers has said it, if the manifest knew of it.
    Say("{}: there is none, so there are no verdicts", kReportName);
    return false;
  }
  text_ = ReadText(path);
  try {
    result_.report = report::FromJson(text_, &exit_code_);
  } catch (const report::JsonError& error) {
    Say("{}: {}", kReportName, error.what());
    return false;
  }
  return true;
}

void Verifier::CheckManifest(const std::string& text) {
  Manifest expected = manifest_;
  expected.about = AboutOf(report());
  if (ToJson(expected) != text) {
    Say("{}: what it says of the run is not what {} says", kManifestName,
        kReportName);
  }
}

void Verifier::CheckHistory(const BackendReport& backend) {
  const std::string name = history::LogsNameOf(backend.name);
  const fs::path dir = dir_ / kHistoryFolder / name;
  if (!IsMemberName(name) || !fs::exists(dir)) {
    if (backend.contention) {
      Say("{}: there is no history of its {} acquisitions, so they cannot be "
          "judged again",
          backend.name, backend.contention->acquisitions);
    }
    return;
  }
  if (!backend.contention) {
    // A run that is stopped leaves what it had begun.
    if (!report().cut_short.empty()) return;
    Say("{}: there is a history, and the report has no contention",
        backend.name);
    return;
  }
  try {
    const std::vector<std::string> logs = history::LogsIn(dir);
    history::MergedReader reader(logs);
    CheckLogs(backend, reader.infos());
    const judge::Judgement judgement = judge::Judge(reader);
    ++result_.histories;
    result_.events += judgement.events;
    CompareContention(backend, judgement);
    CompareClaims(backend, judgement);
  } catch (const history::HistoryError& error) {
    Say("{}: its history cannot be read: {}", backend.name, error.what());
  }
}

// A history of another lock or another run proves nothing.
void Verifier::CheckLogs(const BackendReport& backend,
                         const std::vector<const history::LogInfo*>& logs) {
  std::set<history::Actor> actors;
  for (const history::LogInfo* log : logs) {
    if (log->subject != SubjectOf(backend.name)) {
      Say("{}: a log of its history is of the lock {}", backend.name,
          log->subject);
    }
    if (log->seed != report().context.seed) {
      Say("{}: a log of its history is of a run with seed {}, and the report "
          "says {}",
          backend.name, log->seed, report().context.seed);
    }
    if (!actors.insert(log->actor).second) {
      Say("{}: two logs of its history are of actor {}", backend.name,
          log->actor);
    }
  }
  actors.erase(history::kSupervisor);
  const auto processes = static_cast<size_t>(backend.contention->processes);
  if (actors.size() != processes) {
    Say("{}: its history is of {} processes, and the report says {}",
        backend.name, actors.size(), processes);
  }
}

void Verifier::CompareContention(const BackendReport& backend,
                                 const judge::Judgement& judgement) {
  const report::Contention& said = *backend.contention;
  const history::Percentiles wait = judgement.wait.percentiles();
  const std::pair<const char*, std::pair<int64_t, int64_t>> numbers[] = {
      {"acquisitions", {said.acquisitions, judgement.acquisitions}},
      {"wait_ns.p50", {said.wait_ns.p50, wait.p50}},
      {"wait_ns.p90", {said.wait_ns.p90, wait.p90}},
      {"wait_ns.p99", {said.wait_ns.p99, wait.p99}},
      {"wait_ns.p99_9", {said.wait_ns.p99_9, wait.p99_9}},
      {"wait_ns.max", {said.wait_ns.max, wait.max}},
  };
  for (const auto& [name, pair] : numbers) {
    if (pair.first == pair.second) continue;
    Say("{}: {} is {} in the report, and {} by its history", backend.name, name,
        pair.first, pair.second);
  }
  // The other witness, which is not in the bundle, may have seen more.
  if (said.violations < judgement.violations) {
    Say("{}: violations is {} in the report, and {} by its history{}",
        backend.name, said.violations, judgement.violations,
        judgement.evidence.empty()
            ? ""
            : ": " + judgement.evidence.front().Describe(judgement.start_ns));
  }
  if (std::abs(said.jain - judgement.jain) > 1e-9) {
    Say("{}: jain is {} in the report, and {} by its history", backend.name,
        said.jain, judgement.jain);
  }
}

void Verifier::CompareClaims(const BackendReport& backend,
                             const judge::Judgement& judgement) {
  for (const Judged& row : kJudged) {
    const Finding finding = (judgement.*row.finding)();
    for (const ClaimResult& claim : backend.claims) {
      if (claim.id != row.id) continue;
      const Verdict said = claim.finding.verdict;
      const bool passed = said == Verdict::kPass || said == Verdict::kXpass;
      const bool failed = said == Verdict::kFail || said == Verdict::kXfail;
      const bool wrong =
          (passed && finding.verdict != Verdict::kPass) ||
          (failed && row.failure_shows && finding.verdict != Verdict::kFail) ||
          // It applies to every lock, so nobody is excused.
          said == Verdict::kUnsupported;
      if (wrong) {
        Say("{} {}: {} in the report, and {} by its history{}{}", backend.name,
            claim.id, VerdictName(said), VerdictName(finding.verdict),
            finding.reason.empty() ? "" : ": ", finding.reason);
      }
    }
  }
}

// The claim that stands on the deaths at every step.
void Verifier::CompareDeaths(const BackendReport& backend) {
  for (const ClaimResult& claim : backend.claims) {
    const Verdict said = claim.finding.verdict;
    if (claim.id != "crash.every_point_recovers" ||
        (said != Verdict::kPass && said != Verdict::kXpass)) {
      continue;
    }
    for (const report::CrashPoint& point : backend.crash) {
      if (point.verdict == Verdict::kPass) continue;
      return Say("{} {}: {} in the report, and {} at {}", backend.name,
                 claim.id, VerdictName(said), VerdictName(point.verdict),
                 point.point);
    }
  }
}

// That it was caught is what every pass stands on.
void Verifier::CheckCanary() {
  const auto& canary = report().canary;
  if (!canary || !canary->caught) return;
  const fs::path dir = dir_ / kHistoryFolder / kCanaryFolder;
  if (!fs::exists(dir)) {
    Say("canary {}: there is no history of it, so whether it was caught cannot "
        "be judged again",
        canary->name);
    return;
  }
  try {
    history::MergedReader reader(history::LogsIn(dir));
    for (const history::LogInfo* log : reader.infos()) {
      if (log->subject == canary->name) continue;
      Say("canary {}: a log of its history is of the lock {}", canary->name,
          log->subject);
    }
    const judge::Judgement judgement = judge::Judge(reader);
    ++result_.histories;
    result_.events += judgement.events;
    const Finding finding = judgement.Exclusion();
    if (finding.verdict != Verdict::kFail) {
      Say("canary {}: caught in the report, and {} by its history",
          canary->name, VerdictName(finding.verdict));
    } else if (finding.reason != canary->reason) {
      Say("canary {}: what was seen of it is not what its history shows: {}",
          canary->name, finding.reason);
    }
  } catch (const history::HistoryError& error) {
    Say("canary {}: its history cannot be read: {}", canary->name,
        error.what());
  }
}

// Histories of locks that the report does not know.
void Verifier::CheckStrays() {
  std::set<std::string> known = {std::string(kCanaryFolder)};
  for (const BackendReport& backend : report().backends) {
    if (!known.insert(history::LogsNameOf(backend.name)).second) {
      Say("{}: is in the report twice", backend.name);
    }
  }
  for (const std::string& name : names_) {
    const fs::path path(name);
    const std::string folder = path.begin()->string();
    if (name == kManifestName || name == kReportName ||
        folder == kExpectationsFolder) {
      continue;
    }
    const std::string backend = path.parent_path().filename().string();
    if (folder != kHistoryFolder || !known.contains(backend)) {
      Say("{}: does not belong to anything in the report", name);
    }
  }
}

// Only what an expectations file says is expected.
void Verifier::CheckExpected() {
  const bool given = !report().context.expectations.empty();
  const fs::path copies = dir_ / kExpectationsFolder;
  if (given && !fs::exists(copies)) {
    return Say(
        "the report says that expectations were given, and there is no copy of "
        "them");
  }
  expect::Expectations known;
  try {
    if (given) known = expect::KeptIn(copies);
  } catch (const expect::ExpectError& error) {
    return Say("the expectations cannot be read: {}", error.what());
  }
  for (const report::Primitive& primitive : report().primitives) {
    CheckExpected("-", primitive.claim, known);
  }
  for (const BackendReport& backend : report().backends) {
    for (const ClaimResult& claim : backend.claims) {
      CheckExpected(backend.name, claim, known);
    }
  }
}

void Verifier::CheckExpected(const std::string& backend,
                             const ClaimResult& claim,
                             const expect::Expectations& known) {
  ClaimResult anew = claim;
  Verdict& verdict = anew.finding.verdict;
  if (verdict == Verdict::kXfail) verdict = Verdict::kFail;
  if (verdict == Verdict::kXpass) verdict = Verdict::kPass;
  anew.expected.reset();
  known.Apply(report().context.filesystem.type, backend, &anew);
  const std::string who = backend == "-" ? "primitive" : backend;
  if (verdict != claim.finding.verdict) {
    Say("{} {}: is {} in the report, and {} by the expectations that are with "
        "it",
        who, claim.id, VerdictName(claim.finding.verdict),
        VerdictName(verdict));
  } else if (anew.expected.has_value() != claim.expected.has_value() ||
             (anew.expected &&
              (anew.expected->reason != claim.expected->reason ||
               anew.expected->link != claim.expected->link))) {
    Say("{} {}: why it is expected is not what the expectations say", who,
        claim.id);
  }
}

void Verifier::CheckVerdicts() {
  const size_t before = result_.discrepancies.size();
  RunReport judged = report();
  report::Judge(&judged);
  for (size_t i = 0; i < judged.backends.size(); ++i) {
    const BackendReport& said = report().backends[i];
    const BackendReport& follows = judged.backends[i];
    if (said.worth != follows.worth) {
      Say("{}: {} in the report, and {} follows from its claims: {}", said.name,
          WorthName(said.worth), WorthName(follows.worth), follows.reason);
    } else if (said.reason != follows.reason) {
      Say("{}: its reason does not follow from its claims, which give {:?}",
          said.name, follows.reason);
    }
  }
  const auto name = [](const RunReport& run) {
    if (!run.recommendation) return std::string("nothing");
    const std::string& backend = run.recommendation->backend;
    return backend.empty() ? std::string("none of the locks") : backend;
  };
  if (name(report()) != name(judged)) {
    Say("the report recommends {}, and {} follows from its claims",
        name(report()), name(judged));
  }
  const int code = ExitCodeOf(judged);
  if (exit_code_ != code) {
    Say("the exit code is {} in the report, and {} follows from its claims",
        exit_code_, code);
  }
  if (result_.discrepancies.size() == before &&
      report::ToJson(judged) != text_) {
    Say("{}: is not as locklab writes it", kReportName);
  }
}

}  // namespace

Verification Verify(const std::string& path) {
  try {
    const proc::TempDir dir;
    std::vector<std::string> names = ReadArchive(path, dir.path());
    const digest::FileDigest digest = digest::DigestOfFile(path);
    Verification result = Verifier(dir.path(), std::move(names)).Run();
    result.digest = digest.sha256;
    result.bytes = digest.bytes;
    return result;
  } catch (const BundleError& error) {
    const std::string what = error.what();
    if (what.find(path) != std::string::npos) throw;
    throw BundleError(fmt::format("{}: {}", path, what));
  } catch (const std::runtime_error& error) {
    throw BundleError(fmt::format("{}: {}", path, error.what()));
  }
}

}  // namespace locklab::bundle
