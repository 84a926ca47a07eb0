// Durations as people write them: "500us", "1.5s", "8h".
#ifndef LOCKLAB_CONFORMANCE_PROC_DURATION_H_
#define LOCKLAB_CONFORMANCE_PROC_DURATION_H_

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace locklab::proc {

// A decimal number and a unit (ns, us, ms, s, m, h) with nothing between them;
// "0" needs no unit. nullopt: it is not that, or more than a hundred years.
[[nodiscard]] std::optional<std::chrono::nanoseconds> ParseDuration(
    std::string_view text);

// The shortest text that ParseDuration reads as exactly this; not negative.
[[nodiscard]] std::string DurationText(std::chrono::nanoseconds duration);

}  // namespace locklab::proc

#endif  // LOCKLAB_CONFORMANCE_PROC_DURATION_H_
