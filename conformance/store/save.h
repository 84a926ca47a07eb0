// From a report to rows. What writes throws StoreError and leaves the
// transaction to the caller.
#ifndef LOCKLAB_CONFORMANCE_STORE_SAVE_H_
#define LOCKLAB_CONFORMANCE_STORE_SAVE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conformance/report/report.h"
#include "conformance/store/database.h"
#include "conformance/store/store.h"

namespace locklab::store {

// A run that begins; returns runs.run.
int64_t InsertRun(Database* database, const report::Context& context,
                  const std::string& writer);

// The same of locklab bench, and its end.
int64_t InsertBenchRun(Database* database, const report::Context& context,
                       const std::string& writer);
void FinishBenchRun(Database* database, int64_t run, double duration_s,
                    const std::string& cut_short, Exit code);

void InsertBackend(Database* database, int64_t run,
                   const report::BackendReport& backend);
// An empty `backend`: a claim of the directory itself. Returns claims.claim.
int64_t InsertClaim(Database* database, int64_t run, std::string_view backend,
                    const report::ClaimResult& claim);
void InsertPrimitive(Database* database, int64_t run,
                     const report::Primitive& primitive);
// In place of those that are there.
void PutNumbers(Database* database, int64_t run,
                const report::BackendReport& backend);
void PutCanary(Database* database, int64_t run, const report::Canary& canary);

// All of a finished run, in place of what was there of it.
void PutFinished(Database* database, int64_t run, const std::string& writer,
                 const report::RunReport& report,
                 const std::vector<Artifact>& artifacts);

// The regular files below `dir`, by path; none if there is no `dir`. Symbolic
// links are not followed. Throws std::exception if one cannot be read.
[[nodiscard]] std::vector<Artifact> DigestTree(const std::string& dir);

// --- distributions.buckets: see schema.sql -----------------------------------

using Buckets = std::vector<std::pair<int64_t, int64_t>>;
[[nodiscard]] std::string PackBuckets(const Buckets& buckets);
// nullopt: these bytes are no buckets.
[[nodiscard]] std::optional<Buckets> UnpackBuckets(std::string_view bytes);

}  // namespace locklab::store

#endif  // LOCKLAB_CONFORMANCE_STORE_SAVE_H_
