#include "tools/locklab/commands.h"

#include <array>

#include "tools/locklab/command.h"

namespace locklab::cli {

std::span<const CommandRow> Commands() {
  // One row a subcommand, the main job first.
  static constexpr std::array<CommandRow, 0> kTable = {};
  return kTable;
}

}  // namespace locklab::cli
