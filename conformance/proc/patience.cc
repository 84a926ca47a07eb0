#include "conformance/proc/patience.h"

#include <charconv>
#include <cstdlib>

namespace locklab::proc {

int ParsePatience(std::string_view text) {
  constexpr int kMost = 100;
  int factor = 0;
  const auto end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, factor);
  const bool sensible = parsed.ec == std::errc{} && parsed.ptr == end;
  return sensible && factor >= 1 && factor <= kMost ? factor : 1;
}

int Patience() {
  static const int factor = [] {
    const char* text = std::getenv(kPatienceVariable);
    return text == nullptr ? 1 : ParsePatience(text);
  }();
  return factor;
}

}  // namespace locklab::proc
