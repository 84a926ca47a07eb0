// The sin matrix: is every sin of the fault filesystem caught by check?
#ifndef LOCKLAB_TOOLS_LOCKLAB_SIN_MATRIX_H_
#define LOCKLAB_TOOLS_LOCKLAB_SIN_MATRIX_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/locklab/command.h"

namespace locklab::cli {

// A filesystem that sins, and who has to notice.
struct SinCase {
  std::string_view sin;       // as after --sin=; empty: none, and all is well
  std::string_view claims;    // that are examined: a regular expression
  std::string_view backends;  // that are examined
  std::string_view caught_by = "";  // the claim that fails; see `missing`
  std::string_view breaks = "";     // backends that must not be called safe
  bool missing = false;             // the backend is unsupported instead
  bool quick = false;               // belongs to the short profile
};

// One row a case.
[[nodiscard]] std::span<const SinCase> SinCases();

struct SinMatrix {
  bool quick = false;  // the short profile alone
  bool json = false;
  uint64_t seed = 0;
};

// Mounts each, twice over one directory in a mount namespace that ends with it,
// runs check there, and prints one row each. Returns an Exit. Main thread only.
int RunSinMatrix(const SinMatrix& plan, Context& context);

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_SIN_MATRIX_H_
