// The makers that backends.cc puts into its rows: one a backend.
#ifndef LOCKLAB_LIB_BACKENDS_MAKERS_H_
#define LOCKLAB_LIB_BACKENDS_MAKERS_H_

#include <cstddef>
#include <memory>
#include <string>

#include "lib/backends/backend.h"

namespace lockfile {

using MakeBackend = std::unique_ptr<Backend>(os::Os& os,
                                             const std::string& path,
                                             const Options& options);

// SQLite's own limit for a path, less "-journal".
inline constexpr size_t kLongestSqlitePath = 504;

MakeBackend MakeLink;
MakeBackend MakeMkdir;
MakeBackend MakeSymlink;
MakeBackend MakePid;
MakeBackend MakeExcl;
MakeBackend MakeSqlite;
MakeBackend MakeFlock;
MakeBackend MakeFcntl;
MakeBackend MakeOfd;

}  // namespace lockfile

#endif  // LOCKLAB_LIB_BACKENDS_MAKERS_H_
