// The main job called sound locks unsafe? Runs it again and again, and demands
// that it never does. LOCKLAB_RUNS is how often, for each filesystem.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "conformance/proc/filesystem.h"
#include "conformance/proc/temp_dir.h"
#include "conformance/verdict/exit.h"
#include "lib/backends.h"
#include "tools/locklab/program.h"

namespace locklab::cli {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using nlohmann::json;

int Runs() {
  const char* runs = std::getenv("LOCKLAB_RUNS");
  return runs == nullptr ? 50 : std::atoi(runs);
}

// What is wrong with a report of sound locks; empty: nothing.
std::string AlarmIn(const Ended& ended) {
  if (ended.code != kExitOk) {
    return "exit code " + std::to_string(ended.code) + ", not 0";
  }
  const json report = json::parse(ended.out, nullptr, false);
  if (report.is_discarded()) return "what it printed is not JSON";
  if (report["canary"]["caught"] != true) return "the canary was not caught";
  std::string alarm;
  size_t safe = 0;
  for (const json& backend : report["backends"]) {
    if (backend["verdict"] == "safe") {
      ++safe;
    } else {
      alarm += backend["name"].get<std::string>() + " is called " +
               backend["verdict"].get<std::string>() + "; ";
    }
  }
  if (safe == lockfile::Backends().size()) return "";
  return alarm + std::to_string(safe) + " backends are called safe";
}

void ExpectNoAlarm(const std::string& dir, const std::string& filesystem) {
  ASSERT_EQ(proc::FilesystemOf(dir).type, filesystem);
  const int runs = Runs();
  ASSERT_GT(runs, 0) << "LOCKLAB_RUNS has to be the number of runs";
  int alarms = 0;
  for (int run = 1; run <= runs; ++run) {
    const auto start = std::chrono::steady_clock::now();
    Program program(LocklabArgv({"check", "--dir=" + dir, "--format=json"}));
    const Ended ended = program.Wait(5min);
    const std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - start;
    const std::string alarm = AlarmIn(ended);
    // The seed comes first on stderr, also of a run that was cut short.
    std::printf("%s, run %d of %d, %.1f s: %s, %s\n", filesystem.c_str(), run,
                runs, took.count(),
                ended.err.substr(0, ended.err.find(':')).c_str(),
                alarm.empty() ? "no alarm" : alarm.c_str());
    std::fflush(stdout);
    if (alarm.empty()) continue;
    ++alarms;
    ADD_FAILURE() << "run " << run << ": " << alarm << "\n"
                  << ended.err << "\n"
                  << ended.out;
  }
  std::printf("%s: %d alarms in %d runs\n", filesystem.c_str(), alarms, runs);
}

TEST(FalseAlarm, IsNeverRaisedOnTmpfs) {
  if (proc::FilesystemOf("/dev/shm").type != "tmpfs") {
    GTEST_SKIP() << "/dev/shm is no tmpfs here";
  }
  const proc::TempDir dir("/dev/shm");
  ExpectNoAlarm(dir.path(), "tmpfs");
}

// An ext4 filesystem in a file, which this process and its children see.
class Ext4Image {
 public:
  Ext4Image() {
    fs::create_directory(dir());
    const std::string image = scratch_ / "image";
    const std::string make = "mke2fs -q -F -t ext4 '" + image + "' 512M";
    const std::string mount = "mount -o loop '" + image + "' '" + dir() + "'";
    mounted_ =
        unshare(CLONE_NEWNS) == 0 &&
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
        std::system(make.c_str()) == 0 && std::system(mount.c_str()) == 0;
  }
  ~Ext4Image() {
    if (mounted_) umount2(dir().c_str(), MNT_DETACH);
  }
  Ext4Image(const Ext4Image&) = delete;
  Ext4Image& operator=(const Ext4Image&) = delete;

  [[nodiscard]] bool mounted() const { return mounted_; }
  [[nodiscard]] std::string dir() const { return scratch_ / "disk"; }

 private:
  const proc::TempDir scratch_;
  bool mounted_ = false;
};

TEST(FalseAlarm, IsNeverRaisedOnExt4) {
  const Ext4Image image;
  if (!image.mounted()) {
    GTEST_SKIP() << "an ext4 image cannot be made and mounted here: that needs "
                    "root, e2fsprogs and loop devices";
  }
  ExpectNoAlarm(image.dir(), "ext4");
}

}  // namespace
}  // namespace locklab::cli
