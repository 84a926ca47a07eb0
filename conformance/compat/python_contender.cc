#include "conformance/compat/python_contender.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <vector>

#include "conformance/compat/python_contender_script.h"

namespace locklab::compat {
namespace {

// Debian's interpreter sees Debian's packages; another one in PATH may not.
constexpr char kPython[] = "/usr/bin/python3";
constexpr int kExitNoLockfile = 77;  // as in the script
constexpr int kExitNoPython = 76;

// In a child: becomes Python.
int ExecPython(std::vector<std::string> arguments) {
  const std::string script(PythonContenderScript().front().text);
  arguments.insert(arguments.begin(), {kPython, "-c", script});
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  execv(kPython, argv.data());
  return kExitNoPython;
}

}  // namespace

std::string PythonContender::WhyMissing() {
  proc::Child hello = proc::Child::Spawn([] {
    // What the import has to say is said better by the caller.
    dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    return ExecPython({"hello"});
  });
  const auto end = hello.Wait(proc::In(std::chrono::seconds(20)));
  if (!end) return std::string(kPython) + " hangs";
  if (end->ok()) return "";
  if (end->code == kExitNoPython) return std::string("no ") + kPython;
  if (end->code == kExitNoLockfile) {
    return std::string(kPython) + " has no module lockfile";
  }
  return std::string(kPython) + " " + end->Describe();
}

PythonContender::PythonContender(std::string_view backend,
                                 std::string_view path) {
  std::array<int, 2> to;
  std::array<int, 2> from;
  // A socket, because writing to one whose other end died need not signal.
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, to.data()) != 0) {
    throw std::system_error(errno, std::generic_category(), "socketpair");
  }
  to_ = to[1];
  if (pipe2(from.data(), O_CLOEXEC) != 0) {
    close(to[0]);
    close(to_);
    throw std::system_error(errno, std::generic_category(), "pipe");
  }
  from_ = from[0];
  child_ = proc::Child::Spawn([&] {
    dup2(to[0], STDIN_FILENO);
    dup2(from[1], STDOUT_FILENO);
    return ExecPython({"serve", std::string(backend), std::string(path)});
  });
  close(to[0]);
  close(from[1]);
}

PythonContender::~PythonContender() {
  close(to_);
  close(from_);
}

void PythonContender::Send(std::string_view request) {
  const std::string line = std::string(request) + "\n";
  // Should it fail, the answer is missed, which the caller has to see anyway.
  [[maybe_unused]] const ssize_t sent =
      send(to_, line.data(), line.size(), MSG_NOSIGNAL);
}

std::optional<std::string> PythonContender::Receive(proc::TimePoint deadline) {
  for (;;) {
    const size_t end = read_.find('\n');
    if (end != std::string::npos) {
      std::string answer = read_.substr(0, end);
      read_.erase(0, end + 1);
      return answer;
    }
    if (proc::PollUntil(from_, POLLIN, deadline) == 0) return std::nullopt;
    std::array<char, 512> buffer;
    const ssize_t got = read(from_, buffer.data(), buffer.size());
    if (got <= 0) return std::nullopt;
    read_.append(buffer.data(), static_cast<size_t>(got));
  }
}

}  // namespace locklab::compat
