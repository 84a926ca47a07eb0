// Foreign locks: those of other programs and libraries, each behind an adapter,
// a program that speaks the protocol in README.md. They are locks under test
// as any other.
//
// To add one: a file that takes and gives back the lock, and a row in
// adapter.cc.
#ifndef LOCKLAB_STRESS_ADAPTERS_ADAPTER_H_
#define LOCKLAB_STRESS_ADAPTERS_ADAPTER_H_

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/subject/subject.h"

namespace locklab::adapters {

// One that comes with locklab.
struct Adapter {
  std::string_view name;     // "filelock"
  std::string_view doc;      // one line: what takes the lock, and how it waits
  std::string_view package;  // Debian's, without which it is missing
  std::string_view interpreter;
  // The program: these files of this folder, one after the other.
  std::string_view files;
  std::string_view argument = "";  // which of the program's locks

  [[nodiscard]] std::vector<std::string> Command() const;
};

// All rows.
[[nodiscard]] std::span<const Adapter> Adapters();
// nullptr: there is none such.
[[nodiscard]] const Adapter* FindAdapter(std::string_view name);

// How long an adapter may take for what it has to do at once.
struct Patience {
  std::chrono::milliseconds start{30000};   // until it answers `hello`
  std::chrono::milliseconds answer{10000};  // beside the timeout of `acquire`
};

// The lock behind `command`, whose first word is the path of a program. Each
// subject starts one of its own where it is used first, which dies with the
// process that uses it: that is the crash of the holder. An adapter that dies,
// hangs or says what it must not is an error of the lock. `advice`: what to
// do where it does not answer; may be empty.
[[nodiscard]] std::unique_ptr<SubjectFactory> SubjectBehind(
    std::string name, std::vector<std::string> command, std::string advice,
    Patience patience = {});

}  // namespace locklab::adapters

#endif  // LOCKLAB_STRESS_ADAPTERS_ADAPTER_H_
