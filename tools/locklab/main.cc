// locklab: the one program. Everything it can do is a row in commands.cc.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "tools/locklab/command.h"

namespace {

locklab::cli::Console ConsoleOn(std::ostream& stream, int fd) {
  const char* no_color = std::getenv("NO_COLOR");  // https://no-color.org
  const char* term = std::getenv("TERM");
  const bool terminal = isatty(fd) == 1;
  const bool wanted = no_color == nullptr || *no_color == '\0';
  const bool able = term != nullptr && std::string_view(term) != "dumb";
  return {stream, terminal, terminal && wanted && able};
}

}  // namespace

int main(int argc, char** argv) {
  locklab::cli::Console out = ConsoleOn(std::cout, STDOUT_FILENO);
  locklab::cli::Console err = ConsoleOn(std::cerr, STDERR_FILENO);
  const std::vector<std::string> args(argv + (argc > 0 ? 1 : 0), argv + argc);
  return locklab::cli::Main(locklab::cli::Commands(), args, out, err);
}
