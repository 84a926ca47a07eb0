// Clocks of the filesystem, and whether it tells of changes.
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "conformance/claims/families.h"
#include "conformance/claims/fs_kit.h"

namespace locklab::claims {
namespace {

// Longer than the coarsest clock of a filesystem ticks (FAT: 2 s).
constexpr nanoseconds kCoarsest = 3s;

Finding MtimeGranularity(const ClaimContext& context) {
  const std::string path = context.dir + "/stamped";
  MakeFile(context.os, path);
  const auto start = proc::Clock::now();
  const nanoseconds enough = context.quick ? 60ms : 2s;
  int64_t last = Look(context.os, path).mtime_ns;
  int64_t step = 0;  // the smallest so far
  int steps = 0;
  // Until three steps were seen: one may have begun before the first look.
  while (steps < 3 || proc::Clock::now() - start < enough) {
    Need(context.os.Touch(path.c_str()), "utimensat(2)");
    const int64_t now = Look(context.os, path).mtime_ns;
    Expect(now >= last,
           "the modification time of a file that was touched "
           "goes back by " +
               Millis(nanoseconds(last - now)));
    if (now > last) {
      step = steps == 0 ? now - last : std::min(step, now - last);
      ++steps;
    }
    last = now;
    if (proc::Clock::now() - start > 3 * kCoarsest) break;
    Expect(steps > 0 || proc::Clock::now() - start < kCoarsest,
           "the modification time of a file does not change in " +
               Millis(kCoarsest) + " of touching it");
    // A clock as coarse as that need not be looked at without a pause.
    if (proc::Clock::now() - start > 2 * enough) {
      std::this_thread::sleep_for(1ms);
    }
  }
  return Finding::Pass("modification times tell apart what is " +
                       Millis(nanoseconds(step)) + " apart");
}

nanoseconds WallClock() {
  return std::chrono::system_clock::now().time_since_epoch();
}

Finding ServerClockSkew(const ClaimContext& context) {
  constexpr nanoseconds kMost = 60s;
  const std::string path = context.dir + "/stamped";
  MakeFile(context.os, path);
  nanoseconds best_window = 1h;
  nanoseconds skew{};
  for (int i = 0; i < 10; ++i) {
    const nanoseconds before = WallClock();
    Need(context.os.Touch(path.c_str()), "utimensat(2)");
    const nanoseconds window = WallClock() - before;
    const nanoseconds stamp(Look(context.os, path).mtime_ns);
    if (window > best_window) continue;
    best_window = window;
    skew = stamp - (before + window / 2);
  }
  const nanoseconds apart = std::chrono::abs(skew);
  // A time between the two readings is no difference.
  if (apart <= best_window) {
    return Finding::Pass(
        "the clocks of the filesystem and of this host agree to within " +
        Millis(best_window));
  }
  const std::string text = "the clock of the filesystem is " + Millis(apart) +
                           (skew < 0ns ? " behind" : " ahead of") +
                           " this host's";
  Expect(apart <= kMost, text);
  return Finding::Pass(text);
}

// --- inotify ---------------------------------------------------------------

// A watch on one file, as waiting locks have it.
class Watch {
 public:
  Watch(Os& os, const std::string& path) : os_(os) {
    const SysResult opened = os.WatchOpen();
    Need(opened, "inotify_init1(2)");
    fd_ = static_cast<int>(opened.value);
    const SysResult added = os.WatchAdd(fd_, path.c_str());
    if (!added.ok()) {
      Fail(CallFailed("inotify_add_watch(2)", added.error));
    }
  }
  ~Watch() { os_.Close(fd_); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  bool Wait(nanoseconds patience) {
    const SysResult result = os_.WaitEvent(fd_, -1, proc::In(patience));
    Need(result, "waiting for an event");
    return result.value != 0;
  }

 private:
  Os& os_;
  int fd_ = -1;
};

Finding InotifyWorks(const ClaimContext& context) {
  const std::string who = context.other_dir.empty()
                              ? "another process"
                              : "a process on the other mount";
  const auto name = [](int64_t round) {
    return "/watched" + std::to_string(round);
  };
  Observer other([&](int64_t round) -> int64_t {
    const std::string path = OtherSide(context) + name(round);
    return context.os.Unlink(path.c_str()).error;
  });
  const int rounds = context.quick ? 10 : 500;
  Delays delays;
  for (int round = 0; round < rounds; ++round) {
    const std::string path = context.dir + name(round);
    MakeFile(context.os, path);
    Watch watch(context.os, path);
    if (round == 0) {
      Expect(!watch.Wait(5ms), "an event comes though nobody did anything");
    }
    const auto start = proc::Clock::now();
    Need(SysResult{.value = 0, .error = static_cast<int>(other.Ask(round))},
         "unlink(2)");
    Expect(watch.Wait(2s), "no event within " + Millis(2s) + " when " + who +
                               " removes a file that is watched");
    delays.Add(proc::Clock::now() - start);
  }
  return Finding::Pass("inotify tells of removals by " + who + ": " +
                       delays.Text());
}

constexpr auto kRows = std::to_array<Claim>({
    {.id = "fs.mtime_granularity",
     .level = Level::kReport,
     .statement = "a file that is touched again and again gets later and later "
                  "modification times",
     .source = "inode(7): timestamps; leases watch them for change",
     .excuse = nullptr,
     .body = MtimeGranularity,
     .primitive = true},
    {.id = "fs.server_clock_skew",
     .level = Level::kReport,
     .statement = "the filesystem's clock and this host's differ by less than "
                  "a minute",
     .source = "liblockfile, procmail: locks are stale by mtime against the "
               "local clock",
     .excuse = nullptr,
     .body = ServerClockSkew,
     .primitive = true},
    {.id = "fs.inotify_works",
     .level = Level::kReport,
     .statement = "a process that watches a file is told when another removes "
                  "it, also through the other mount",
     .source = "inotify(7): network filesystems do not tell of other hosts",
     .excuse = nullptr,
     .body = InotifyWorks,
     .primitive = true,
     .needs = "inotify"},
});

}  // namespace

std::span<const Claim> FsTimeClaims() { return kRows; }

}  // namespace locklab::claims
