// A scene in motion: what may happen at a moment, what comes of it, and
// whether that is as it should be.
#ifndef LOCKLAB_STRESS_EXPLORE_MACHINE_H_
#define LOCKLAB_STRESS_EXPLORE_MACHINE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "stress/explore/actors.h"
#include "stress/explore/scene.h"
#include "stress/explore/world.h"

namespace locklab::explore {

// Everything that what follows depends on.
struct Moment {
  World world{};
  std::array<Position, kSlots> at{};
};

// A call that was made, for who wants to know.
struct Made {
  Call call{};
  Result result{};
};

class Machine {
 public:
  // The scene outlives it.
  explicit Machine(const Scene& scene);

  [[nodiscard]] Moment Start();
  // All that may happen; steps first. Whether somebody only waits because he
  // has waited as often as is explored is added to `parked`.
  void Choices(const Moment& moment, std::vector<Choice>* choices,
               bool* parked);
  // Of one process: its step first, where it can make one, then the events. All
  // of Choices() but the step of one that another stands for.
  void ChoicesOf(const Moment& moment, int slot, std::vector<Choice>* choices);
  // Lets it happen. `made`: nullptr, or gets the calls that were made.
  Wrong Do(Moment* moment, Choice choice, std::vector<Made>* made);
  // The same, but does not look whether others hold the lock: then it depends
  // on no other's position (but see IsOutOfTheWay), and changes none, unless
  // the choice is one that befalls a host.
  Wrong Make(Moment* moment, Choice choice, std::vector<Made>* made);
  // Whether another holds what `slot` holds; MayMeet: false, surely not.
  [[nodiscard]] Wrong Meet(const Moment& moment, int slot) const;
  [[nodiscard]] bool MayMeet(const std::array<Position, kMaxProcesses>& at,
                             int slot) const;
  // Whether the process of this position, or nobody, does nothing that another
  // could notice, ever.
  [[nodiscard]] bool IsOutOfTheWay(Position at) const {
    return at == kNowhere || (!scene_.liveness && HasWaited(at));
  }
  // Whether it has waited as often as is explored, and would again.
  [[nodiscard]] bool IsParked(const Moment& moment, int slot) const {
    return HasWaited(moment.at[slot]);
  }
  // Whether it waits, or cannot go on.
  [[nodiscard]] bool IsPatient(const Moment& moment, int slot) const;
  [[nodiscard]] bool IsFirst(Position at, int slot) const {
    return at == first_[slot];
  }
  // Whether it is one of Choices(), the waits not counted.
  [[nodiscard]] bool IsPossible(const Moment& moment, Choice choice);

  // Whether each process that lives would get on if all others died now, and
  // whether nothing would be left in the end. `world`: a number of its own for
  // each world; kNoNumber: it has none.
  static constexpr uint32_t kNoNumber = ~uint32_t{0};
  Wrong Conclude(const Moment& moment, uint32_t world = kNoNumber);
  // Whether that is known already, and all is well.
  [[nodiscard]] bool IsConcluded(const std::array<Position, kMaxProcesses>& at,
                                 uint32_t world) const;

  // Who the process is that begins there now.
  [[nodiscard]] Life LifeOf(const Moment& moment, int slot, Role role) const;
  [[nodiscard]] bool Holds(const Moment& moment, int slot) const;
  // The reason of the last kFailed, kLitter or kBlocked.
  [[nodiscard]] const std::string& reason() const { return reason_; }
  [[nodiscard]] Lexicon& lexicon() { return lexicon_; }
  [[nodiscard]] Actors& actors() { return actors_; }
  [[nodiscard]] const Scene& scene() const { return scene_; }
  [[nodiscard]] size_t bytes() const;
  // Whether the ground of Scene::reduce was taken away.
  [[nodiscard]] bool rewrites() const { return kernel_.rewrites(); }

 private:
  [[nodiscard]] Position Enter(Moment* moment, int slot, Role role);
  [[nodiscard]] bool IsFresh(const Moment& moment, int slot) const;
  [[nodiscard]] bool IsLive(const Moment& moment, int slot) const {
    return moment.at[slot] != kNowhere;
  }
  bool May(const Moment& moment, Spend what) const;
  // Whether nothing can happen any more but steps.
  [[nodiscard]] bool IsSpent(const Moment& moment) const;
  // Whether it does not matter when the call is made, beside those of
  // Kernel::IsQuiet. When only steps are left to happen,
  // - a process that is gone stays gone: to ask about it is quiet, also for
  //   Conclude, which lets others die;
  // - who is left alone makes all of its calls as if they were one: nobody
  //   notices. Where Conclude is not asked, the others may also stand at a wait
  //   that is one too many for this search, and stay there.
  // Waits are steps always, so that this comes to an end.
  [[nodiscard]] bool IsQuiet(const Moment& moment, int slot,
                             const Call& call) const;
  // Whether nobody would notice its death: for the others it is as if it made
  // no step any more, which is in the search anyway. So where nobody can be
  // asked about it, who has no descriptor, hence no lock of the kernel, and
  // cannot come again; and only what goes wrong for others is looked for, not
  // who blocks them (no liveness, no waiting in the kernel).
  [[nodiscard]] bool IsLikeStandingStill(const Moment& moment, int slot) const;
  [[nodiscard]] bool HasWaited(Position at) const;
  void Exceptions(const Moment& moment, int slot, std::vector<Choice>* choices);
  Wrong Step(Moment* moment, Choice choice, std::vector<Made>* made);
  Result MakeCall(Moment* moment, Choice choice, const Call& call);
  void Reboot(Moment* moment, int slot);
  Wrong Settle(Moment* moment, int slot, std::vector<Made>* made);
  [[nodiscard]] Wrong Sought(Wrong wrong) const {
    return scene_.only == Wrong::kNothing || wrong == scene_.only
               ? wrong
               : Wrong::kNothing;
  }
  Wrong Pass(Moment* moment, int slot, const Call& mark);
  Wrong Released(const Process& process, uint32_t code);
  static void Aim(World* world, std::string_view target,
                  uint8_t Process::*bits);
  Wrong EndRound(Moment* moment, int slot);
  Wrong RunAlone(Moment moment, int slot);
  Wrong LookAfter(Moment moment);
  Wrong Tidy(const World& world);

  const Scene& scene_;
  Lexicon lexicon_;
  Kernel kernel_;
  Actors actors_;
  std::array<Position, kMaxProcesses> first_{};  // where they begin
  Worlds concluded_worlds_;
  NumberMap concluded_;   // by the process that is left alone, and its world
  NumberMap left_alone_;  // the same, before the others died
  std::vector<uint64_t> path_;  // of the present RunAlone
  std::string reason_;
};

}  // namespace locklab::explore

#endif  // LOCKLAB_STRESS_EXPLORE_MACHINE_H_
