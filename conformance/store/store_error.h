// Why a results store cannot be read or written.
#ifndef LOCKLAB_CONFORMANCE_STORE_STORE_ERROR_H_
#define LOCKLAB_CONFORMANCE_STORE_STORE_ERROR_H_

#include <stdexcept>
#include <string>

namespace locklab::store {

enum class Trouble {
  kMissing,   // there is none in the directory
  kForeign,   // a file of another program
  kNewer,     // made by a later version of this one
  kDamaged,   // not what SQLite or this program left
  kNoRun,     // the store is fine, but has no such run, or several
  kReadOnly,  // the permissions, or the mount
  kFull,      // the disk, or a quota
  kBusy,      // locked by another for longer than anybody should
  kOther,     // an error of the system
};

// what(): one sentence for people, what, where, why, and what to do.
class StoreError : public std::runtime_error {
 public:
  StoreError(Trouble trouble, const std::string& message)
      : std::runtime_error(message), trouble_(trouble) {}
  [[nodiscard]] Trouble trouble() const { return trouble_; }
  // Whether another attempt, later, may succeed with the same command line.
  [[nodiscard]] bool may_pass() const {
    return trouble_ == Trouble::kFull || trouble_ == Trouble::kBusy ||
           trouble_ == Trouble::kOther;
  }

 private:
  Trouble trouble_;
};

}  // namespace locklab::store

#endif  // LOCKLAB_CONFORMANCE_STORE_STORE_ERROR_H_
