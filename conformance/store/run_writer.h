// Puts a run into the store while it goes on.
#ifndef LOCKLAB_CONFORMANCE_STORE_RUN_WRITER_H_
#define LOCKLAB_CONFORMANCE_STORE_RUN_WRITER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "conformance/report/recorder.h"
#include "conformance/store/bench_run.h"
#include "conformance/store/store.h"

namespace locklab::store {

// Every call is a transaction of its own, so that a run that is killed loses at
// most what it was about to tell; what other runs stored stays as it is.
// Several processes may write to one store at the same time; each call then
// waits for the others, up to `patience`. Once that was in vain, calls before
// End no longer wait, or a store that is locked for good would hold up a run
// for that long with each claim.
//
// Threads: used by the one that runs the survey. Fork: children that end
// through _exit (proc::Child) may inherit it and must not touch it.
class RunWriter : public report::Recorder {
 public:
  // Opens the store in `dir` and makes both if they are missing. Throws
  // StoreError, before a run takes its time.
  explicit RunWriter(const std::string& dir,
                     Journal journal = Journal::kThatFits,
                     std::chrono::milliseconds patience = kPatience);

  void Begin(const report::Context& context) override;
  void Probed(const report::BackendReport& backend) override;
  void CanaryTried(const report::Canary& canary) override;
  void PrimitiveExamined(const report::Primitive& primitive) override;
  void ClaimExamined(std::string_view backend,
                     const report::ClaimResult& claim) override;
  void Measured(const report::BackendReport& backend) override;
  // Also takes the digests of what lies in the run's directory by now. Writes
  // the run whole, so that nothing is missing even if calls before it failed,
  // for a disk that was full for a while.
  void End(const report::RunReport& report) override;

  // Of locklab bench, instead of all the above: the run begins; its samples up
  // to now (what is stored already is known); it ends.
  void BeginBench(const report::Context& context);
  void Sampled(const BenchRun& run);
  void EndBench(const BenchRun& run, const std::string& cut_short, Exit code);

  // One sentence: what could not be stored, and why. Empty: everything was.
  [[nodiscard]] const std::string& error() const { return error_; }
  // Where the files of the run `run_id` are to be left, histories below
  // history/BACKEND: not made yet.
  [[nodiscard]] std::string DirectoryOf(std::string_view run_id) const {
    return RunDirectory(store_.dir(), run_id);
  }

 private:
  // Does `work` in a transaction; keeps the first error. False: it failed.
  bool Try(const std::function<void(Database*)>& work);
  // The error that there was does not matter any more if `work` succeeds, which
  // does all again that had failed.
  bool TryAll(const std::function<void(Database*)>& work);

  Store store_;
  const std::chrono::milliseconds patience_;
  std::string writer_;  // this process, for runs.writer
  int64_t run_ = 0;     // 0: Begin could not store it
  std::string error_;
};

}  // namespace locklab::store

#endif  // LOCKLAB_CONFORMANCE_STORE_RUN_WRITER_H_
