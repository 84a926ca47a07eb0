#include "stress/faultfs/sins.h"

namespace locklab::faultfs {
namespace {

using std::chrono_literals::operator""ms;

// One row a sin, in the order of the enumeration.
constexpr auto kRows = std::to_array<SinRow>({
    {.sin = Sin::kLinkNotAtomic,
     .name = "link-not-atomic",
     .doc = "link(2) looks, waits, and replaces what came meanwhile",
     .breaks = "link and pid locks: two processes make one lock",
     .ms = 2ms},
    {.sin = Sin::kMkdirNotAtomic,
     .name = "mkdir-not-atomic",
     .doc = "mkdir(2) looks, waits, and succeeds whatever came meanwhile",
     .breaks = "locks that are a directory",
     .ms = 2ms},
    {.sin = Sin::kSymlinkNotAtomic,
     .name = "symlink-not-atomic",
     .doc = "symlink(2) looks, waits, and replaces what came meanwhile",
     .breaks = "symlink locks",
     .ms = 2ms},
    {.sin = Sin::kExclNotAtomic,
     .name = "excl-not-atomic",
     .doc = "O_EXCL looks, waits, and replaces what came meanwhile (NFSv2)",
     .breaks = "locks that are a file of O_EXCL",
     .ms = 2ms},
    {.sin = Sin::kRenameReplaces,
     .name = "rename-replaces",
     .doc = "RENAME_NOREPLACE waits, and replaces what came meanwhile",
     .breaks = "locks that are put in place by a rename: mkdir",
     .ms = 2ms},
    {.sin = Sin::kRenameNotAtomic,
     .name = "rename-not-atomic",
     .doc = "rename(2) removes what it replaces, waits, and succeeds whatever "
            "came meanwhile (copying gateways)",
     .breaks = "readers of what is replaced, and breakers: one lock is taken "
               "away twice",
     .ms = 2ms},
    {.sin = Sin::kNoEffect,
     .name = "no-effect",
     .doc = "success is reported, and nothing was done",
     .breaks = "whatever believes in success: a holder without a lock",
     .rate = 0.1,
     .has_op = true},
    {.sin = Sin::kLostReply,
     .name = "lost-reply",
     .doc = "it was done, and EIO is reported (a reply was lost)",
     .breaks = "whatever takes an error for a refusal: locks of nobody",
     .rate = 0.1,
     .has_op = true},
    {.sin = Sin::kLinkEperm,
     .name = "link-eperm",
     .doc = "link(2) fails with EPERM (no hard links)",
     .breaks = "link locks, which are not to be had"},
    {.sin = Sin::kEnospc,
     .name = "enospc",
     .doc = "making and writing fail with ENOSPC now and then",
     .breaks = "whatever takes an error for contention",
     .rate = 0.05},
    {.sin = Sin::kLinkCountStale,
     .name = "link-count-stale",
     .doc = "link counts are 1, whatever was linked (sshfs, bindfs)",
     .breaks =
         "locks that ask the link count: Python's lockfile waits for ever"},
    {.sin = Sin::kAttributesCached,
     .name = "attributes-cached",
     .doc = "names and attributes are remembered by each mount (NFS)",
     .breaks = "waiting by looking: a release is seen late",
     .ms = 3000ms},
    {.sin = Sin::kNamesCached,
     .name = "names-cached",
     .doc = "names are remembered by each mount",
     .breaks = "waiting by looking: a release is seen late",
     .ms = 3000ms},
    {.sin = Sin::kDataCached,
     .name = "data-cached",
     .doc = "what was read is remembered by each mount",
     .breaks = "the data that a lock protects, between two mounts",
     .ms = 3000ms},
    {.sin = Sin::kUnlinkLate,
     .name = "unlink-late",
     .doc = "a removed name is found for a while (SMB: delete pending)",
     .breaks = "locks that are given back by removing a name",
     .ms = 50ms},
    {.sin = Sin::kReaddirStale,
     .name = "readdir-stale",
     .doc = "directories are listed as they were a while ago",
     .breaks = "what looks for entries: breaking a lock that is a directory",
     .ms = 500ms},
    {.sin = Sin::kInodeUnstable,
     .name = "inode-unstable",
     .doc = "files have another inode number after a while",
     .breaks = "locks that know their file by its inode",
     .ms = 10ms},
    {.sin = Sin::kCaseFolded,
     .name = "case-folded",
     .doc = "names that differ in case are one",
     .breaks = "locks whose names differ in case alone: they are one"},
    {.sin = Sin::kMtimeCoarse,
     .name = "mtime-coarse",
     .doc = "modification times come in large steps",
     .breaks = "leases that watch them",
     .ms = 10000ms},
    {.sin = Sin::kLocksLocal,
     .name = "locks-local",
     .doc = "the kernel's locks are seen by their own mount alone (nobrl)",
     .breaks = "flock, fcntl, ofd and sqlite between two mounts"},
    {.sin = Sin::kLocksGranted,
     .name = "locks-granted",
     .doc = "whoever asks for one of the kernel's locks has it",
     .breaks = "flock, fcntl, ofd and sqlite"},
    {.sin = Sin::kLocksDropped,
     .name = "locks-dropped",
     .doc = "the kernel's locks are gone after a while (a lease ran out)",
     .breaks = "flock, fcntl, ofd and sqlite: two holders",
     .ms = 100ms},
    {.sin = Sin::kLocksOutlive,
     .name = "locks-outlive",
     .doc = "the kernel's locks outlive their holder for a while",
     .breaks = "what trusts the kernel to free a lock: flock, fcntl, ofd",
     .ms = 20000ms},
});
static_assert(kRows.size() == kSins);

constexpr std::string_view kOps[] = {"link",   "mkdir", "symlink", "create",
                                     "unlink", "rmdir", "rename"};

// splitmix64: https://prng.di.unimi.it/splitmix64.c
uint64_t Mix(uint64_t number) {
  number += 0x9e3779b97f4a7c15;
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
  number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
  return number ^ (number >> 31);
}

}  // namespace

std::span<const SinRow> SinRows() { return kRows; }

const SinRow& RowOf(Sin sin) { return kRows.at(static_cast<size_t>(sin)); }

std::span<const std::string_view> OpNames() { return kOps; }

Sins::Sins(std::span<const Chosen> chosen, uint64_t seed) : seed_(seed) {
  for (const Chosen& each : chosen) {
    slots_.at(static_cast<size_t>(each.sin)).chosen = each;
  }
}

const Chosen* Sins::Find(Sin sin) const {
  const Slot& slot = slots_.at(static_cast<size_t>(sin));
  return slot.chosen.has_value() ? &*slot.chosen : nullptr;
}

const Chosen* Sins::Strike(Sin sin) {
  const Chosen* chosen = Find(sin);
  if (chosen == nullptr) return nullptr;
  const auto which = static_cast<size_t>(sin);
  const uint64_t call = slots_.at(which).calls++;
  const uint64_t drawn = Mix(Mix(seed_ + which) ^ call);
  // The upper 53 bits, as a number from 0 to 1.
  const double number = static_cast<double>(drawn >> 11) * 0x1.0p-53;
  return number < chosen->rate ? chosen : nullptr;
}

const Chosen* Sins::Strike(Sin sin, Op op) {
  const Chosen* chosen = Find(sin);
  if (chosen == nullptr || (chosen->op && *chosen->op != op)) return nullptr;
  return Strike(sin);
}

}  // namespace locklab::faultfs
