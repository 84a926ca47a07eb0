// locklab faultfs: a directory shown again through FUSE, with chosen sins: for
// those who test what stands on a filesystem.
#include <fmt/format.h>
#include <fmt/ostream.h>
#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "conformance/proc/namespaces.h"
#include "stress/faultfs/serve.h"
#include "tools/locklab/check/directory.h"
#include "tools/locklab/commands.h"
#include "tools/locklab/flags.h"
#include "tools/locklab/sin_matrix.h"
#include "tools/locklab/sins.h"

namespace locklab::cli {
namespace {

namespace fs = std::filesystem;

struct Flags {
  std::string sins;
  uint64_t seed = std::random_device{}();
  bool list = false;
  bool matrix = false;
  std::string profile = "full";
  std::string format = "text";
  std::string backing;
  std::vector<std::string> mount_points;
};

// The absolute path of an empty directory that is not within `backing`.
std::string UsableMountPoint(const std::string& point,
                             const std::string& backing) {
  std::error_code error;
  const std::string path = fs::canonical(point, error);
  if (error) {
    throw UsageError(fmt::format("MOUNTPOINT {}: {}", point, error.message()));
  }
  if (!fs::is_directory(path, error)) {
    throw UsageError(fmt::format("MOUNTPOINT {} is no directory", point));
  }
  if (!fs::is_empty(path, error) || error) {
    throw UsageError(fmt::format(
        "MOUNTPOINT {} is not empty: what is in it would be hidden; name an "
        "empty directory",
        point));
  }
  if ((path + "/").starts_with(backing + "/")) {
    throw UsageError(fmt::format(
        "MOUNTPOINT {} is within --backing={}, and would show itself", point,
        backing));
  }
  return path;
}

faultfs::ServeOptions OptionsOf(const Flags& flags) {
  faultfs::ServeOptions options;
  if (flags.backing.empty()) {
    throw UsageError("--backing=DIR is missing: the directory that is shown");
  }
  if (flags.mount_points.empty()) {
    throw UsageError("no MOUNTPOINT: an empty directory to show it in");
  }
  options.backing = check::UsableDirectory(flags.backing);
  for (const std::string& point : flags.mount_points) {
    const std::string path = UsableMountPoint(point, options.backing);
    for (const std::string& other : options.mount_points) {
      if (path == other) {
        throw UsageError(fmt::format("MOUNTPOINT {} is named twice", point));
      }
    }
    options.mount_points.push_back(path);
  }
  if (!flags.sins.empty()) options.sins = ParseSins("--sin", flags.sins);
  options.seed = flags.seed;
  options.unmount_when_killed = true;
  return options;
}

int List(Context& context) {
  for (const faultfs::SinRow& row : faultfs::SinRows()) {
    fmt::print(context.out.stream, "{:<20} {}\n{:<20} {}\n", row.name, row.doc,
               "", ValuesOf(row));
  }
  return kExitOk;
}

int Unsupported(const std::string& why, Context& context) {
  fmt::print(context.err.stream, "locklab: unsupported: {}\n", why);
  return kExitMissingFeature;
}

int Matrix(const Flags& flags, Context& context) {
  const std::string missing = faultfs::WhyNoFuse();
  if (!missing.empty()) return Unsupported(missing, context);
  const std::string no_mounts = proc::WhyNot(proc::EnterMounts);
  if (!no_mounts.empty()) return Unsupported(no_mounts, context);
  return RunSinMatrix({.quick = flags.profile == "quick",
                       .json = flags.format == "json",
                       .seed = flags.seed},
                      context);
}

int Mount(const Flags& flags, Context& context) {
  if (flags.list) return List(context);
  if (flags.matrix) return Matrix(flags, context);
  const faultfs::ServeOptions options = OptionsOf(flags);
  const std::string missing = faultfs::WhyNoFuse();
  if (!missing.empty()) return Unsupported(missing, context);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  const std::string why = faultfs::Serve(options, [&] {
    for (const std::string& point : options.mount_points) {
      fmt::print(context.out.stream, "{} is mounted on {}\n", options.backing,
                 point);
    }
    fmt::print(context.out.stream, "seed {}: {}\n", options.seed,
               flags.sins.empty() ? "no sin" : flags.sins);
    context.out.stream.flush();
  });
  if (!why.empty()) {
    fmt::print(context.err.stream, "locklab: {}\n", why);
  }
  context.err.stream.flush();
  // Threads that serve may still be there.
  _exit(why.empty() ? kExitOk : kExitFailed);
}

}  // namespace

Run SetUpFaultfs(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  app.add_option(
         "--sin", flags->sins,
         "What to do wrong: names separated by commas, each with values "
         "of its own, as in link-not-atomic:ms=5,lost-reply:op=link. "
         "Default: nothing.")
      ->type_name("NAME[:KEY=VALUE][,...]");
  app.add_flag("--list", flags->list, "List the sins.");
  app.add_flag("--matrix", flags->matrix,
               "Let check examine filesystems that sin, each in one way, and "
               "see it catch them.");
  AddChoice(app, "--profile", &flags->profile, {"quick", "full"},
            "Of --matrix: quick is some of the sins.");
  AddChoice(app, "--format", &flags->format, {"text", "json"},
            "Of --matrix: how to print it.");
  AddNumber(app, "--seed", &flags->seed,
            "What is struck is drawn from it. Default: another each time.");
  app.add_option("--backing", flags->backing,
                 "The directory that is shown, and in which all is kept.")
      ->type_name("DIR");
  app.add_option("MOUNTPOINT", flags->mount_points,
                 "Empty directories to show it in. Each is a mount of its own, "
                 "as two clients of one server have it.")
      ->type_name("DIR");
  app.footer(
      "Serves until it is interrupted, its parent ends, or all is unmounted,\n"
      "and leaves no mount behind. Exit codes: 0 it served; 1 it could not\n"
      "mount; 2 usage; 4 there is no FUSE here. Of --matrix: 1 a sin was not\n"
      "caught; 5 something could not be told.");
  return [flags, &context] { return Mount(*flags, context); };
}

}  // namespace locklab::cli
