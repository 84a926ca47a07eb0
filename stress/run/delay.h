// How long something is to take, each time anew.
#ifndef LOCKLAB_STRESS_RUN_DELAY_H_
#define LOCKLAB_STRESS_RUN_DELAY_H_

#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace locklab::run {

class Delay {
 public:
  using Ns = std::chrono::nanoseconds;

  constexpr Delay() = default;  // none
  static constexpr Delay Fixed(Ns length) { return {Kind::kFixed, length, {}}; }
  // Many short ones and few long ones, as of independent events; those beyond
  // 20 times the mean, one in half a billion, are cut to that.
  static constexpr Delay Exponential(Ns mean) {
    return {Kind::kExponential, mean, {}};
  }
  static constexpr Delay Uniform(Ns min, Ns max) {
    return {Kind::kUniform, min, max};
  }

  // "500us" or "fixed:500us", "exp:500us", "uniform:100us-900us"; see
  // proc::ParseDuration for the durations. Throws std::invalid_argument with
  // what is wrong and what to write instead, to follow "--flag=VALUE: ".
  [[nodiscard]] static Delay Parse(std::string_view text);
  // What Parse reads as this.
  [[nodiscard]] std::string Describe() const;

  [[nodiscard]] Ns Sample(std::mt19937_64& random) const;
  [[nodiscard]] Ns mean() const;
  [[nodiscard]] Ns longest() const;

  bool operator==(const Delay&) const = default;

 private:
  enum class Kind { kFixed, kExponential, kUniform };

  constexpr Delay(Kind kind, Ns first, Ns second)
      : kind_(kind), first_(first), second_(second) {}

  Kind kind_ = Kind::kFixed;
  Ns first_{0};   // its length, its mean, or the least
  Ns second_{0};  // the greatest, if it is uniform
};

}  // namespace locklab::run

#endif  // LOCKLAB_STRESS_RUN_DELAY_H_
