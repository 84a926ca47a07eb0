#include "stress/explore/searches.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <utility>

namespace locklab::explore {
namespace {

// Of the time that is left, for one search of many.
constexpr double kShare = 2.0 / 3;
// So many states of two processes: three will not come to their end within
// what is usually given.
constexpr uint64_t kMany = 5000;
constexpr uint32_t kAnyPreemptions = 1000;

class Searches {
 public:
  Searches(std::span<const Scene* const> scenes, const Budget& budget,
           const std::function<void(const Scene&)>& begins,
           const std::function<bool()>& go_on)
      : scenes_(scenes),
        budget_(budget),
        begins_(begins),
        go_on_(go_on),
        left_(budget.seconds),
        found_(scenes.size()) {}

  std::vector<std::optional<Exploration>> Run() {
    std::set<int> counts;
    for (const Scene* scene : scenes_) counts.insert(scene->processes());
    for (const int count : counts) RunThoseOf(count);
    RunTogether(std::exchange(unfinished_, {}), true);
    return std::move(found_);
  }

 private:
  using Which = std::vector<size_t>;

  // All of so many processes. Last, what had many states with fewer; first of
  // the others, where nobody asks who blocks them.
  void RunThoseOf(int count) {
    Which which;
    for (size_t i = 0; i < scenes_.size(); ++i) {
      if (scenes_[i]->processes() != count) continue;
      const bool is_long = StatesWithFewer(i) > kMany;
      (budget_.fall_back && is_long ? unfinished_ : which).push_back(i);
    }
    std::ranges::stable_sort(which, {}, [this](size_t i) {
      const uint64_t states = StatesWithFewer(i);
      return std::tuple(states > kMany, scenes_[i]->liveness, states);
    });
    RunTogether(which, false);
    for (const size_t i : which) {
      if (!found_[i].has_value()) continue;
      states_[NameOf(i)] = found_[i]->states;
      const bool ended = found_[i]->complete || found_[i]->found.has_value();
      if (!ended && budget_.fall_back) unfinished_.push_back(i);
    }
  }

  void RunTogether(const Which& which, bool again) {
    next_ = 0;
    std::vector<std::thread> threads;
    const auto work = [&] { Work(which, again); };
    const size_t jobs =
        std::min(which.size(), static_cast<size_t>(std::max(budget_.jobs, 1)));
    for (size_t i = 1; i < jobs; ++i) threads.emplace_back(work);
    if (!which.empty()) work();
    for (std::thread& thread : threads) thread.join();
    if (failure_ != nullptr) std::rethrow_exception(failure_);
  }

  void Work(const Which& which, bool again) {
    std::unique_lock lock(mutex_);
    while (next_ < which.size() && failure_ == nullptr && MayGoOn()) {
      const size_t i = which[next_++];
      Limits limits{.memory = budget_.memory, .depth = budget_.depth};
      const double time = again ? ShareAgain(which) : Share(which);
      if (budget_.seconds > 0) {  // 0 would be no limit
        limits.time = std::chrono::milliseconds(
            static_cast<int64_t>(std::max(time * 1000, 1.0)));
      }
      limits.preemptions = budget_.preemptions;
      if (again) limits.preemptions = kAnyPreemptions;
      left_ -= time;
      begins_(*scenes_[i]);
      lock.unlock();
      std::optional<Exploration> found;
      std::exception_ptr failure;
      try {
        found = Explore(*scenes_[i], limits, go_on_);
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      if (failure != nullptr) failure_ = failure;
      if (!found.has_value()) continue;
      left_ += time - found->cpu_seconds;
      found_[i] = std::move(found);
    }
  }

  // How much of the time the present search may have. Those that are under way
  // have taken theirs.
  [[nodiscard]] double Share(const Which& which) const {
    const bool last = next_ == which.size() && !budget_.fall_back;
    return std::max(left_, 0.0) * (last ? 1 : kShare);
  }
  // The same for one that is searched again: as much as each that follows, but
  // twice as much where it is asked of every state who blocks whom.
  [[nodiscard]] double ShareAgain(const Which& which) const {
    const auto weight = [this](size_t i) {
      return scenes_[i]->liveness ? 2.0 : 1.0;
    };
    double all = 0;
    for (size_t i = next_ - 1; i < which.size(); ++i) all += weight(which[i]);
    return std::max(left_, 0.0) * weight(which[next_ - 1]) / all;
  }

  [[nodiscard]] bool MayGoOn() const { return !go_on_ || go_on_(); }
  [[nodiscard]] std::string NameOf(size_t i) const {
    return std::string(scenes_[i]->subject->name()) + " " +
           std::string(scenes_[i]->model->name);
  }
  [[nodiscard]] uint64_t StatesWithFewer(size_t i) const {
    const auto known = states_.find(NameOf(i));
    return known == states_.end() ? 0 : known->second;
  }

  const std::span<const Scene* const> scenes_;
  const Budget& budget_;
  const std::function<void(const Scene&)>& begins_;
  const std::function<bool()>& go_on_;

  std::mutex mutex_;  // of what follows, while threads run
  double left_;
  size_t next_ = 0;
  std::vector<std::optional<Exploration>> found_;
  std::exception_ptr failure_;
  // By backend and model, of the fewest processes that were searched last.
  std::map<std::string, uint64_t> states_;
  Which unfinished_;
};

}  // namespace

std::vector<std::optional<Exploration>> SearchAll(
    std::span<const Scene* const> scenes, const Budget& budget,
    const std::function<void(const Scene&)>& begins,
    const std::function<bool()>& go_on) {
  return Searches(scenes, budget, begins, go_on).Run();
}

}  // namespace locklab::explore
