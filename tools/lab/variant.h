// A filesystem that the lab can make, for a run to be examined on: a row of the
// table in variants.cc.
//
//   for (const Variant& variant : Variants())
//     if (WhyNot(variant).empty()) RunOn(variant, job);      // run.h
//
// To add one: a row there. A filesystem in an image file is a row of
// conformance/image, too.
#ifndef LOCKLAB_TOOLS_LAB_VARIANT_H_
#define LOCKLAB_TOOLS_LAB_VARIANT_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace locklab::lab {

class Mounted;
struct Variant;

enum class Kind {
  kLocal,  // the kernel that runs this program mounts it
  kFuse,   // the same, and a program of ours or another's serves it
  kGuest,  // a User Mode Linux guest mounts it
};
// "local", "fuse", "guest".
[[nodiscard]] std::string_view KindName(Kind kind);

// What a run is to do.
struct Job {
  std::string locklab;  // this program: a path to it
  // A subcommand that takes --dir, and its flags; without those that the
  // variant adds: see ArgsOn() in run.h.
  std::vector<std::string> args;
  // An existing directory of the run's own, for images, sockets and the like;
  // whoever made it removes it. Its path has no blanks or commas.
  std::string scratch;
  // Where `args` keep results, absolute; empty: nowhere. A guest has to be able
  // to write there.
  std::string results;
  // Runs side by side take turns at measuring, by this file; empty: there are
  // none. And whether the program is to keep its progress to itself. Both for
  // subcommands that take it.
  std::string turn = {};
  bool silent = false;
  // What the program says goes there.
  int out = 1;
  int err = 2;
};

struct Result {
  int code = 0;         // of the program: conformance/verdict/exit.h
  std::string trouble;  // why it could not be run at all; empty: it was run
};

// Puts together what is examined. Throws image::ImageError.
using MountFunction = void (*)(const Variant& variant, Mounted* mounted);
// Runs a job on a variant, to its end. Does not throw.
using RunFunction = Result (*)(const Variant& variant, const Job& job);

struct Variant {
  std::string name;  // "ext4"; with "/2" behind it for two mounts
  std::string_view doc;
  std::string_view made;  // how
  Kind kind = Kind::kLocal;
  std::string_view needs = "";  // names of Needs, apart by blanks
  // What `check` can require here: names of claims::Features.
  std::string_view features = "";
  // Expectations that hold for it, besides @library: the name of a pack.
  std::string_view pack = "";
  // Bytes that have to be free where its scratch directory is.
  uint64_t room = uint64_t{1} << 20;
  // One of them is there: how it is made in this process, or else how a job is
  // run on it. Neither: not yet.
  MountFunction mount = nullptr;
  RunFunction run = nullptr;
  // Of a guest: protocol and mount options, "nfs vers=4.2".
  std::string_view in_guest = "";
  // The row stands for two variants: one mount, and two mounts of the same
  // with caches of their own.
  bool twice = false;
  // Takes longer than others: of those that run side by side, it begins first.
  bool slow = false;
  int mounts = 1;  // 1 or 2
};

// THE TABLE.
[[nodiscard]] std::span<const Variant> Variants();
// nullptr: there is none of that name.
[[nodiscard]] const Variant* FindVariant(std::string_view name);

// Why it cannot be had here, one sentence that ends with what to do; empty:
// nothing is known against it. Takes milliseconds.
[[nodiscard]] std::string WhyNot(const Variant& variant);

}  // namespace locklab::lab

#endif  // LOCKLAB_TOOLS_LAB_VARIANT_H_
