// locklab exec: holds a lock while a command runs, like flock(1).
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/backends.h"
#include "lib/errors.h"
#include "lib/lock_file.h"
#include "tools/locklab/commands.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/signals.h"
#include "tools/locklab/supervise.h"

namespace locklab::cli {
namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

constexpr const char* kFooter =
    R"(The lock of PATH is taken, COMMAND runs, and the lock is released when COMMAND
ends, however it ends. PATH need not exist: the lock lives beside it (backend
pid: at PATH itself; see `locklab list backends`), so all who use one PATH must
name one backend.

Exit codes:
  that of COMMAND, or 128 + N if signal N killed it; otherwise
  124   not locked within --timeout, COMMAND was not run (--conflict-exit-code)
  126   COMMAND could not be run         127  there is no such COMMAND
  128+N signal N came while waiting for the lock, COMMAND was not run
  1     any other error of the lock, also: it was broken while COMMAND ran
        (--error-exit-code)              2    the command line is wrong
Where it is locklab that fails, and only then, a line on stderr begins with
"locklab: ". Where a script must tell by the code alone, give
--conflict-exit-code and --error-exit-code values that COMMAND never returns.

Signals: HUP, INT, QUIT, TERM, USR1, USR2, ALRM, TSTP, CONT, WINCH and real-time
signals sent to locklab are sent on to COMMAND, unless the terminal has sent
them to both. While locklab waits for the lock, those that end a process end
locklab, and nothing is left behind.

If locklab itself is killed (SIGKILL), COMMAND is killed, too: it must not go on
without its lock, which others may now break, because its holder, locklab, is
dead. That reaches COMMAND only, not what COMMAND has started, nor a COMMAND
that is set-user-id. --orphan lets COMMAND live on: then whoever breaks the lock
runs beside it. What COMMAND leaves running in the background runs without the
lock in any case.
)";

struct Flags {
  std::string path;
  std::string backend;
  std::optional<nanoseconds> timeout;
  uint64_t conflict_code = 124;
  uint64_t error_code = kExitFailed;
  bool orphan = false;
  bool verbose = false;
};

std::vector<std::string_view> BackendChoices() {
  std::vector<std::string_view> names;
  for (const lockfile::BackendRow& row : lockfile::Backends()) {
    names.push_back(row.name);
  }
  return names;
}

void Tell(Context& context, std::string_view message) {
  fmt::print(context.err.stream, "locklab: {}\n", message);
  context.err.stream.flush();
}

std::string_view LifeWord(lockfile::Life life) {
  switch (life) {
    case lockfile::Life::kAlive:
      return "alive";
    case lockfile::Life::kDead:
      return "dead";
    case lockfile::Life::kUnknown:
      break;
  }
  return "perhaps alive";
}

// "held by pid 47 on db7, ...: alive (process 47 is there)"
std::string DescribeHolder(lockfile::LockFile& lock) {
  const auto owner = lock.owner();
  const lockfile::Liveness life = lock.holder_liveness();
  return fmt::format(
      "held by {}: {}{}", owner ? owner->Describe() : "somebody unknown",
      LifeWord(life.life), life.reason.empty() ? "" : " (" + life.reason + ")");
}

// Tries once; if the lock is held, says who holds it. True: it is ours.
bool TryAloud(lockfile::LockFile& lock, Context& context) {
  if (lock.try_lock()) return true;
  Tell(context, fmt::format("{} is {}; waiting", lock.lock_path(),
                            DescribeHolder(lock)));
  return false;
}

void Acquire(lockfile::LockFile& lock, const Flags& flags, Context& context) {
  const bool may_wait = !flags.timeout || flags.timeout->count() > 0;
  const auto start = steady_clock::now();
  if (flags.verbose && may_wait && TryAloud(lock, context)) return;
  if (flags.timeout) {
    lock.acquire(*flags.timeout);
  } else {
    lock.acquire();
  }
  if (!flags.verbose) return;
  const std::chrono::duration<double> waited = steady_clock::now() - start;
  Tell(context, fmt::format("{} is ours after {:.3f} s", lock.lock_path(),
                            waited.count()));
}

int RunUnderLock(const Flags& flags, const Signals& signals, Context& context) {
  if (const int caught = Signals::Caught(); caught != 0) {
    Tell(context, "a signal came before COMMAND was run");
    return 128 + caught;
  }
  const Supervised ended =
      Supervise(context.rest, signals, /*dies_with_us=*/!flags.orphan);
  if (ended.not_run != 0) {
    Tell(context, fmt::format("cannot run {}: {} ({}); {}", context.rest[0],
                              std::strerror(ended.not_run),
                              lockfile::ErrnoName(ended.not_run),
                              ended.not_run == ENOENT
                                  ? "is it installed, and its folder on PATH?"
                                  : "is it an executable file?"));
  }
  return ended.code;
}

int Exec(const Flags& flags, Context& context) {
  if (context.rest.empty()) {
    throw UsageError(
        "no COMMAND: it follows --, as in locklab exec PATH -- make");
  }
  Signals signals;
  WaitingOs os;
  lockfile::Options options;
  options.backend = flags.backend;
  options.os = &os;
  options.cancelled = [] { return Signals::Caught() != 0; };
  try {
    lockfile::LockFile lock(flags.path, options);
    Acquire(lock, flags, context);
    signals.Hold();
    const int caught = Signals::Caught();
    const int code =
        caught != 0 ? 128 + caught : RunUnderLock(flags, signals, context);
    lock.release();
    return code;
  } catch (const lockfile::LockTimeout& error) {
    Tell(context, error.what());
    return static_cast<int>(flags.conflict_code);
  } catch (const lockfile::AlreadyLocked& error) {
    Tell(context, error.what());
    return static_cast<int>(flags.conflict_code);
  } catch (const std::exception& error) {
    if (Signals::Caught() != 0) return Signals::EndedWait();
    Tell(context, error.what());
    return static_cast<int>(flags.error_code);
  }
}

}  // namespace

Run SetUpExec(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  app.add_option("PATH", flags->path, "What to lock.")->required();
  AddChoice(app, "--backend", &flags->backend, BackendChoices(),
            "How to lock; default: link, or mkdir where there are no hard "
            "links.");
  AddSeconds(app, "--timeout", &flags->timeout,
             "Give up after so long; 0: do not wait; default: wait for ever.");
  AddNumber(app, "--conflict-exit-code", &flags->conflict_code,
            "Exit code if the lock could not be had in time; default: 124.", 0,
            255);
  AddNumber(app, "--error-exit-code", &flags->error_code,
            "Exit code if the lock failed otherwise; default: 1.", 0, 255);
  app.add_flag("--orphan", flags->orphan,
               "Let COMMAND live on if locklab is killed.");
  app.add_flag("--verbose", flags->verbose,
               "Say on stderr who holds the lock while waiting for it.");
  app.footer(kFooter);
  return [flags, &context] { return Exec(*flags, context); };
}

}  // namespace locklab::cli
