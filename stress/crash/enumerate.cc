#include "stress/crash/enumerate.h"

#include <algorithm>
#include <iterator>
#include <random>
#include <utility>

namespace locklab::crash {
namespace {

// An operation that makes more calls than these does not end.
constexpr int kMostCalls = 500;

// So many points in a row that never came are the end, where the number of
// calls depends on what others do.
constexpr int kPatience = 3;

class Enumerator {
 public:
  Enumerator(Laboratory& laboratory, const Plan& plan,
             const std::function<void(const Result&)>& seen,
             const std::function<bool()>& go_on)
      : laboratory_(laboratory),
        plan_(plan),
        seen_(seen),
        go_on_(go_on),
        random_(plan.seed) {}

  Enumeration Run() {
    for (const Operation operation : plan_.operations) {
      for (const int waiters : plan_.waiters) {
        Chapter& chapter = done_.chapters.emplace_back();
        chapter.operation = operation;
        chapter.waiters = waiters;
        chapter.excuse = laboratory_.Excuse(operation);
        if (chapter.excuse.empty() && GoOn()) Write(&chapter);
      }
    }
    return std::move(done_);
  }

 private:
  void Write(Chapter* chapter) {
    if (chapter->operation == Operation::kHold) {
      if (plan_.deaths) Try(chapter, PointAt(*chapter, 1, Fate::kDieBefore));
      return;
    }
    if (plan_.sample > 0) return WriteSample(chapter);
    int missing = 0;
    for (int call = 1; call <= kMostCalls && GoOn(); ++call) {
      const std::string name = Explore(chapter, call);
      missing = name.empty() ? missing + 1 : 0;
      if (missing >= (chapter->waiters == 0 ? 1 : kPatience)) break;
    }
  }

  // One call of each of so many parts of the operation.
  void WriteSample(Chapter* chapter) {
    // A point that is never reached tells how many calls there are.
    const Result whole =
        laboratory_.Try(PointAt(*chapter, kMostCalls + 1, Fate::kDieBefore));
    if (whole.finding.verdict != Verdict::kPass) return Keep(chapter, whole);
    const int parts = std::min(plan_.sample, whole.calls);
    for (int part = 0; part < parts && GoOn(); ++part) {
      const int first = whole.calls * part / parts + 1;
      const int end = whole.calls * (part + 1) / parts + 1;
      const auto width = static_cast<uint64_t>(end - first);
      Explore(chapter, first + static_cast<int>(random_() % width));
    }
  }

  // All fates of one call. Returns the call's name; empty: it never came.
  std::string Explore(Chapter* chapter, int call) {
    // Death tells which call it is; where none is wanted, it is found out so,
    // too, and not counted.
    const Result first =
        laboratory_.Try(PointAt(*chapter, call, Fate::kDieBefore));
    if (plan_.deaths) Keep(chapter, first);
    if (!first.reached) return "";
    const std::string name = first.call.substr(0, first.call.find(' '));
    if (plan_.deaths) Try(chapter, PointAt(*chapter, call, Fate::kDieAfter));
    if (plan_.errors) {
      TryAll(chapter, call, Fate::kError, PlausibleErrors(name));
    }
    if (plan_.lost_replies) {
      TryAll(chapter, call, Fate::kLostReply, LostReplyErrors(name));
    }
    return name;
  }

  void TryAll(Chapter* chapter, int call, Fate fate,
              std::span<const int> errors) {
    for (const int error : errors) {
      if (!GoOn()) return;
      Point point = PointAt(*chapter, call, fate);
      point.error = error;
      Try(chapter, point);
    }
  }

  static Point PointAt(const Chapter& chapter, int call, Fate fate) {
    return {.operation = chapter.operation,
            .call = call,
            .fate = fate,
            .waiters = chapter.waiters};
  }

  void Try(Chapter* chapter, const Point& point) {
    Keep(chapter, laboratory_.Try(point));
  }

  void Keep(Chapter* chapter, const Result& result) {
    Count(result, chapter);
    if (!result.reached && result.finding.verdict == Verdict::kPass) return;
    seen_(result);
    done_.results.push_back(result);
  }

  bool GoOn() {
    if (done_.complete && !go_on_()) done_.complete = false;
    return done_.complete;
  }

  Laboratory& laboratory_;
  const Plan& plan_;
  const std::function<void(const Result&)>& seen_;
  const std::function<bool()>& go_on_;
  std::mt19937_64 random_;
  Enumeration done_;
};

}  // namespace

void Count(const Result& result, Chapter* chapter) {
  ++chapter->experiments;
  chapter->calls = std::max(chapter->calls, result.calls);
  if (result.reached) ++chapter->reached;
  if (result.finding.verdict == Verdict::kFail) ++chapter->failed;
  if (result.finding.verdict == Verdict::kInconclusive) ++chapter->unsure;
  if (result.recovery_ns >= 0) chapter->recovery.Record(result.recovery_ns);
}

void Enumeration::Add(Enumeration other) {
  std::move(other.chapters.begin(), other.chapters.end(),
            std::back_inserter(chapters));
  std::move(other.results.begin(), other.results.end(),
            std::back_inserter(results));
  complete &= other.complete;
}

Enumeration Enumerate(Laboratory& laboratory, const Plan& plan,
                      const std::function<void(const Result&)>& seen,
                      const std::function<bool()>& go_on) {
  return Enumerator(laboratory, plan, seen, go_on).Run();
}

}  // namespace locklab::crash
