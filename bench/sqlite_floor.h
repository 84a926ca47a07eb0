// The floor under the sqlite backend. Its system calls are SQLite's own, so
// its floor is SQLite itself: the same statements, prepared once.
#ifndef LOCKLAB_BENCH_SQLITE_FLOOR_H_
#define LOCKLAB_BENCH_SQLITE_FLOOR_H_

#include <memory>
#include <string>

#include "bench/floor.h"

namespace locklab::bench {

[[nodiscard]] std::unique_ptr<Floor> MakeSqliteFloor(const std::string& dir);

}  // namespace locklab::bench

#endif  // LOCKLAB_BENCH_SQLITE_FLOOR_H_
