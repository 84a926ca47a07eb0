// Every point of every operation of one lock, found by counting.
#ifndef LOCKLAB_STRESS_CRASH_ENUMERATE_H_
#define LOCKLAB_STRESS_CRASH_ENUMERATE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "conformance/history/histogram.h"
#include "stress/crash/experiment.h"

namespace locklab::crash {

struct Plan {
  std::vector<Operation> operations;
  std::vector<int> waiters;  // each of these numbers
  bool deaths = true;
  bool errors = false;
  bool lost_replies = false;
  // Of each operation with each number of waiters, only so many calls, chosen
  // by the seed; 0: all.
  int sample = 0;
  uint64_t seed = 0;
};

// One operation with one number of waiters.
struct Chapter {
  Operation operation = Operation::kAcquire;
  int waiters = 0;
  std::string excuse;  // why it was not examined; empty: it was
  int calls = 0;       // the most that the operation was seen to make
  int64_t experiments = 0;
  int64_t reached = 0;  // of them, those whose point came
  int64_t failed = 0;
  int64_t unsure = 0;
  history::Histogram recovery;  // nanoseconds, of the deaths
};

// Adds a result to the sums of its chapter.
void Count(const Result& result, Chapter* chapter);

struct Enumeration {
  std::vector<Chapter> chapters;
  std::vector<Result> results;  // of points that were reached
  // False: `go_on` ended it.
  bool complete = true;

  // What another one found of the same lock.
  void Add(Enumeration other);
};

// Tries the points of the plan one after the other: the first call, the second
// and so on, until the operation ends before the next one comes. With waiters
// an operation may make more calls at one time than at another: then it ends
// when that was so for three calls in a row. `seen` hears of each result that
// was reached. Main thread only. See Laboratory.
[[nodiscard]] Enumeration Enumerate(
    Laboratory& laboratory, const Plan& plan,
    const std::function<void(const Result&)>& seen,
    const std::function<bool()>& go_on);

}  // namespace locklab::crash

#endif  // LOCKLAB_STRESS_CRASH_ENUMERATE_H_
