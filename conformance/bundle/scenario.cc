#include "conformance/bundle/scenario.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "conformance/bundle/manifest.h"
#include "conformance/history/log_reader.h"
#include "conformance/history/log_writer.h"
#include "conformance/judge/judgement.h"

namespace locklab::bundle {
namespace {

using history::LogWriter;
using history::Op;
using history::Phase;
using history::Result;

constexpr int kProcesses = 4;
constexpr uint64_t kSeed = 42;

// One turn at the lock from `start_ns` on: 1 us to get it, 10 us of it, 1 us to
// give it back. With `overlap` it takes its time to give it back.
void Turn(LogWriter& log, int64_t start_ns, uint64_t token, bool overlap) {
  const int64_t hold = overlap ? 200'000 : 10'000;
  log.Append({.time_ns = start_ns, .op = Op::kAcquire});
  log.Append({.time_ns = start_ns + 1000,
              .token = token,
              .op = Op::kAcquire,
              .phase = Phase::kReturn,
              .result = Result::kOk});
  log.Append({.time_ns = start_ns + 1000 + hold, .op = Op::kRelease});
  log.Append({.time_ns = start_ns + 2000 + hold,
              .op = Op::kRelease,
              .phase = Phase::kReturn,
              .result = Result::kOk});
}

report::ClaimResult ClaimOf(const char* id, const Finding& finding) {
  return {.id = id, .level = Level::kMust, .finding = finding, .replay = ""};
}

}  // namespace

Scenario::Scenario() {
  report.context.run_id = "0123456789abcdef0123456789abcdef";
  report.context.suite_version = "0.1.0";
  report.context.seed = kSeed;
  report.context.dir = "/d";
  report.context.claims_chosen = report.context.claims_total = 2;
  report.canary = report::Canary{
      .name = "bird",
      .caught = true,
      .reason = Contend("canary", "bird", true).Exclusion().reason};
  AddLock("link", false);
  AddLock("broken", true);
  std::filesystem::create_directories(run_dir() + "/expectations");
  std::ofstream(run_dir() + "/expectations/ext4.expect") << "# none\n";
  report::Judge(&report);
}

judge::Judgement Scenario::Contend(const std::string& folder,
                                   const std::string& subject, bool overlap) {
  const std::string dir = run_dir() + "/history/" + folder;
  std::filesystem::create_directories(dir);
  const int64_t start_ns = history::NowNs() + 1'000'000'000;
  for (history::Actor actor = 0; actor < kProcesses; ++actor) {
    LogWriter log(history::LogPath(dir, actor),
                  {.actor = actor, .seed = kSeed, .subject = subject});
    for (int turn = 0; turn < 50; ++turn) {
      const int number = turn * kProcesses + static_cast<int>(actor);
      Turn(log, start_ns + number * 100'000, static_cast<uint64_t>(number + 1),
           overlap && turn == 20 && actor == 1);
    }
  }
  history::MergedReader reader(history::LogsIn(dir));
  return judge::Judge(reader);
}

void Scenario::AddLock(const std::string& name, bool overlap) {
  const judge::Judgement judgement =
      Contend(history::LogsNameOf(name), name, overlap);
  const history::Percentiles wait = judgement.wait.percentiles();
  report::BackendReport backend;
  backend.name = name;
  backend.complete = true;
  backend.claims = {ClaimOf("exclusion.two_processes", judgement.Exclusion()),
                    ClaimOf("load.progress", judgement.Progress())};
  backend.contention = report::Contention{
      .processes = kProcesses,
      .acquisitions = judgement.acquisitions,
      .violations = judgement.violations,
      .wait_ns = {wait.p50, wait.p90, wait.p99, wait.p99_9, wait.max},
      .jain = judgement.jain};
  report.backends.push_back(std::move(backend));
}

Verification Scenario::Bundled(const report::RunReport& bundled,
                               const std::string& name) {
  WriteBundle(bundled, run_dir(), path(name));
  return Verify(path(name));
}

std::vector<Member> MembersOf(const std::string& path) {
  const proc::TempDir dir;
  std::vector<Member> members;
  for (const std::string& name : ReadArchive(path, dir.path())) {
    std::ifstream in(dir / name, std::ios::binary);
    members.push_back(
        {.name = name,
         .path = "",
         .text = std::string(std::istreambuf_iterator<char>(in), {})});
  }
  return members;
}

void Rewrite(const std::string& path, std::vector<Member> members,
             bool sealed) {
  if (sealed) {
    Member& first = Find(members, std::string(kManifestName));
    Manifest manifest = ManifestFromJson(first.text);
    manifest.items.clear();
    for (const Member& member : members) {
      if (member.name == kManifestName) continue;
      manifest.items.push_back(
          {.name = member.name,
           .digest = {.bytes = static_cast<int64_t>(member.text.size()),
                      .sha256 = digest::Sha256Of(member.text)}});
    }
    first.text = ToJson(manifest);
  }
  WriteArchive(path, members);
}

Member& Find(std::vector<Member>& members, const std::string& name) {
  const auto found = std::find_if(
      members.begin(), members.end(),
      [&name](const Member& member) { return member.name == name; });
  if (found == members.end()) throw std::logic_error("no member " + name);
  return *found;
}

void Replace(std::string* text, const std::string& from,
             const std::string& to) {
  const size_t at = text->find(from);
  if (at == std::string::npos) throw std::logic_error("no " + from);
  text->replace(at, from.size(), to);
}

}  // namespace locklab::bundle
