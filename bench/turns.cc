#include "bench/turns.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "conformance/proc/barrier.h"
#include "conformance/proc/poll_until.h"

namespace locklab::bench {
namespace {

using namespace std::chrono_literals;  // NOLINT
using proc::Clock;
using proc::In;
using proc::TimePoint;

constexpr auto kPatience = 20s;  // of one step of one hand-off
constexpr auto kSettle = 150us;  // from "asleep" to "deep in the wait"

void Check(int64_t result, const char* what) {
  if (result >= 0) return;
  throw std::system_error(errno, std::generic_category(), what);
}

class InotifyBaton final : public Baton {
 public:
  explicit InotifyBaton(std::string path)
      : path_(std::move(path)), watch_(inotify_init1(IN_CLOEXEC)) {
    Check(watch_, "inotify_init1");
  }
  ~InotifyBaton() override { close(watch_); }
  InotifyBaton(const InotifyBaton&) = delete;
  InotifyBaton& operator=(const InotifyBaton&) = delete;

  void Take() override {
    const int fd = open(path_.c_str(), O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    Check(fd, "open");
    close(fd);
  }
  void Release() override { Check(unlink(path_.c_str()), "unlink"); }
  void Await() override {
    // What the last removal told of after the wait had ended on its first
    // event: it must not end this one.
    while (proc::PollUntil(watch_, POLLIN, TimePoint::min()) != 0) Read();
    Check(inotify_add_watch(watch_, path_.c_str(), IN_ATTRIB | IN_DELETE_SELF),
          "inotify_add_watch");
    Read();
  }
  void Drop() override {}

 private:
  void Read() {
    std::array<char, 4096> events;
    Check(static_cast<int>(read(watch_, events.data(), events.size())), "read");
  }

  const std::string path_;
  const int watch_;
};

class PipeBaton final : public Baton {
 public:
  explicit PipeBaton(const std::string& path) {
    if (mkfifo(path.c_str(), 0600) != 0 && errno != EEXIST) Check(-1, "mkfifo");
    // For both, so that neither waits for the other to open it.
    fd_ = open(path.c_str(), O_RDWR | O_CLOEXEC);
    Check(fd_, "open");
  }
  ~PipeBaton() override { close(fd_); }
  PipeBaton(const PipeBaton&) = delete;
  PipeBaton& operator=(const PipeBaton&) = delete;

  void Take() override {}
  void Release() override { Check(write(fd_, "x", 1), "write"); }
  void Await() override {
    char byte = 0;
    Check(read(fd_, &byte, 1), "read");
  }
  void Drop() override {}

 private:
  int fd_ = -1;
};

}  // namespace

// Even numbers are the holder's turns, odd ones the waiter's.
struct Turns::Board {
  std::atomic<uint32_t> turn{0};
  std::atomic<uint32_t> awaits{0};  // the turn in which the waiter waits
  std::atomic<bool> stop{false};
  std::atomic<bool> failed{false};
  std::atomic<int64_t> got_ns{0};

  void Pass(uint32_t next) {
    turn.store(next);
    proc::FutexWakeAll(turn);
  }
  // False: the other one has failed or is gone.
  bool AwaitTurn(uint32_t mine) {
    const TimePoint deadline = In(kPatience);
    for (uint32_t now = turn.load(); now != mine; now = turn.load()) {
      if (failed || Clock::now() > deadline) return false;
      proc::FutexWait(turn, now, std::min(deadline, In(100ms)));
    }
    return !failed;
  }
};

std::unique_ptr<Baton> MakeInotifyBaton(std::string path) {
  return std::make_unique<InotifyBaton>(std::move(path));
}

std::unique_ptr<Baton> MakePipeBaton(const std::string& path) {
  return std::make_unique<PipeBaton>(path);
}

Turns::Turns(MakeBatons make)
    : board_(std::make_unique<proc::Shared<Board>>()),
      waiter_(proc::Child::Spawn([&] { return RunWaiter(**board_, make); })),
      batons_(make()) {}

Turns::~Turns() {
  (*board_)->stop = true;
  (*board_)->Pass(turn_ + 1);
  waiter_.Wait(In(1s));
}

int Turns::RunWaiter(Board& board, const MakeBatons& make) {
  try {
    const Batons batons = make();
    for (uint32_t turn = 1;; turn += 2) {
      if (!board.AwaitTurn(turn)) return 1;
      if (board.stop) return 0;
      Baton* baton = batons[turn / 2 % batons.size()].get();
      board.awaits = turn;
      baton->Await();
      board.got_ns = Clock::now().time_since_epoch().count();
      baton->Drop();
      board.Pass(turn + 1);
    }
  } catch (const std::exception& error) {
    fprintf(stderr, "waiter: %s\n", error.what());
    board.failed = true;
    return 1;
  }
}

// Whether the waiter has come to sleep in its wait.
bool Turns::WaitsNow(uint32_t turn) const {
  const Board& board = **board_;
  const auto waits = [&] {
    return board.failed || (board.awaits == turn && waiter_.Asleep());
  };
  return proc::Eventually(waits, In(kPatience), 20us) && !board.failed;
}

int64_t Turns::HandOver(Baton& baton) {
  Board& board = **board_;
  baton.Take();
  board.Pass(turn_ + 1);
  bool waits = WaitsNow(turn_ + 1);
  if (waits) {
    std::this_thread::sleep_for(kSettle);
    waits = WaitsNow(turn_ + 1);
  }
  const auto released = Clock::now().time_since_epoch();
  if (waits) baton.Release();
  if (!waits || !board.AwaitTurn(turn_ + 2)) {
    throw std::runtime_error("the waiter failed or hangs");
  }
  turn_ += 2;
  return board.got_ns - std::chrono::nanoseconds(released).count();
}

std::vector<int64_t> Turns::Round() {
  std::vector<int64_t> took;
  for (const auto& baton : batons_) took.push_back(HandOver(*baton));
  return took;
}

}  // namespace locklab::bench
