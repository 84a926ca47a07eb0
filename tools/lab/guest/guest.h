// Machines of our own to mount what this kernel cannot: guests.
//
// A guest is Debian's User Mode Linux, a kernel that is a program and needs no
// rights. It boots from this machine's file tree, which it cannot change, sets
// up a server and one or two clients of it in its memory (scripts/), and runs
// this very program there. Results leave it through the directories that the
// run may write to; what the program says comes through pipes as it is said.
//
// A guest ends with the process that started it, however that ends: its
// processes are in a PID namespace of their own where the kernel lets us, and
// one outside watches over it.
#ifndef LOCKLAB_TOOLS_LAB_GUEST_GUEST_H_
#define LOCKLAB_TOOLS_LAB_GUEST_GUEST_H_

#include <chrono>
#include <string>
#include <vector>

#include "tools/lab/variant.h"

namespace locklab::lab {

// The filesystem is mounted there, inside.
inline constexpr char kGuestDir[] = "/mnt/a";
inline constexpr char kGuestOtherMount[] = "/mnt/b";

struct GuestPlan {
  std::string name;        // of the variant, for people
  std::string filesystem;  // protocol and mount options: "nfs vers=4.2"
  int clients = 1;         // 1 or 2
  // What runs inside, "locklab" for this program; empty: a shell for the person
  // at this process's terminal.
  std::vector<std::string> argv;
  std::vector<std::string> writable;  // absolute directories, besides scratch
  bool faults = false;                // what runs may let the network fail
  Job job;                            // its `args` do not count
  std::chrono::seconds boot = std::chrono::seconds(120);  // until it is ready
  std::chrono::seconds limit = std::chrono::hours(2);     // until its end
};

// Boots a guest, runs what is wanted in it and waits for the end of both.
// SIGINT and SIGTERM are handed on to what runs (the caller has
// proc::Interrupts in place). Does not throw. A guest that does not boot is
// trouble, with the last lines of its console.
[[nodiscard]] Result RunGuest(const GuestPlan& plan);

// The same for rows of the table (RunFunction).
[[nodiscard]] Result RunInGuest(const Variant& variant, const Job& job);
// A prompt in it.
[[nodiscard]] Result ShellInGuest(const Variant& variant, const Job& job);

}  // namespace locklab::lab

#endif  // LOCKLAB_TOOLS_LAB_GUEST_GUEST_H_
