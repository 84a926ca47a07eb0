#include "conformance/proc/program.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <optional>
#include <sstream>

#include "conformance/proc/exec.h"
#include "conformance/proc/poll_until.h"

namespace locklab::proc {
namespace {

constexpr auto kMinute = std::chrono::minutes(1);

void Redirect(int fd, const std::string& path, int flags) {
  const int file = open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (file < 0 || dup2(file, fd) < 0) _exit(99);
  close(file);
}

[[noreturn]] void Become(const std::vector<std::string>& argv,
                         const std::string& dir,
                         const std::function<void()>& prepare) {
  Redirect(STDIN_FILENO, "/dev/null", O_RDONLY);
  Redirect(STDOUT_FILENO, dir + "/out", O_WRONLY | O_CREAT | O_APPEND);
  Redirect(STDERR_FILENO, dir + "/err", O_WRONLY | O_CREAT | O_APPEND);
  if (prepare) prepare();
  Exec(argv);
  _exit(98);
}

}  // namespace

Program::Program(const std::vector<std::string>& argv,
                 const std::function<void()>& prepare)
    : child_(
          Child::Spawn([&]() -> int { Become(argv, dir_.path(), prepare); })) {}

Ended Program::Wait(std::chrono::seconds limit) {
  std::optional<ExitStatus> end = child_.Wait(In(limit));
  if (!end) end = child_.Stop();
  const int code = end->signal != 0 ? 1000 + end->signal : end->code;
  return {code, out(), err()};
}

bool Program::Says(const std::string& text) {
  const auto said = [&] {
    return (out() + err()).find(text) != std::string::npos;
  };
  const auto done = [&] { return said() || child_.Poll().has_value(); };
  return Eventually(done, In(kMinute)) && said();
}

void Program::Kill(int signal) { kill(child_.pid(), signal); }

std::string Program::out() const { return ReadWhole(dir_ / "out"); }
std::string Program::err() const { return ReadWhole(dir_ / "err"); }

std::string ReadWhole(const std::string& path) {
  std::ostringstream text;
  // Not by iterators: they throw when a process ends while its /proc is read.
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace locklab::proc
