#include "stress/explore/replay.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>

#include "conformance/proc/child.h"
#include "conformance/proc/shared.h"
#include "lib/errors.h"
#include "stress/explore/machine.h"
#include "stress/explore/real_calls.h"

namespace locklab::explore {
namespace {

constexpr int kPatienceMs = 30'000;

// What all processes of a replay share.
struct Board {
  std::atomic<int> holder{0};  // slot + 1; 0: nobody
  std::atomic<bool> two_held{false};
  // Whom the pids of the model stand for.
  struct Named {
    uint32_t pid = 0;
    uint32_t start = 0;
    pid_t real = 0;
  };
  std::array<Named, kMaxProcesses> named{};
};

enum class Order : uint8_t { kGo, kFromMemory, kTwice, kFail };

// Sent by a process that has come to its next call, or to its end.
struct Report {
  Op next = Op::kEnd;
  int error = 0;  // of the call before
};

bool CanBeTwice(const Call& call) { return call.op == Op::kOpen; }

// A process of the replay, in its own skin.
class Player {
 public:
  Player(const Scene& scene, const Life& life, const std::string& dir,
         Lexicon& lexicon, Board& board, int socket)
      : scene_(scene),
        life_(life),
        lexicon_(lexicon),
        board_(board),
        socket_(socket),
        calls_(dir, lexicon, [this](uint32_t pid) { return Alive(pid); }) {}

  int Play() {
    for (int round = 0; round < scene_.rounds; ++round) {
      Life life = life_;
      life.tenure.round = static_cast<uint8_t>(round);
      ActorOs os(life, *scene_.model, lexicon_,
                 [this](const Call& call) { return Hand(call); });
      Run(static_cast<Role>(life.role), *scene_.subject, os);
    }
    Tell(Op::kEnd);
    pause();  // its end is for the schedule to say
    return 0;
  }

 private:
  Result Hand(const Call& call) {
    if (call.op == Op::kIntends) Spare(lexicon_.texts.Text(call.text));
    if (!IsCall(call.op) && call.op != Op::kHold) return {};
    const int me = life_.tenure.slot + 1;
    int nobody = 0;
    if (call.op == Op::kHold &&
        !board_.holder.compare_exchange_strong(nobody, me)) {
      board_.two_held = true;
    }
    Tell(call.op);
    Order order = Order::kGo;
    if (read(socket_, &order, sizeof order) != sizeof order) _exit(1);
    Result result;
    if (call.op == Op::kHold) {
      int mine = me;
      board_.holder.compare_exchange_strong(mine, 0);
    } else if (order == Order::kFail) {
      result = Result::Fail(EIO);
    } else if (order == Order::kFromMemory) {
      result = calls_.LastLook(call);
    } else {
      result = calls_.Do(call);
      if (order == Order::kTwice) result = Again(call, result);
    }
    error_ = result.error;
    return result;
  }

  // Whose lock somebody was asked to break is no certain holder any more. The
  // target is a token, a blank, and a pid.
  void Spare(std::string_view target) {
    const uint32_t pid = std::strtoul(
        std::string(target.substr(target.find(' ') + 1)).c_str(), nullptr, 10);
    for (int slot = 0; slot < kMaxProcesses; ++slot) {
      int holder = slot + 1;
      if (board_.named[slot].pid == pid) {
        board_.holder.compare_exchange_strong(holder, 0);
      }
    }
  }

  Result Again(const Call& call, const Result& first) {
    if (CanBeTwice(call) && first.error == 0) close(first.value);
    return calls_.Do(call);
  }

  void Tell(Op next) {
    const Report report{next, error_};
    if (write(socket_, &report, sizeof report) != sizeof report) _exit(1);
  }

  Result Alive(uint32_t pid) {
    for (int slot = 0; slot < kMaxProcesses; ++slot) {
      const Board::Named& named = board_.named[slot];
      if (named.real == 0 || named.pid != pid) continue;
      // Another host's processes cannot be seen.
      if (scene_.model->many_hosts && slot != life_.tenure.slot) continue;
      if (kill(named.real, 0) == 0) return {.value = 1, .size = named.start};
    }
    return {};
  }

  const Scene& scene_;
  const Life life_;
  Lexicon& lexicon_;
  Board& board_;
  const int socket_;
  RealCalls calls_;
  int error_ = 0;
};

// The same from outside.
class Puppet {
 public:
  Puppet(const Scene& scene, const Life& life, const std::string& dir,
         Lexicon& lexicon, Board& board) {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) !=
        0) {
      throw std::system_error(errno, std::generic_category(), "socketpair");
    }
    socket_ = ends[0];
    child_ = proc::Child::Spawn([&] {
      close(ends[0]);
      return Player(scene, life, dir, lexicon, board, ends[1]).Play();
    });
    close(ends[1]);
    board.named[life.tenure.slot] = {life.pid, life.start, child_.pid()};
  }
  ~Puppet() { close(socket_); }
  Puppet(const Puppet&) = delete;
  Puppet& operator=(const Puppet&) = delete;

