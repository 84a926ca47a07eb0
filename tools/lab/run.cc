#include "tools/lab/run.h"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <exception>

#include "conformance/proc/child.h"
#include "conformance/proc/exec.h"
#include "conformance/proc/interrupts.h"
#include "conformance/proc/namespaces.h"
#include "conformance/proc/poll_until.h"
#include "conformance/proc/shared.h"
#include "conformance/verdict/exit.h"
#include "tools/lab/mounted.h"

namespace locklab::lab {
namespace {

using namespace std::chrono_literals;

constexpr auto kSubcommands = std::to_array<Subcommand>({
    {.name = "check", .other_mount = true, .expect = true, .turns = true},
    {.name = "conformance", .other_mount = true, .expect = true, .turns = true},
    {.name = "bench"},
    {.name = "crash"},
    {.name = "stress"},
});

// What the process that mounts has to say, also where it is killed.
struct Report {
  std::array<char, 512> trouble;
  bool ran;
};

// The program takes the place of this process.
int Become(const Job& job, std::vector<std::string> args) {
  args.insert(args.begin(), job.locklab);
  dup2(job.out, STDOUT_FILENO);
  dup2(job.err, STDERR_FILENO);
  proc::Exec(args);
  return 127;
}

// Waits for the end of a child that shares the fate of this run: it is sent
// the signals that this process gets.
proc::ExitStatus Await(proc::Child& child, bool hand_on) {
  for (;;) {
    if (const auto end = child.Wait(proc::In(50ms))) return *end;
    const int signal = hand_on ? proc::Interrupts::Pending() : 0;
    if (signal == 0) continue;
    child.Kill(signal);
    // Told once; whoever does not listen is killed in the end.
    if (const auto end = child.Wait(proc::In(60s))) return *end;
    return child.Stop();
  }
}

// In a process of its own, whose mounts go with it.
int MountAndRun(const Variant& variant, const Job& job, Report* report) {
  // The program gets the signals of the group, too, and ends by them as it
  // does everywhere; this process stays to clear up.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    std::signal(signal, SIG_IGN);
  }
  const auto say = [report](const std::string& trouble) {
    trouble.copy(report->trouble.data(), report->trouble.size() - 1);
    return static_cast<int>(kExitMissingFeature);
  };
  const std::string why = proc::EnterMounts();
  if (!why.empty()) return say(why);
  int code = kExitInconclusive;
  try {
    Mounted mounted(job.scratch, job.locklab);
    variant.mount(variant, &mounted);
    proc::Child program = proc::Child::Spawn([&] {
      return Become(job,
                    ArgsOn(variant, job, mounted.dir(), mounted.other_mount()));
    });
    report->ran = true;
    const proc::ExitStatus end = Await(program, false);
    code = end.signal != 0 ? 128 + end.signal : end.code;
  } catch (const std::exception& error) {
    return say(error.what());
  }
  return code;
}

std::string WhyNoRoom(const Variant& variant, const std::string& dir) {
  struct statvfs fs {};
  if (statvfs(dir.c_str(), &fs) != 0) return "";
  const uint64_t room = uint64_t{fs.f_bavail} * fs.f_frsize;
  if (room >= variant.room) return "";
  return fmt::format(
      "{} has {} MiB left, and {} takes up to {}: make room, or name another "
      "place (TMPDIR=DIR)",
      dir, room >> 20, variant.name, variant.room >> 20);
}

Result RunLocal(const Variant& variant, const Job& job) {
  const proc::Shared<Report> report;
  proc::Child child = proc::Child::Spawn(
      [&] { return MountAndRun(variant, job, &*report); }, {.own_group = true});
  const proc::ExitStatus end = Await(child, true);
  if (report->trouble[0] != '\0') {
    return {kExitMissingFeature, report->trouble.data()};
  }
  if (!report->ran || end.signal != 0) {
    return {kExitInconclusive, fmt::format("the process that mounts {} {}",
                                           variant.name, end.Describe())};
  }
  return {end.code, ""};
}

}  // namespace

std::span<const Subcommand> Subcommands() { return kSubcommands; }

const Subcommand* FindSubcommand(std::string_view name) {
  for (const Subcommand& row : kSubcommands) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

std::vector<std::string> ArgsOn(const Variant& variant, const Job& job,
                                const std::string& dir,
                                const std::string& other_mount) {
  std::vector<std::string> args = {job.args.front(), "--dir=" + dir,
                                   "--variant=" + variant.name};
  if (const Subcommand* takes = FindSubcommand(job.args.front())) {
    if (takes->other_mount && !other_mount.empty()) {
      args.push_back("--other-mount=" + other_mount);
    }
    if (takes->expect) {
      args.emplace_back("--expect=@library");
      if (!variant.pack.empty()) {
        args.push_back(fmt::format("--expect=@{}", variant.pack));
      }
    }
    if (takes->turns && !job.turn.empty()) {
      args.push_back("--turn=" + job.turn);
    }
    if (takes->turns && job.silent) args.emplace_back("--silent");
  }
  args.insert(args.end(), job.args.begin() + 1, job.args.end());
  return args;
}

Result RunOn(const Variant& variant, const Job& job) {
  const std::string no_room = WhyNoRoom(variant, job.scratch);
  if (!no_room.empty()) return {kExitMissingFeature, no_room};
  if (variant.run != nullptr) return variant.run(variant, job);
  if (variant.mount != nullptr) return RunLocal(variant, job);
  return {kExitMissingFeature, WhyNot(variant)};
}

}  // namespace locklab::lab
