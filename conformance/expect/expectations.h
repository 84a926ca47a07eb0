// Failures that are known, so that a run is red for news alone.
//
// A file of lines, each with four words and a reason:
//
//     # filesystem  backend  claim                          expected
//     *             fcntl    permission.second_user_waits   fails     needs to
//         write what umask 022 lets one user write <https://...>
//
// The first three are patterns as of the shell (fnmatch(3): * ? [abc]). The
// filesystem is matched against the type that the kernel gives ("ext4",
// "nfs4"); the backend "-" stands for claims about the directory itself. The
// fourth is what is expected:
//   fails     it fails; if it passes, that is a surprise, and red
//   may-fail  it fails or passes, by chance: both are fine
//   holds     it holds, whatever a line further up says
// The reason is for people and must be there; a link in <> may end it. A line
// that begins with a blank goes on with the one before it; one that begins with
// # is a comment. Of several lines that match, the last one counts.
#ifndef LOCKLAB_CONFORMANCE_EXPECT_EXPECTATIONS_H_
#define LOCKLAB_CONFORMANCE_EXPECT_EXPECTATIONS_H_

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/report/report.h"

namespace locklab::expect {

// A file that cannot be read or understood, or that names what there is not.
// The message says which file and line, what is wrong, and what to do.
class ExpectError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What the patterns of a file must match.
struct Names {
  std::vector<std::string_view> claims;
  std::vector<std::string_view> backends;
  // Whatever they name: of files that were examined before.
  bool any = false;
};

class Expectations {
 public:
  // Adds the lines of `text`; `file` is for messages. Throws ExpectError, then
  // nothing was added.
  void Add(std::string_view text, const std::string& file, const Names& names);

  // Turns a failure that is expected into kXfail, and a pass where a failure
  // is expected into kXpass. `backend`: "-" for a primitive.
  void Apply(std::string_view filesystem, std::string_view backend,
             report::ClaimResult* result) const;

  [[nodiscard]] bool empty() const { return lines_.empty(); }

 private:
  enum class Kind { kFails, kMayFail, kHolds };
  struct Line {
    std::string filesystem;
    std::string backend;
    std::string claim;
    Kind kind = Kind::kFails;
    report::Expectation text;
  };
  static Line Parse(std::string_view line, const std::string& where,
                    const Names& names);

  std::vector<Line> lines_;
};

// A pack that comes with the program: what is known of one filesystem, or of
// the library on all of them.
struct Pack {
  std::string_view name;  // "ext4"
  std::string_view doc;   // the first line of its text, a comment
  std::string_view text;
};
[[nodiscard]] std::vector<Pack> Packs();

// A file or a pack as it was read.
struct Source {
  std::string name;  // without its folder: "known.expect"; or "@ext4"
  std::string text;
};

// Adds the file that `name` names or, if it begins with "@", the pack of that
// name; "@all": all packs. Returns what was added, in that order. Throws
// ExpectError.
std::vector<Source> AddFile(const std::string& name, const Names& names,
                            Expectations* expectations);

// Writes copies into `dir`, which is made if it is missing, under names that
// tell them apart and that bundles can hold: "1-known.expect", "2-ext4.expect".
// Blocks on disks. Returns what went wrong; empty: nothing did.
[[nodiscard]] std::string KeepSources(const std::vector<Source>& sources,
                                      const std::string& dir);

// What the copies in `dir` say together. Throws ExpectError.
[[nodiscard]] Expectations KeptIn(const std::string& dir);

}  // namespace locklab::expect

#endif  // LOCKLAB_CONFORMANCE_EXPECT_EXPECTATIONS_H_
