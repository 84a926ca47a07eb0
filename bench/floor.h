// The floor under each backend: the bare system calls of one acquire and one
// release of a free lock, as data. The benchmark executes the data; a test
// compares it with the calls that the library makes, so that neither can
// change without the other.
#ifndef LOCKLAB_BENCH_FLOOR_H_
#define LOCKLAB_BENCH_FLOOR_H_

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace locklab::bench {

// The files that a lock at DIR/resource speaks of.
enum class Name {
  kNone,
  kLock,         // where the lock lives
  kLockEntry,    // the holder's entry, if that is a directory
  kTicket,       // the private file or directory beside it
  kTicketEntry,  // the entry of the private directory
};

enum class Op {
  kOpenNew,   // O_CREAT | O_EXCL, to write
  kOpenLock,  // to lock; it exists
  kOpenRead,
  kOpenPlace,  // nothing but its place in the tree
  kWrite,
  kMark,  // the first byte
  kRead,
  kFstat,
  kClose,
  kLink,    // from the ticket
  kRename,  // from the ticket, without replacing
  kSymlink,
  kReadLink,
  kLstat,
  kUnlink,
  kMakeDir,
  kRemoveDir,
  kFlock,
  kFlockUnlock,
  kSetLk,
  kSetLkUnlock,
  kOfdSetLk,
  kOfdSetLkUnlock,
  kOfdGetLk,
};

struct Step {
  Op op;
  Name name = Name::kNone;
  bool on_disk = false;  // not done in memory
};

struct FloorRow {
  std::string_view backend;
  std::span<const Step> steps;
};

// A row for each backend that makes its system calls itself: all but sqlite.
[[nodiscard]] std::span<const FloorRow> FloorRows();
// Those steps of a row that are taken in this directory.
[[nodiscard]] std::vector<Step> StepsIn(const std::string& dir,
                                        const FloorRow& row);
// nullptr: there is none.
[[nodiscard]] const FloorRow* FindFloor(std::string_view backend);

// "Open ticket", "Lstat lock", "Fstat": in the words of lockfile::os::Os.
[[nodiscard]] std::string Describe(const Step& step);
[[nodiscard]] std::string_view NameText(Name name);

// Something that stands under a lock and can be done again and again.
class Floor {
 public:
  virtual ~Floor() = default;
  // One acquire and release. False: a call failed; see Complaint().
  virtual bool Cycle() = 0;
  [[nodiscard]] virtual std::string Complaint() const = 0;
};

// The floor of a backend in an empty directory. nullptr: none is known.
[[nodiscard]] std::unique_ptr<Floor> MakeFloor(std::string_view backend,
                                               const std::string& dir);

}  // namespace locklab::bench

#endif  // LOCKLAB_BENCH_FLOOR_H_
