#include "stress/faultfs/stage.h"

#include <sys/mount.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <stdexcept>

#include "conformance/proc/poll_until.h"
#include "conformance/proc/shared.h"

namespace locklab::faultfs {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);

// What the process that serves has to say.
struct Word {
  std::atomic<bool> ready;
  std::array<char, 512> trouble;
};

}  // namespace

Stage::Stage(const Plan& plan) {
  const std::string& base = scratch_.path();
  if (mount("faultfs", base.c_str(), "tmpfs", 0, "size=256m,mode=755") != 0) {
    throw std::runtime_error("cannot mount a tmpfs on " + base + ": " +
                             std::strerror(errno));
  }
  options_.sins = plan.sins;
  options_.seed = plan.seed;
  options_.backing = base + "/backing";
  mkdir(options_.backing.c_str(), 0755);
  for (int i = 0; i < plan.mounts; ++i) {
    options_.mount_points.push_back(base + "/mount" + std::to_string(i));
    mkdir(dir(static_cast<size_t>(i)).c_str(), 0755);
  }
  Start();
}

void Stage::Start() {
  const proc::Shared<Word> word;
  server_ = proc::Child::Spawn([this, &word] {
    const std::string why = Serve(options_, [&word] { word->ready = true; });
    why.copy(word->trouble.data(), word->trouble.size() - 1);
    return why.empty() ? 0 : 1;
  });
  const auto heard = [this, &word] {
    return word->ready || server_.Poll().has_value();
  };
  const bool in_time = proc::Eventually(heard, proc::In(kPatience));
  if (word->ready) return;
  std::string why = word->trouble.data();
  if (why.empty()) {
    why = in_time ? "the process that serves it " + server_.Poll()->Describe()
                  : "it was not there in time";
  }
  server_.Stop();
  umount2(scratch_.path().c_str(), MNT_DETACH);
  throw std::runtime_error("faultfs: " + why);
}

Stage::~Stage() {
  server_.Stop();
  for (const std::string& point : options_.mount_points) {
    umount2(point.c_str(), MNT_DETACH);
  }
  umount2(scratch_.path().c_str(), MNT_DETACH);
}

}  // namespace locklab::faultfs
