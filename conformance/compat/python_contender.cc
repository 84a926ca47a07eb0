#include "conformance/compat/python_contender.h"

#include <vector>

#include "conformance/compat/python_contender_script.h"

namespace locklab::compat {
namespace {

// Debian's interpreter sees Debian's packages; another one in PATH may not.
constexpr char kPython[] = "/usr/bin/python3";

std::vector<std::string> Command(std::vector<std::string> arguments) {
  const std::string script(PythonContenderScript().front().text);
  arguments.insert(arguments.begin(), {kPython, "-c", script});
  return arguments;
}

}  // namespace

std::string PythonContender::WhyMissing() {
  proc::LineChild hello(Command({"hello"}));
  const auto end = hello.Wait(proc::In(std::chrono::seconds(20)));
  if (!end) return std::string(kPython) + " hangs";
  if (end->ok()) return "";
  return std::string(kPython) + " " + end->Describe() + ": " +
         hello.LastWords();
}

PythonContender::PythonContender(std::string_view backend,
                                 std::string_view path)
    : child_(Command({"serve", std::string(backend), std::string(path)})) {}

std::optional<std::string> PythonContender::Receive(proc::TimePoint deadline) {
  const auto answer = child_.Receive(deadline);
  if (answer.heard != proc::LineChild::Heard::kLine) return std::nullopt;
  return answer.text;
}

}  // namespace locklab::compat
