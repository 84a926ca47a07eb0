#include "conformance/store/run_writer.h"

#include <exception>
#include <vector>

#include "conformance/store/save.h"
#include "lib/os/os.h"
#include "lib/owner.h"

namespace locklab::store {
namespace {

std::string ThisProcess() {
  const lockfile::os::ProcessIdentity self = lockfile::os::Os::Real().Self();
  lockfile::Owner owner;
  // The identity of a holder means nothing here, but a record has one.
  owner.token = std::string(lockfile::kTokenLength, '0');
  owner.host = self.host;
  owner.boot_id = self.boot_id;
  owner.pid_ns = self.pid_ns;
  owner.time_ns = self.time_ns;
  owner.pid = self.pid;
  owner.start_time = self.start_time;
  return lockfile::FormatRecord(owner);
}

}  // namespace

RunWriter::RunWriter(const std::string& dir, Journal journal,
                     std::chrono::milliseconds patience)
    : store_(Store::Open(dir, Mode::kWrite, journal)),
      patience_(patience),
      writer_(ThisProcess()) {
  store_.database().SetPatience(patience_);
}

bool RunWriter::Try(const std::function<void(Database*)>& work) {
  try {
    Transaction transaction(store_.database());
    work(&store_.database());
    transaction.Commit();
    return true;
  } catch (const StoreError& error) {
    if (error_.empty()) error_ = error.what();
    if (error.trouble() == Trouble::kBusy) {
      store_.database().SetPatience(std::chrono::milliseconds(0));
    }
  } catch (const std::exception& error) {
    if (error_.empty()) error_ = error.what();
  }
  return false;
}

bool RunWriter::TryAll(const std::function<void(Database*)>& work) {
  store_.database().SetPatience(patience_);
  const std::string before = std::move(error_);
  error_.clear();
  const bool whole = Try(work);
  // What was missing until now is there; if not, the first error says more.
  if (!whole && !before.empty()) error_ = before;
  return whole;
}

void RunWriter::Begin(const report::Context& context) {
  int64_t run = 0;
  const bool stored = Try(
      [&](Database* database) { run = InsertRun(database, context, writer_); });
  if (stored) run_ = run;
}

void RunWriter::Probed(const report::BackendReport& backend) {
  Try([&](Database* database) { InsertBackend(database, run_, backend); });
}

void RunWriter::CanaryTried(const report::Canary& canary) {
  Try([&](Database* database) { PutCanary(database, run_, canary); });
}

void RunWriter::PrimitiveExamined(const report::Primitive& primitive) {
  Try([&](Database* database) { InsertPrimitive(database, run_, primitive); });
}

void RunWriter::ClaimExamined(std::string_view backend,
                              const report::ClaimResult& claim) {
  Try([&](Database* database) { InsertClaim(database, run_, backend, claim); });
}

void RunWriter::Measured(const report::BackendReport& backend) {
  Try([&](Database* database) { PutNumbers(database, run_, backend); });
}

void RunWriter::End(const report::RunReport& report) {
  std::vector<Artifact> artifacts;
  std::string unread;
  try {
    artifacts = DigestTree(DirectoryOf(report.context.run_id));
  } catch (const std::exception& error) {
    unread = error.what();
  }
  const bool whole = TryAll([&](Database* database) {
    const int64_t run =
        run_ != 0 ? run_ : InsertRun(database, report.context, writer_);
    PutFinished(database, run, writer_, report, artifacts);
  });
  if (whole) error_ = unread;
}

void RunWriter::BeginBench(const report::Context& context) {
  int64_t run = 0;
  const bool stored = Try([&](Database* database) {
    run = InsertBenchRun(database, context, writer_);
  });
  if (stored) run_ = run;
}

void RunWriter::Sampled(const BenchRun& run) {
  if (run_ == 0) return;
  Try([&](Database* database) { PutSamples(database, run_, run); });
}

void RunWriter::EndBench(const BenchRun& run, const std::string& cut_short,
                         Exit code) {
  TryAll([&](Database* database) {
    const int64_t row =
        run_ != 0 ? run_ : InsertBenchRun(database, run.context, writer_);
    PutSamples(database, row, run);
    FinishBenchRun(database, row, run.context.duration_s, cut_short, code);
  });
}

}  // namespace locklab::store
