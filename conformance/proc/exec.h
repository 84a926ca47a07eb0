// Which program this process is, and is to be.
#ifndef LOCKLAB_CONFORMANCE_PROC_EXEC_H_
#define LOCKLAB_CONFORMANCE_PROC_EXEC_H_

#include <string>
#include <vector>

namespace locklab::proc {

// Becomes `argv[0]`, which is looked for in PATH unless it has a slash in it.
// Returns only if that cannot be: errno says why. Allocates memory.
void Exec(const std::vector<std::string>& argv);

// The path of the program that this process runs. Throws
// std::filesystem::filesystem_error where /proc is not mounted.
[[nodiscard]] std::string ThisProgram();

}  // namespace locklab::proc

#endif  // LOCKLAB_CONFORMANCE_PROC_EXEC_H_
