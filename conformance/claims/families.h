// The families of claims: one file each, its rows in a table at the file's
// end. To add a family: a file, a line here and a line in claim.cc.
#ifndef LOCKLAB_CONFORMANCE_CLAIMS_FAMILIES_H_
#define LOCKLAB_CONFORMANCE_CLAIMS_FAMILIES_H_

#include <span>

#include "conformance/claims/claim.h"

namespace locklab::claims {

std::span<const Claim> ExclusionClaims();
std::span<const Claim> AcquireClaims();
std::span<const Claim> TimingClaims();
std::span<const Claim> ReleaseClaims();
std::span<const Claim> OwnerClaims();
std::span<const Claim> CrashClaims();
std::span<const Claim> PowerClaims();
std::span<const Claim> StaleClaims();
std::span<const Claim> StrangerClaims();
std::span<const Claim> VandalClaims();
std::span<const Claim> BreakClaims();
std::span<const Claim> ProcessClaims();
std::span<const Claim> NameClaims();
std::span<const Claim> PeerClaims();
std::span<const Claim> NetClaims();
std::span<const Claim> LoadClaims();
std::span<const Claim> ExhaustionClaims();
// Of the filesystem itself: primitives.
std::span<const Claim> FsAtomicClaims();
std::span<const Claim> FsRenameClaims();
std::span<const Claim> FsNameClaims();
std::span<const Claim> FsTimeClaims();
std::span<const Claim> FsLockClaims();
std::span<const Claim> FsSqliteClaims();

}  // namespace locklab::claims

#endif  // LOCKLAB_CONFORMANCE_CLAIMS_FAMILIES_H_
