// What a reader finds where a file is replaced by rename(2).
#include <fcntl.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <string>

#include "conformance/claims/families.h"
#include "conformance/claims/fs_kit.h"

namespace locklab::claims {
namespace {

constexpr size_t kLines = 32;

// Whole, it has `kLines` equal lines.
std::string RecordOf(int version) {
  const std::string line = std::to_string(100000 + version) + "\n";
  std::string text;
  for (size_t i = 0; i < kLines; ++i) text += line;
  return text;
}

bool IsWhole(std::string_view text) {
  if (text.empty() || text.size() % kLines != 0) return false;
  const std::string_view first = text.substr(0, text.size() / kLines);
  if (first.back() != '\n') return false;
  for (size_t at = 0; at < text.size(); at += first.size()) {
    if (text.substr(at, first.size()) != first) return false;
  }
  return true;
}

// What the reader saw, where the writer reads it.
struct Sights {
  std::atomic<bool> begun;
  std::atomic<bool> over;
  std::atomic<int> looks;
  std::atomic<int> missing;  // there was no file
  std::atomic<int> broken;   // neither the old nor the new text
  std::atomic<int> error;    // the last other errno
};

void LookOnce(Os& os, const std::string& path, Sights* sights) {
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW;
  ++sights->looks;
  const SysResult opened = os.Open(path.c_str(), kFlags, 0);
  if (opened.error == ENOENT) {
    ++sights->missing;
    return;
  }
  if (!opened.ok()) {
    sights->error = opened.error;
    return;
  }
  std::array<char, 1024> text;
  const int fd = static_cast<int>(opened.value);
  const SysResult read = os.ReadStart(fd, text.data(), text.size());
  os.Close(fd);
  if (!read.ok()) {
    sights->error = read.error;
  } else if (!IsWhole({text.data(), static_cast<size_t>(read.value)})) {
    ++sights->broken;
  }
}

// Replaces the record again and again; returns how often.
int Replace(const ClaimContext& context, const Sights& sights) {
  const std::string next = context.dir + "/next";
  const std::string record = context.dir + "/record";
  const int most = context.quick ? 500 : 20000;
  const int floor = most / 10;
  const auto end = proc::In(context.quick ? 500ms : 10000ms);
  int done = 0;
  for (; done < most && (done < floor || proc::Clock::now() < end); ++done) {
    MakeFile(context.os, next, RecordOf(done));
    const SysResult renamed = context.os.Rename(next.c_str(), record.c_str());
    if (!renamed.ok()) {
      Fail("a file that somebody reads cannot be replaced: " +
           CallFailed("rename(2)", renamed.error));
    }
    if (sights.missing > 0 || sights.broken > 0) break;
  }
  return done;
}

Finding RenameReplacesAtOnce(const ClaimContext& context) {
  const proc::Shared<Sights> sights;
  MakeFile(context.os, context.dir + "/record", RecordOf(0));
  proc::Child reader = proc::Child::Spawn([&] {
    const std::string path = OtherSide(context) + "/record";
    while (!sights->over) {
      LookOnce(context.os, path, &*sights);
      sights->begun = true;
    }
    return 0;
  });
  const bool begun =
      proc::Eventually([&] { return sights->begun.load(); }, proc::In(kSoon));
  if (!begun) Inconclusive("the reader did not begin");
  const int done = Replace(context, *sights);
  sights->over = true;
  if (!reader.Wait(proc::In(kSoon))) Fail("the reader hangs");
  const std::string looks = std::to_string(sights->looks) +
                            " looks while it was replaced " +
                            std::to_string(done) + " times";
  Expect(sights->missing == 0,
         std::to_string(sights->missing) + " of " + looks + " found no file");
  Expect(sights->broken == 0, std::to_string(sights->broken) + " of " + looks +
                                  " found neither the old text nor the new");
  Expect(sights->error == 0, "of " + looks + " one failed with " +
                                 lockfile::ErrnoName(sights->error));
  return Finding::Pass(looks + ", each of a whole file");
}

constexpr auto kRows = std::to_array<Claim>({
    {.id = "fs.rename_replaces_at_once",
     .level = Level::kShould,
     .statement = "who reads a file that is replaced by rename(2) finds the "
                  "old or the new one, whole, and never none",
     .source = "rename(2): \"there is no point at which another process "
               "attempting to access newpath will find it missing\"",
     .excuse = nullptr,
     .body = RenameReplacesAtOnce,
     .primitive = true},
});

}  // namespace

std::span<const Claim> FsRenameClaims() { return kRows; }

}  // namespace locklab::claims
