#include "stress/run/delay.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "conformance/proc/duration.h"

namespace locklab::run {
namespace {

constexpr int kLongestExponential = 20;  // means

Delay::Ns DurationOf(std::string_view text) {
  const auto duration = proc::ParseDuration(text);
  if (duration) return *duration;
  throw std::invalid_argument(fmt::format(
      "\"{}\" is not a duration: write a number that is not negative and a "
      "unit (ns, us, ms, s, m, h), as in 500us, exp:500us or "
      "uniform:100us-900us",
      text));
}

Delay ParseUniform(std::string_view range) {
  const size_t dash = range.find('-');
  if (dash == std::string_view::npos) {
    throw std::invalid_argument(
        "uniform needs the least and the greatest, as in uniform:100us-900us");
  }
  const Delay::Ns min = DurationOf(range.substr(0, dash));
  const Delay::Ns max = DurationOf(range.substr(dash + 1));
  if (max < min) {
    throw std::invalid_argument(
        fmt::format("the least, {}, is more than the greatest, {}: write "
                    "uniform:{}-{}",
                    proc::DurationText(min), proc::DurationText(max),
                    proc::DurationText(max), proc::DurationText(min)));
  }
  return Delay::Uniform(min, max);
}

}  // namespace

Delay Delay::Parse(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return Fixed(DurationOf(text));
  const std::string_view kind = text.substr(0, colon);
  const std::string_view rest = text.substr(colon + 1);
  if (kind == "fixed") return Fixed(DurationOf(rest));
  if (kind == "uniform") return ParseUniform(rest);
  if (kind != "exp") {
    throw std::invalid_argument(fmt::format(
        "there is no distribution {}: write a duration, exp:MEAN or "
        "uniform:LEAST-GREATEST",
        kind));
  }
  const Ns mean = DurationOf(rest);
  if (mean == Ns(0)) {
    throw std::invalid_argument(
        "an exponential distribution needs a mean above 0; write 0 for none");
  }
  return Exponential(mean);
}

std::string Delay::Describe() const {
  const std::string first = proc::DurationText(first_);
  switch (kind_) {
    case Kind::kExponential:
      return "exp:" + first;
    case Kind::kUniform:
      return "uniform:" + first + "-" + proc::DurationText(second_);
    case Kind::kFixed:
      break;
  }
  return first;
}

Delay::Ns Delay::Sample(std::mt19937_64& random) const {
  if (kind_ == Kind::kFixed) return first_;
  // In (0, 1), each of 2^53 values.
  const double share =
      (static_cast<double>(random() >> 11) + 0.5) / 9007199254740992.0;
  if (kind_ == Kind::kUniform) {
    return first_ +
           Ns(static_cast<int64_t>(
               share * static_cast<double>((second_ - first_).count())));
  }
  const double ns = static_cast<double>(first_.count()) * -std::log(share);
  return std::min(Ns(static_cast<int64_t>(ns)), longest());
}

Delay::Ns Delay::mean() const {
  return kind_ == Kind::kUniform ? first_ + (second_ - first_) / 2 : first_;
}

Delay::Ns Delay::longest() const {
  if (kind_ == Kind::kFixed) return first_;
  return kind_ == Kind::kUniform ? second_ : kLongestExponential * first_;
}

}  // namespace locklab::run
