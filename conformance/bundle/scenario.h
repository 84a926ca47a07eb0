// A run whose history is made by hand, and the bundle of it.
#ifndef LOCKLAB_CONFORMANCE_BUNDLE_SCENARIO_H_
#define LOCKLAB_CONFORMANCE_BUNDLE_SCENARIO_H_

#include <string>
#include <vector>

#include "conformance/bundle/bundle.h"
#include "conformance/judge/judgement.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/report/report.h"

namespace locklab::bundle {

// Two locks and a canary, each with a history of four processes: "link" is
// sound; "broken" and the canary let two in at once.
class Scenario {
 public:
  Scenario();

  [[nodiscard]] std::string path(const std::string& name) const {
    return dir_ / name;
  }
  [[nodiscard]] std::string run_dir() const { return dir_ / "run"; }
  // Writes `report` and the histories to path(`name`) and verifies that.
  [[nodiscard]] Verification Bundled(const report::RunReport& report,
                                     const std::string& name = "b.tar.gz");

  // As a run would have reported it; "broken" is unsafe.
  report::RunReport report;

  // One more; report::Judge() comes after the last.
  void AddLock(const std::string& name, bool overlap);

 private:
  // Leaves its logs in run_dir()/history/`folder`.
  judge::Judgement Contend(const std::string& folder,
                           const std::string& subject, bool overlap);

  proc::TempDir dir_;
};

// The members of a bundle, unpacked into memory.
[[nodiscard]] std::vector<Member> MembersOf(const std::string& path);
// Writes them back, with a manifest that fits if `sealed`.
void Rewrite(const std::string& path, std::vector<Member> members, bool sealed);
// The one of that name.
[[nodiscard]] Member& Find(std::vector<Member>& members,
                           const std::string& name);
void Replace(std::string* text, const std::string& from, const std::string& to);

}  // namespace locklab::bundle

#endif  // LOCKLAB_CONFORMANCE_BUNDLE_SCENARIO_H_
