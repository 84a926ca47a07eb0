// What variants need of the machine, each a row: a program, a device, a right.
#ifndef LOCKLAB_TOOLS_LAB_NEEDS_H_
#define LOCKLAB_TOOLS_LAB_NEEDS_H_

#include <span>
#include <string>
#include <string_view>

namespace locklab::lab {

struct Need {
  std::string_view name;     // "mkfs.xfs"
  std::string_view doc;      // what it is
  std::string_view package;  // of Debian, which has it; "": none does
  // Why it is missing, one sentence that ends with what to do; empty: it is
  // there. nullptr: it is a program called `name`.
  std::string (*probe)() = nullptr;
};

// THE TABLE.
[[nodiscard]] std::span<const Need> Needs();
// nullptr: there is none of that name.
[[nodiscard]] const Need* FindNeed(std::string_view name);
[[nodiscard]] std::string WhyMissing(const Need& need);

}  // namespace locklab::lab

#endif  // LOCKLAB_TOOLS_LAB_NEEDS_H_
