#include "conformance/verdict/verdict.h"

namespace locklab {

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "pass";
    case Verdict::kFail:
      return "fail";
    case Verdict::kXfail:
      return "xfail";
    case Verdict::kXpass:
      return "xpass";
    case Verdict::kUnsupported:
      return "unsupported";
    case Verdict::kInconclusive:
      return "inconclusive";
  }
  return "inconclusive";
}

std::string_view LevelName(Level level) {
  switch (level) {
    case Level::kMust:
      return "MUST";
    case Level::kShould:
      return "SHOULD";
    case Level::kReport:
      return "REPORT";
  }
  return "MUST";
}

}  // namespace locklab
