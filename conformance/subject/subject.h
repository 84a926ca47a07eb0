// The lock under test, whatever it is: a backend of the library, a canary that
// is broken on purpose, or a foreign lock behind an adapter. Claims, stress
// runs and benchmarks know nothing else of it.
#ifndef LOCKLAB_CONFORMANCE_SUBJECT_SUBJECT_H_
#define LOCKLAB_CONFORMANCE_SUBJECT_SUBJECT_H_

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace locklab {

enum class Got {
  kOk,
  kTimeout,  // or refused at once: somebody else holds it
  kError,    // anything else: see Outcome::message
};

struct Outcome {
  Got got = Got::kOk;
  int sys = 0;          // errno where there was one
  std::string message;  // empty for kOk
};

// One lock object in one process. Not shared between threads. May be created
// before fork() and used in the child, if it was not used before.
class Subject {
 public:
  virtual ~Subject() = default;
  // timeout < 0: waits for ever; 0: does not wait.
  virtual Outcome Acquire(std::chrono::nanoseconds timeout) = 0;
  virtual Outcome Release() = 0;
};

// How to make one: a row in a table of backends, canaries or adapters.
class SubjectFactory {
 public:
  virtual ~SubjectFactory() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual std::unique_ptr<Subject> Make(
      const std::string& path) const = 0;
};

// A backend of the library by its name; nullptr: there is none such.
[[nodiscard]] std::unique_ptr<SubjectFactory> BackendSubject(
    std::string_view backend);

}  // namespace locklab

#endif  // LOCKLAB_CONFORMANCE_SUBJECT_SUBJECT_H_
