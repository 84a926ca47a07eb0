// How far a run has come, from its row.
#ifndef LOCKLAB_CONFORMANCE_STORE_STATE_H_
#define LOCKLAB_CONFORMANCE_STORE_STATE_H_

#include <cstdint>
#include <string>

#include "conformance/store/database.h"
#include "conformance/store/store.h"

namespace locklab::store {

// `state` and `writer` are the columns of runs; asks whether the writer lives.
[[nodiscard]] RunState StateOf(const std::string& state,
                               const std::string& writer);

// For report::RunReport::cut_short; empty: it was not.
[[nodiscard]] std::string WhyCutShort(RunState state);

// A seed as it is stored, in decimal. Throws StoreError for anything else.
[[nodiscard]] uint64_t SeedOf(const Database& database,
                              const std::string& text);

}  // namespace locklab::store

#endif  // LOCKLAB_CONFORMANCE_STORE_STATE_H_
