#include "stress/adapters/adapter.h"

#include <algorithm>
#include <array>

#include "stress/adapters/adapter_programs.h"

namespace locklab::adapters {
namespace {

// Debian's interpreter sees Debian's packages; another one in PATH may not.
constexpr std::string_view kPython = "/usr/bin/python3";
constexpr std::string_view kShell = "/bin/sh";

constexpr auto kTable = std::to_array<Adapter>({
    {.name = "lockfile-link",
     .doc = "Python lockfile's LinkLockFile: a hard link, polled every 0.1 s",
     .package = "python3-lockfile",
     .interpreter = kPython,
     .files = "serve.py lockfile_locks.py",
     .argument = "link"},
    {.name = "lockfile-mkdir",
     .doc = "Python lockfile's MkdirLockFile: a directory, polled every 0.1 s",
     .package = "python3-lockfile",
     .interpreter = kPython,
     .files = "serve.py lockfile_locks.py",
     .argument = "mkdir"},
    {.name = "lockfile-symlink",
     .doc = "Python lockfile's SymlinkLockFile: a symbolic link, polled every "
            "0.1 s",
     .package = "python3-lockfile",
     .interpreter = kPython,
     .files = "serve.py lockfile_locks.py",
     .argument = "symlink"},
    {.name = "lockfile-pid",
     .doc = "Python lockfile's PIDLockFile: a pid file, polled every 0.1 s",
     .package = "python3-lockfile",
     .interpreter = kPython,
     .files = "serve.py lockfile_locks.py",
     .argument = "pid"},
    {.name = "filelock",
     .doc = "Python filelock's FileLock: flock(2), polled every 50 ms",
     .package = "python3-filelock",
     .interpreter = kPython,
     .files = "serve.py filelock_locks.py",
     .argument = "kernel"},
    {.name = "filelock-soft",
     .doc = "Python filelock's SoftFileLock: O_EXCL, polled every 50 ms",
     .package = "python3-filelock",
     .interpreter = kPython,
     .files = "serve.py filelock_locks.py",
     .argument = "soft"},
    {.name = "fasteners",
     .doc = "Python fasteners' InterProcessLock: fcntl(2), polled every 10 to "
            "100 ms",
     .package = "python3-fasteners",
     .interpreter = kPython,
     .files = "serve.py fasteners_locks.py"},
    {.name = "flock",
     .doc = "flock(1) on a descriptor of a shell: flock(2), the kernel wakes",
     .package = "util-linux",
     .interpreter = kShell,
     .files = "flock.sh serve.sh"},
    {.name = "dotlockfile",
     .doc = "dotlockfile(1): a hard link, tried every second; stale when it is "
            "five minutes old",
     .package = "liblockfile-bin",
     .interpreter = kShell,
     .files = "dotlockfile.sh poll.sh serve.sh"},
    {.name = "dotlockfile-pid",
     .doc = "dotlockfile(1) -p: the same with the caller's pid, stale when "
            "that is gone",
     .package = "liblockfile-bin",
     .interpreter = kShell,
     .files = "dotlockfile.sh poll.sh serve.sh",
     .argument = "-p"},
    {.name = "procmail-lockfile",
     .doc = "procmail's lockfile(1): a hard link, tried every second",
     .package = "procmail",
     .interpreter = kShell,
     .files = "procmail_lockfile.sh poll.sh serve.sh"},
});

}  // namespace

std::vector<std::string> Adapter::Command() const {
  std::string program;
  for (std::string_view rest = files; !rest.empty();) {
    const size_t end = std::min(rest.find(' '), rest.size());
    const auto text = FindText(AdapterPrograms(), rest.substr(0, end));
    program += text.value_or("");
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  std::vector<std::string> command = {std::string(interpreter)};
  // Nothing of the user's, nor of the working directory.
  if (interpreter == kPython) command.emplace_back("-I");
  command.insert(command.end(), {"-c", std::move(program)});
  // What a shell is called; Python has a name of its own for it.
  if (interpreter == kShell) command.emplace_back("adapter");
  command.emplace_back(argument);
  return command;
}

std::span<const Adapter> Adapters() { return kTable; }

const Adapter* FindAdapter(std::string_view name) {
  const auto* row =
      std::find_if(kTable.begin(), kTable.end(),
                   [name](const Adapter& a) { return a.name == name; });
  return row == kTable.end() ? nullptr : row;
}

}  // namespace locklab::adapters
