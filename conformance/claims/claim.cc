#include "conformance/claims/claim.h"

#include <vector>

#include "conformance/claims/families.h"

namespace locklab {

std::span<const Claim> Claims() {
  static const std::vector<Claim> all = [] {
    std::vector<Claim> rows;
    for (const auto family : {claims::ExclusionClaims, claims::PeerClaims,
                              claims::NetClaims,       claims::AcquireClaims,
                              claims::TimingClaims,    claims::ReleaseClaims,
                              claims::OwnerClaims,     claims::CrashClaims,
                              claims::PowerClaims,     claims::StaleClaims,
                              claims::StrangerClaims,  claims::VandalClaims,
                              claims::BreakClaims,     claims::ProcessClaims,
                              claims::NameClaims,      claims::FsAtomicClaims,
                              claims::FsRenameClaims,  claims::FsNameClaims,
                              claims::FsTimeClaims,    claims::FsLockClaims,
                              claims::FsSqliteClaims,  claims::LoadClaims,
                              claims::ExhaustionClaims}) {
      const auto more = family();
      rows.insert(rows.end(), more.begin(), more.end());
    }
    return rows;
  }();
  return all;
}

const Claim* FindClaim(std::string_view id) {
  for (const Claim& claim : Claims()) {
    if (claim.id == id) return &claim;
  }
  return nullptr;
}

std::string_view ExcuseOf(const Claim& claim, const SubjectFactory& subject) {
  if (claim.local && subject.remote()) {
    return "an adapter holds this lock: what its user's forks, threads, "
           "signals and descriptors do to it is not seen";
  }
  return claim.excuse == nullptr ? "" : claim.excuse(subject.traits());
}

}  // namespace locklab
