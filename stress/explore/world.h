// The model filesystem and its processes as a small value: what a call does to
// it is a function of it and of the call.
#ifndef LOCKLAB_STRESS_EXPLORE_WORLD_H_
#define LOCKLAB_STRESS_EXPLORE_WORLD_H_

#include <array>
#include <cstdint>
#include <string_view>

#include "stress/explore/call.h"
#include "stress/explore/model.h"

namespace locklab::explore {

inline constexpr int kMaxProcesses = 4;
// The last slot is for who looks after them whether all is well.
inline constexpr int kSlots = kMaxProcesses + 1;
inline constexpr int kMaxInodes = 32;
inline constexpr int kMaxEntries = 40;
inline constexpr int kMaxFiles = 20;
inline constexpr int kMaxLooks = 24;

// What is spent of what a search allows.
enum class Spend : uint8_t {
  kCrash,
  kRestart,
  kReuse,
  kLostReply,
  kStaleLook,
  kError,
  kLeaseLoss,
  kReboot,
  kPowerLoss,
};
inline constexpr int kSpends = static_cast<int>(Spend::kPowerLoss) + 1;

struct Inode {
  Type type = Type::kNone;
  uint8_t nlink = 0;
  uint8_t mtime = 0;    // counts refreshes; nothing else moves it
  uint8_t pending = 0;  // removed, and its name is still there
  uint8_t posix = 0;    // whose lock of the process: slot + 1
  uint8_t padding = 0;
  uint16_t text = 0;
};

struct Entry {
  uint16_t name = 0;
  uint8_t dir = 0;
  uint8_t ino = 0;
};

struct OpenFile {
  uint8_t slot = 0;
  uint8_t fd = 0;
  uint8_t ino = 0;
  uint8_t bits = 0;  // see below
};
inline constexpr uint8_t kWritable = 1;
inline constexpr uint8_t kFlocked = 2;
inline constexpr uint8_t kOfdLocked = 4;

struct Process {
  uint8_t alive = 0;
  uint8_t pid = 0;
  uint8_t start = 0;
  uint8_t incarnation = 0;
  uint8_t round = 0;
  uint8_t hold = 0;        // the number of the present hold of the object
  uint8_t must_learn = 0;  // it was broken before it was released
  // Of the tenure's holds, a bit each:
  uint8_t endangered = 0;  // somebody was asked to break it
  uint8_t broken = 0;      // and was told that it did

  [[nodiscard]] static uint8_t Bit(uint8_t hold) {
    return static_cast<uint8_t>(1 << (hold & 7));
  }
  [[nodiscard]] bool IsEndangered() const {
    return (endangered & Bit(hold)) != 0;
  }
  void BeginRound() { hold = must_learn = endangered = broken = 0; }
};

// What a host was shown of a name.
struct Seen {
  uint8_t slot = 0;
  uint8_t padding[3] = {};
  Place path{};
  Result result{};
};

struct World {
  uint8_t inodes_in_use = 0;  // the highest number + 1
  uint8_t entries_in_use = 0;
  uint8_t files_in_use = 0;
  uint8_t looks_in_use = 0;
  std::array<uint8_t, kSpends> spent{};
  // Which boot of its host a process belongs to that begins now.
  std::array<uint8_t, kSlots> boots{};
  std::array<Process, kSlots> processes{};
  std::array<Inode, kMaxInodes> inodes{};
  std::array<Entry, kMaxEntries> entries{};  // by directory, then name
  std::array<OpenFile, kMaxFiles> files{};   // by slot, then descriptor
  std::array<Seen, kMaxLooks> looks{};       // by slot, then path

  [[nodiscard]] uint8_t& of(Spend what) {
    return spent[static_cast<size_t>(what)];
  }
};

// The root directory alone.
[[nodiscard]] World EmptyWorld();

// A number for each value of World; packed, so that millions fit.
class Worlds {
 public:
  uint32_t Id(const World& world);
  void Get(uint32_t id, World* world) const;
  [[nodiscard]] size_t size() const { return packed_.size(); }
  [[nodiscard]] size_t bytes() const { return packed_.bytes(); }

 private:
  Interner packed_;
};

// What the model's operating system does. Throws std::length_error when the
// model is too small for what the processes make of it.
class Kernel {
 public:
  Kernel(const Model& model, bool link_counts, Lexicon& lexicon)
      : model_(model), link_counts_(link_counts), lexicon_(lexicon) {}

  // Whether the call would not block now.
  [[nodiscard]] bool Ready(const World& world, int slot,
                           const Call& call) const;
  [[nodiscard]] Result Do(World& world, int slot, const Call& call);
  // Whether it does not matter to anybody when the call is made: it reads or
  // closes a file that nobody else can write to, which carries no lock of the
  // process. Rests on files being opened for writing by nobody but who makes
  // them: see rewrites().
  [[nodiscard]] bool IsQuiet(const World& world, int slot,
                             const Call& call) const;
  // What kStatus asks: whether there is such a process, as far as one sees.
  [[nodiscard]] bool Exists(const World& world, int slot,
                            const Call& call) const {
    return StatusOf(world, slot, call).value != 0;
  }
  // Whether a file that was there has been opened for writing, or touched:
  // then IsQuiet has no ground.
  [[nodiscard]] bool rewrites() const { return rewrites_; }
  // What an earlier look of this host has shown, if that may be shown again:
  // not a fresh answer. False: nothing.
  [[nodiscard]] bool StaleLook(const World& world, int slot, const Call& call,
                               Result* result) const;

  void Start(World& world, int slot, int pid, int start);
  // The process is gone: its descriptors and kernel locks, too.
  void Kill(World& world, int slot);
  // What was written to files has not come to the disk; names and links have.
  static void LoseTexts(World& world);
  // Its kernel locks are gone, and it is not told.
  void DropLocks(World& world, int slot);

  [[nodiscard]] const Model& model() const { return model_; }

 private:
  struct Found {
    int error = 0;
    uint8_t dir = 0;
    uint16_t name = 0;
    uint8_t ino = 0;  // 0: there is no such name
  };
  Found Find(const World& world, const Place& place) const;
  Found FindUsable(const World& world, const Place& place) const;

  Result StatusOf(const World& world, int slot, const Call& call) const;
  Result Open(World& world, int slot, const Call& call);
  Result Close(World& world, int slot, const Call& call);
  Result Write(World& world, int slot, const Call& call);
  Result Change(World& world, int slot, const Call& call);
  Result LookAt(World& world, int slot, const Call& call);
  static void Age(World& world, int slot);
  Result Make(World& world, const Call& call);
  Result Link(World& world, const Call& call);
  Result Remove(World& world, int slot, const Call& call);
  Result Rename(World& world, int slot, const Call& call);
  Result Names(const World& world, const Call& call);
  Result Info(const World& world, uint8_t ino) const;
  Result OnFile(World& world, int slot, const Call& call);
  Result Lock(World& world, OpenFile& file, const Call& call);
  bool IsLockedByOther(const World& world, const OpenFile& file,
                       uint8_t kind) const;
  bool Unlink(World& world, int slot, uint8_t dir, uint16_t name);
  void Forget(World& world, int slot, const Place& path) const;
  void Remember(World& world, int slot, const Place& path,
                const Result& result) const;

  const Model& model_;
  const bool link_counts_;
  Lexicon& lexicon_;
  bool rewrites_ = false;
};

}  // namespace locklab::explore

#endif  // LOCKLAB_STRESS_EXPLORE_WORLD_H_
