#include "conformance/canary/canary.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>

#include "conformance/canary/naive_lock.h"

namespace locklab::canary {
namespace {

class NoLock : public Subject {
 public:
  NoLock(const std::string& /*path*/, uint64_t /*seed*/) {}
  Outcome Acquire(std::chrono::nanoseconds) override { return {}; }
  Outcome Release() override { return {}; }
};

class CheckThenCreate : public NaiveLock {
 public:
  using NaiveLock::NaiveLock;

 protected:
  Outcome Try() override {
    if (access(file().c_str(), F_OK) == 0) return Refused();
    Dither();
    return Create(0);
  }
};

class ReleaseByName : public NaiveLock {
 public:
  using NaiveLock::NaiveLock;

 protected:
  Outcome Try() override { return Create(O_EXCL); }
};

// Two see the same dead holder. One removes its file and makes its own; then
// the other removes that, and both hold.
class UnlinkDead : public NaiveLock, public Inspector {
 public:
  using NaiveLock::NaiveLock;

  Inspector* inspector() override { return this; }
  [[nodiscard]] std::string lock_path() const override { return file(); }
  Outcome IsLocked(bool* locked) override {
    *locked = access(file().c_str(), F_OK) == 0;
    return {};
  }
  Outcome IAmLocking(bool* mine) override {
    *mine = HolderPid() == getpid();
    return {};
  }
  Outcome ReadOwner(std::optional<lockfile::Owner>* owner) override {
    owner->reset();
    if (const pid_t pid = HolderPid(); pid > 0) owner->emplace().pid = pid;
    return {};
  }
  lockfile::Liveness HolderLife() override {
    using lockfile::Life;
    return {IsDead(HolderPid()) ? Life::kDead : Life::kAlive, "by its pid"};
  }
  Outcome Break(bool* broke) override {
    *broke = unlink(file().c_str()) == 0;
    return {};
  }
  Outcome BreakIf(const lockfile::Owner& expected, bool* broke) override {
    *broke = false;
    if (HolderPid() != expected.pid) return {};
    Dither();
    return Break(broke);
  }

 protected:
  Outcome Try() override {
    Outcome outcome = Create(O_EXCL);
    if (outcome.got != Got::kTimeout || !IsDead(HolderPid())) return outcome;
    Dither();
    unlink(file().c_str());
    return Create(O_EXCL);
  }

 private:
  // 0: nobody, or nobody who has written yet.
  [[nodiscard]] pid_t HolderPid() const {
    pid_t pid = 0;
    std::ifstream(file()) >> pid;
    return pid;
  }
  static bool IsDead(pid_t pid) {
    return pid > 0 && kill(pid, 0) != 0 && errno == ESRCH;
  }
};

template <typename Lock>
class Factory : public SubjectFactory {
 public:
  Factory(std::string_view name, uint64_t seed) : name_(name), seed_(seed) {}
  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] std::unique_ptr<Subject> Make(
      const std::string& path) const override {
    return std::make_unique<Lock>(path, seed_);
  }

 private:
  std::string_view name_;
  uint64_t seed_;
};

constexpr char kCheckThenCreate[] = "check-then-create";
constexpr char kNoLock[] = "no-lock";
constexpr char kReleaseByName[] = "release-by-name";
constexpr char kUnlinkDead[] = "unlink-dead";

template <typename Lock, const char* kName>
std::unique_ptr<SubjectFactory> MakeFactory(uint64_t seed) {
  return std::make_unique<Factory<Lock>>(kName, seed);
}

constexpr auto kRows = std::to_array<Canary>({
    {.name = kCheckThenCreate,
     .doc = "looks whether the file is there, then makes it without O_EXCL",
     .claim = "exclusion.two_processes",
     .make = MakeFactory<CheckThenCreate, kCheckThenCreate>},
    {.name = kNoLock,
     .doc = "lets everybody in",
     .claim = "exclusion.two_processes",
     .make = MakeFactory<NoLock, kNoLock>},
    {.name = kUnlinkDead,
     .doc = "finds the holder dead by its pid, then removes the file by name",
     .claim = "break.concurrent_breakers",
     .make = MakeFactory<UnlinkDead, kUnlinkDead>},
    {.name = kReleaseByName,
     .doc = "gives back whatever lock is there, whoever holds it",
     .claim = "release.by_stranger_is_refused",
     .make = MakeFactory<ReleaseByName, kReleaseByName>},
});

}  // namespace

std::span<const Canary> Canaries() { return kRows; }

const Canary* FindCanary(std::string_view name) {
  for (const Canary& canary : kRows) {
    if (canary.name == name) return &canary;
  }
  return nullptr;
}

const Canary& StandardCanary() { return kRows.front(); }

}  // namespace locklab::canary