  // Waits until it has come to its next call. nullopt: it does not.
  std::optional<Report> Arrive() {
    pollfd ready{.fd = socket_, .events = POLLIN, .revents = 0};
    Report report;
    if (poll(&ready, 1, kPatienceMs) != 1 ||
        read(socket_, &report, sizeof report) != sizeof report) {
      return std::nullopt;
    }
    next_ = report.next;
    return report;
  }
  [[nodiscard]] Op next() const { return next_; }
  bool Send(Order order) {
    return send(socket_, &order, sizeof order, MSG_NOSIGNAL) == sizeof order;
  }
  void Kill() {
    child_.Kill(SIGKILL);
    (void)child_.Wait(proc::kForever);
  }

 private:
  int socket_ = -1;
  Op next_ = Op::kEnd;
  proc::Child child_;
};

class Replay {
 public:
  Replay(const Scene& scene, const std::string& dir)
      : scene_(Whole(scene)), dir_(dir), machine_(scene_) {}

  Replayed Run(const Schedule& schedule) {
    Moment moment = machine_.Start();
    for (int slot = 0; slot < scene_.processes(); ++slot) Begin(moment, slot);
    size_t steps = 0;
    for (const Choice choice : schedule) {
      ++steps;
      if (!out_.departed.empty()) break;
      if (!machine_.IsPossible(moment, choice)) {
        throw std::invalid_argument(
            fmt::format("step {} cannot happen there", steps));
      }
      std::vector<Made> made;
      (void)machine_.Do(&moment, choice, &made);
      Act(moment, choice, made);
    }
    out_.two_held = board_->two_held;
    return std::move(out_);
  }

 private:
  // A call a step.
  static Scene Whole(Scene scene) {
    scene.reduce = false;
    return scene;
  }

  void Begin(const Moment& moment, int slot) {
    puppets_[slot] = std::make_unique<Puppet>(
        scene_, machine_.LifeOf(moment, slot, scene_.roles[slot]), dir_,
        machine_.lexicon(), *board_);
    if (!puppets_[slot]->Arrive().has_value()) {
      out_.departed = fmt::format("process {} did not begin",
                                  static_cast<char>('a' + slot));
    }
  }

  void Act(const Moment& moment, Choice choice, const std::vector<Made>& made) {
    const int slot = choice.slot;
    switch (choice.event) {
      case Event::kCrash:
        puppets_[slot]->Kill();
        if (int dead = slot + 1; board_->holder == dead) {
          board_->holder.compare_exchange_strong(dead, 0);
        }
        out_.calls.push_back({choice.slot, "(SIGKILL)"});
        break;
      case Event::kRestart:
      case Event::kReuse:
        Begin(moment, slot);
        out_.calls.push_back({choice.slot, "(begins)"});
        break;
      case Event::kReboot:
      case Event::kPowerLoss:
      case Event::kLeaseLoss:
        throw std::invalid_argument(
            "neither a lost lease nor a boot can be made here");
      default:
        Step(choice, made);
    }
  }

  void Step(Choice choice, const std::vector<Made>& made) {
    Order order = Order::kGo;
    if (choice.event == Event::kStaleLook) order = Order::kFromMemory;
    if (choice.event == Event::kLostReply) order = Order::kTwice;
    if (choice.event == Event::kError) order = Order::kFail;
    Puppet& puppet = *puppets_[choice.slot];
    for (const Made& each : made) {
      const std::string call = each.call.op == Op::kHold
                                   ? "leaves"
                                   : Describe(each.call, machine_.lexicon());
      std::optional<Report> after;
      if (puppet.next() == each.call.op && puppet.Send(order)) {
        after = puppet.Arrive();
      }
      if (!after.has_value() || after->error != each.result.error) {
        Depart(choice.slot, call, each, after);
        return;
      }
      out_.calls.push_back(
          {choice.slot, call, Said(after->error), after->next == Op::kHold});
      order = Order::kGo;
    }
  }

  static std::string Said(int error) {
    return error == 0 ? "ok" : lockfile::ErrnoName(error);
  }

  void Depart(uint8_t slot, const std::string& call, const Made& expected,
              const std::optional<Report>& after) {
    const std::string here =
        after.has_value()
            ? Said(after->error)
            : "it stands at " + std::string(OpName(puppets_[slot]->next()));
    out_.departed = fmt::format("process {}, {}: the model says {}, here {}",
                                static_cast<char>('a' + slot), call,
                                Said(expected.result.error), here);
  }

  const Scene scene_;
  const std::string dir_;
  Machine machine_;
  proc::Shared<Board> board_;
  std::array<std::unique_ptr<Puppet>, kMaxProcesses> puppets_;
  Replayed out_;
};

}  // namespace

Replayed ReplayOn(const Scene& scene, const Schedule& schedule,
                  const std::string& dir) {
  return Replay(scene, dir).Run(schedule);
}

}  // namespace locklab::explore
