#include "tools/locklab/check/progress.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <cmath>

namespace locklab::check {
namespace {

constexpr size_t kColumns = 79;
// Before that an estimate is a guess.
constexpr double kEarly = 0.05;

}  // namespace

void Progress::Stage(const std::string& what) {
  stage_ = what;
  now_.clear();
  if (console_.terminal) {
    Draw();
  } else {
    fmt::print(console_.stream, "locklab: {}\n", what);
    console_.stream.flush();
  }
}

void Progress::Now(const std::string& what) {
  now_ = what;
  if (Clock::now() - drawn_ >= std::chrono::milliseconds(100)) Draw();
}

void Progress::Done(double work) { done_ = std::min(total_, done_ + work); }

void Progress::Clear() {
  if (!shown_) return;
  console_.stream << "\r\x1b[K" << std::flush;
  shown_ = false;
}

std::string Progress::Line(double elapsed_s, size_t width) const {
  const double share = total_ > 0 ? done_ / total_ : 0;
  std::string line = fmt::format("{:3.0f} %", std::floor(100 * share));
  if (share >= kEarly) {
    line += fmt::format(", {:.0f} s left",
                        std::ceil(elapsed_s * (1 - share) / share));
  }
  line += ": " + stage_;
  if (!now_.empty()) line += ": " + now_;
  if (line.size() > width) line.resize(width);
  return line;
}

void Progress::Draw() {
  if (!console_.terminal) return;
  drawn_ = Clock::now();
  const std::chrono::duration<double> elapsed = drawn_ - start_;
  console_.stream << "\r" << Line(elapsed.count(), kColumns) << "\x1b[K"
                  << std::flush;
  shown_ = true;
}

}  // namespace locklab::check
