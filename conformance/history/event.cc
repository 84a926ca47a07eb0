#include "conformance/history/event.h"

#include <fmt/format.h>

namespace locklab::history {

std::string_view OpName(Op op) {
  switch (op) {
    case Op::kAcquire:
      return "acquire";
    case Op::kRelease:
      return "release";
    case Op::kBreak:
      return "break";
    case Op::kRefresh:
      return "refresh";
    case Op::kCrash:
      return "crash";
  }
  return "unknown";
}

std::string_view ResultName(Result result) {
  switch (result) {
    case Result::kNone:
      return "none";
    case Result::kOk:
      return "ok";
    case Result::kTimeout:
      return "timeout";
    case Result::kError:
      return "error";
    case Result::kLost:
      return "lost";
  }
  return "unknown";
}

std::string Describe(const Event& event, int64_t start_ns) {
  const double seconds =
      static_cast<double>(event.time_ns - start_ns) / 1'000'000'000;
  std::string text = fmt::format(
      "{:+.9f} s actor {} {} {}", seconds, event.actor, OpName(event.op),
      event.phase == Phase::kInvoke ? "invoke" : "return");
  if (event.result != Result::kNone) {
    text += fmt::format(" {}", ResultName(event.result));
  }
  if (event.token != 0) text += fmt::format(", grant {}", event.token);
  if (event.sys != 0) {
    text += fmt::format(", {} {}", event.op == Op::kCrash ? "signal" : "errno",
                        event.sys);
  }
  return text;
}

}  // namespace locklab::history
