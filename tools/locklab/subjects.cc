#include "tools/locklab/subjects.h"

#include <algorithm>

#include "conformance/canary/canary.h"
#include "tools/locklab/flags.h"

namespace locklab::cli {
namespace {

constexpr std::string_view kCanary = "canary:";

NamedSubject Make(std::string_view name, uint64_t seed) {
  NamedSubject subject{.name = std::string(name)};
  if (name.starts_with(kCanary)) {
    subject.factory =
        canary::FindCanary(name.substr(kCanary.size()))->make(seed);
  } else {
    subject.backend = lockfile::FindBackend(name);
    subject.factory = BackendSubject(name);
  }
  return subject;
}

}  // namespace

std::vector<std::string_view> SubjectNames() {
  static const std::vector<std::string> canaries = [] {
    std::vector<std::string> names;
    for (const canary::Canary& canary : canary::Canaries()) {
      names.push_back(std::string(kCanary) + std::string(canary.name));
    }
    return names;
  }();
  std::vector<std::string_view> names;
  for (const auto& row : lockfile::Backends()) names.push_back(row.name);
  names.insert(names.end(), canaries.begin(), canaries.end());
  return names;
}

std::vector<NamedSubject> ParseSubjects(const std::string& list,
                                        uint64_t seed) {
  std::vector<NamedSubject> subjects;
  if (list.empty()) {
    for (const auto& row : lockfile::Backends()) {
      subjects.push_back(Make(row.name, seed));
    }
    return subjects;
  }
  const std::vector<std::string_view> names = SubjectNames();
  for (const std::string& word : ParseList("--backend", list)) {
    const std::string_view name = ParseChoice("--backend", word, names);
    if (std::none_of(subjects.begin(), subjects.end(),
                     [name](const auto& s) { return s.name == name; })) {
      subjects.push_back(Make(name, seed));
    }
  }
  return subjects;
}

}  // namespace locklab::cli
