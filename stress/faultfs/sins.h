// What the filesystem does wrong on request: THE TABLE, and who is struck when.
#ifndef LOCKLAB_STRESS_FAULTFS_SINS_H_
#define LOCKLAB_STRESS_FAULTFS_SINS_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace locklab::faultfs {

enum class Sin {
  kLinkNotAtomic,
  kMkdirNotAtomic,
  kSymlinkNotAtomic,
  kExclNotAtomic,
  kRenameReplaces,
  kRenameNotAtomic,
  kNoEffect,
  kLostReply,
  kLinkEperm,
  kEnospc,
  kLinkCountStale,
  kAttributesCached,
  kNamesCached,
  kDataCached,
  kUnlinkLate,
  kReaddirStale,
  kInodeUnstable,
  kCaseFolded,
  kMtimeCoarse,
  kLocksLocal,
  kLocksGranted,
  kLocksDropped,
  kLocksOutlive,
};
inline constexpr size_t kSins = 23;

// The calls that change names.
enum class Op { kLink, kMkdir, kSymlink, kCreate, kUnlink, kRmdir, kRename };

struct SinRow {
  Sin sin;
  std::string_view name;  // "link-not-atomic"
  std::string_view doc;   // one line
  // What stands on what it takes away.
  std::string_view breaks;
  double rate = 1;                  // how often, unless `rate=` says so
  std::chrono::milliseconds ms{0};  // how long; 0: it takes no time
  bool has_op = false;              // strikes one call alone if `op=` says so
};

// All rows, in the order of the enumeration.
[[nodiscard]] std::span<const SinRow> SinRows();
[[nodiscard]] const SinRow& RowOf(Sin sin);
// "link", "mkdir", ..., in the order of the enumeration.
[[nodiscard]] std::span<const std::string_view> OpNames();

// A sin that was chosen.
struct Chosen {
  Sin sin;
  double rate = 1;
  std::chrono::milliseconds ms{0};
  std::optional<Op> op = {};  // none: all of them

  explicit Chosen(Sin which)
      : sin(which), rate(RowOf(which).rate), ms(RowOf(which).ms) {}
};

// Used by many threads. Whether the n-th call is struck depends on the seed
// and n alone; which call is the n-th is for the scheduler.
class Sins {
 public:
  Sins(std::span<const Chosen> chosen, uint64_t seed);

  // The sin, if it was chosen and strikes now.
  [[nodiscard]] const Chosen* Strike(Sin sin);
  [[nodiscard]] const Chosen* Strike(Sin sin, Op op);
  // The sin, if it was chosen: for those that do not come and go.
  [[nodiscard]] const Chosen* Find(Sin sin) const;

 private:
  struct Slot {
    std::optional<Chosen> chosen;
    std::atomic<uint64_t> calls = 0;
  };
  std::array<Slot, kSins> slots_;
  const uint64_t seed_;
};

}  // namespace locklab::faultfs

#endif  // LOCKLAB_STRESS_FAULTFS_SINS_H_
