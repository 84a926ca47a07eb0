// What the canaries about dead holders have in common: the file says by its
// pid who holds the lock, and whoever finds that process gone removes it.
#ifndef LOCKLAB_CONFORMANCE_CANARY_PID_FILE_H_
#define LOCKLAB_CONFORMANCE_CANARY_PID_FILE_H_

#include <optional>
#include <string>

#include "conformance/canary/naive_lock.h"

namespace locklab::canary {

class PidFile : public NaiveLock, public Inspector {
 public:
  using NaiveLock::NaiveLock;

  Inspector* inspector() override { return this; }
  [[nodiscard]] std::string lock_path() const override { return file(); }
  Outcome IsLocked(bool* locked) override;
  Outcome IAmLocking(bool* mine) override;
  Outcome ReadOwner(std::optional<lockfile::Owner>* owner) override;
  lockfile::Liveness HolderLife() override;
  Outcome Break(bool* broke) override;
  Outcome BreakIf(const lockfile::Owner& expected, bool* broke) override;

 protected:
  Outcome Try() override;

  // Whether the file that is there may be removed.
  virtual bool IsStale();
  // Removes a file that was seen to be stale. One at a time, and it looks
  // again: nothing is wrong with that.
  virtual void Recover();

  // 0: nobody, or nobody who has written yet.
  [[nodiscard]] pid_t HolderPid() const;
};

}  // namespace locklab::canary

#endif  // LOCKLAB_CONFORMANCE_CANARY_PID_FILE_H_
