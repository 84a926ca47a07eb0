#include "stress/run/aftermath.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>

#include "conformance/proc/child.h"
#include "conformance/proc/patience.h"
#include "conformance/proc/shared.h"

namespace locklab::run {
namespace {

using std::chrono_literals::operator""s;
namespace fs = std::filesystem;

const auto kBound = proc::Patient<std::chrono::seconds>(10s);

struct Note {
  std::array<char, 400> error{};
};

int Visit(const SubjectFactory& subject, const std::string& path, Note& note) {
  const std::unique_ptr<Subject> lock = subject.Make(path);
  const auto fails = [&note](const char* call, const Outcome& outcome) {
    std::snprintf(note.error.data(), note.error.size(), "%s: %s", call,
                  outcome.message.c_str());
    return !outcome.ok();
  };
  if (fails("acquire", lock->Acquire(kBound))) return 0;
  if (fails("release", lock->Release())) return 0;
  note.error[0] = '\0';
  return 0;
}

}  // namespace

void SeeAftermath(const SubjectFactory& subject, const std::string& path,
                  const std::string& kept, FaultReport* report) {
  try {
    const proc::Shared<Note> note;
    proc::Child visitor =
        proc::Child::Spawn([&] { return Visit(subject, path, *note); });
    const auto end = visitor.Wait(proc::In(2 * kBound));
    report->aftermath = !end        ? "acquire did not return"
                        : end->ok() ? note->error.data()
                                    : "a process that asked " + end->Describe();
    visitor.Stop();
    for (const auto& entry :
         fs::directory_iterator(fs::path(path).parent_path())) {
      const std::string name = entry.path().filename();
      if (name != kept) report->litter.push_back(name);
    }
  } catch (const std::exception& error) {
    report->aftermath = error.what();
  }
  // What a lock keeps on purpose: its file, and nothing beside it.
  std::sort(report->litter.begin(), report->litter.end());
  if (subject.traits().keeps_file && report->litter.size() == 1) {
    report->litter.clear();
  }
}

}  // namespace locklab::run
