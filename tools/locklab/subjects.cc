#include "tools/locklab/subjects.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "conformance/canary/canary.h"
#include "stress/adapters/adapter.h"
#include "tools/locklab/flags.h"

namespace locklab::cli {
namespace {

constexpr std::string_view kCanary = "canary:";
constexpr std::string_view kAdapter = "adapter:";

bool IsProgram(std::string_view name) {
  return name.starts_with(kAdapter) && name.find('/') != name.npos;
}

// The user's own.
std::unique_ptr<SubjectFactory> OwnAdapter(std::string_view name) {
  const std::string program(name.substr(kAdapter.size()));
  std::error_code error;
  const bool file = std::filesystem::is_regular_file(program, error);
  if (!file || access(program.c_str(), X_OK) != 0) {
    throw UsageError(fmt::format(
        "--backend={}: {} (see stress/adapters/README.md for what an adapter "
        "is)",
        name,
        error  ? error.message()
        : file ? std::string("it is not executable; chmod +x it")
               : std::string("it is no file")));
  }
  // Not every process that starts it is where this one is.
  return adapters::SubjectBehind(
      std::string(name), {std::filesystem::absolute(program).string()}, "");
}

std::unique_ptr<SubjectFactory> PackagedAdapter(std::string_view name) {
  const auto* row = adapters::FindAdapter(name.substr(kAdapter.size()));
  return adapters::SubjectBehind(
      std::string(name), row->Command(),
      fmt::format("install the package {}", row->package));
}

// Canaries and adapters are too many to be named in a message.
[[noreturn]] void NoSuchSubject(const std::string& word,
                                std::span<const std::string_view> names) {
  const auto all = lockfile::Backends();
  std::vector<std::string_view> backends(all.size());
  std::ranges::transform(all, backends.begin(), &lockfile::BackendRow::name);
  throw UsageError(fmt::format(
      "--backend={}: it must be one of {}, canary:NAME (see locklab list "
      "canaries), adapter:NAME (see locklab list adapters) or "
      "adapter:./PROGRAM{}",
      word, fmt::join(backends, ", "), DidYouMean(word, names)));
}

NamedSubject Make(std::string_view name, uint64_t seed) {
  NamedSubject subject{.name = std::string(name)};
  if (IsProgram(name)) {
    subject.factory = OwnAdapter(name);
  } else if (name.starts_with(kAdapter)) {
    subject.factory = PackagedAdapter(name);
  } else if (name.starts_with(kCanary)) {
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
  static const std::vector<std::string> others = [] {
    std::vector<std::string> names;
    for (const canary::Canary& canary : canary::Canaries()) {
      names.push_back(std::string(kCanary) + std::string(canary.name));
    }
    for (const adapters::Adapter& adapter : adapters::Adapters()) {
      names.push_back(std::string(kAdapter) + std::string(adapter.name));
    }
    return names;
  }();
  std::vector<std::string_view> names;
  for (const auto& row : lockfile::Backends()) names.push_back(row.name);
  names.insert(names.end(), others.begin(), others.end());
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
    const auto found = std::ranges::find(names, word);
    if (found == names.end() && !IsProgram(word)) NoSuchSubject(word, names);
    const std::string_view name = IsProgram(word) ? word : *found;
    if (std::none_of(subjects.begin(), subjects.end(),
                     [name](const auto& s) { return s.name == name; })) {
      subjects.push_back(Make(name, seed));
    }
  }
  return subjects;
}

}  // namespace locklab::cli
