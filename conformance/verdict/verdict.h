// The words of every judgement: what was found of one claim, and what follows
// for a lock on a filesystem. Judges, claims and reports share them.
#ifndef LOCKLAB_CONFORMANCE_VERDICT_VERDICT_H_
#define LOCKLAB_CONFORMANCE_VERDICT_VERDICT_H_

#include <string>
#include <string_view>

namespace locklab {

enum class Verdict {
  kPass,
  kFail,
  kXfail,  // failed, as was expected
  kXpass,  // passed, though a failure was expected: red
  kUnsupported,
  kInconclusive,  // the harness could not tell
};
// "pass", "fail", ...: as in reports.
[[nodiscard]] std::string_view VerdictName(Verdict verdict);

enum class Level { kMust, kShould, kReport };
// "MUST", "SHOULD", "REPORT".
[[nodiscard]] std::string_view LevelName(Level level);

struct Finding {
  Verdict verdict = Verdict::kInconclusive;
  std::string reason;  // one sentence: what was seen; empty for a plain pass
  // Lines that show it: the events around a violation, what was left behind.
  std::string evidence = {};

  static Finding Pass(std::string reason = "") {
    return {Verdict::kPass, std::move(reason)};
  }
  static Finding Fail(std::string reason) {
    return {Verdict::kFail, std::move(reason)};
  }
  static Finding Unsupported(std::string reason) {
    return {Verdict::kUnsupported, std::move(reason)};
  }
  static Finding Inconclusive(std::string reason) {
    return {Verdict::kInconclusive, std::move(reason)};
  }
};

}  // namespace locklab

#endif  // LOCKLAB_CONFORMANCE_VERDICT_VERDICT_H_
