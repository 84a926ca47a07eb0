// Every claim on every backend of the library.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>
#include <tuple>

#include "conformance/claims/claim.h"
#include "conformance/claims/features.h"
#include "conformance/proc/temp_dir.h"
#include "lib/backends.h"

namespace locklab {
namespace {

using namespace std::chrono_literals;

// What many processes do is tested where they live: in //stress/run.
class NoArena : public Arena {
 public:
  ContestResult Contend(const SubjectFactory&, const std::string&,
                        const Contest&) override {
    const Finding none = Finding::Unsupported("no arena in this test");
    return {.exclusion = none,
            .coherence = none,
            .progress = none,
            .fairness = none};
  }
};

using Param = std::tuple<const Claim*, const lockfile::BackendRow*>;

std::string NameOf(const testing::TestParamInfo<Param>& info) {
  std::string name = std::string(std::get<0>(info.param)->id) + "_" +
                     std::string(std::get<1>(info.param)->name);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(c) == 0; },
      '_');
  return name;
}

// What is known of the library's backends and stands in their documentation.
struct Limit {
  std::string_view claim;
  std::string_view backend;
  std::string_view why;
};
constexpr Limit kLimits[] = {
    {"permission.second_user_waits", "sqlite",
     "SQLite locks what it may write, which umask 022 keeps to one user"},
    {"permission.second_user_waits", "fcntl", "a write lock needs a writer"},
    {"permission.second_user_waits", "ofd", "a write lock needs a writer"},
    {"power.lock_is_had_again", "link", "its name is on the disk before it is"},
    {"power.lock_is_had_again", "mkdir",
     "its name is on the disk before it is"},
    {"power.lock_is_had_again", "pid", "its name is on the disk before it is"},
    {"power.lock_is_had_again", "excl", "its ticket may be gone before it is"},
};

bool IsKnownLimit(const Claim& claim, const lockfile::BackendRow& backend) {
  return claim.level != Level::kMust &&
         std::any_of(
             std::begin(kLimits), std::end(kLimits), [&](const Limit& limit) {
               return limit.claim == claim.id && limit.backend == backend.name;
             });
}

Finding Examine(const Claim& claim, const SubjectFactory& subject) {
  const proc::TempDir dir;
  chmod(dir.path().c_str(), 0755);  // Other users take part.
  NoArena arena;
  return RunClaim(claim,
                  {.subject = subject,
                   .arena = arena,
                   .dir = dir.path(),
                   .seed = 1,
                   .quick = true,
                   .other_dir = dir.path() + "/."},
                  60s);
}

class EveryClaim : public testing::TestWithParam<Param> {};

TEST_P(EveryClaim, HoldsForTheLibrary) {
  const auto& [claim, backend] = GetParam();
  const auto subject = BackendSubject(backend->name);
  const Finding finding = Examine(*claim, *subject);
  if (IsKnownLimit(*claim, *backend)) {
    EXPECT_NE(finding.verdict, Verdict::kInconclusive) << finding.reason;
    return;
  }
  const bool good = finding.verdict == Verdict::kPass ||
                    finding.verdict == Verdict::kUnsupported;
  EXPECT_TRUE(good) << VerdictName(finding.verdict) << ": " << finding.reason;
  if (finding.verdict == Verdict::kUnsupported) {
    GTEST_SKIP() << finding.reason;
  }
}

// Says that it goes through the seam, and makes its calls past it.
class PastTheSeam : public SubjectFactory {
 public:
  [[nodiscard]] std::string_view name() const override { return "past"; }
  [[nodiscard]] std::unique_ptr<Subject> Make(
      const std::string& path) const override {
    return link_->Make(path);
  }
  [[nodiscard]] std::unique_ptr<Subject> MakeOn(
      lockfile::os::Os&, const std::string& path) const override {
    return link_->Make(path);
  }
  [[nodiscard]] lockfile::Traits traits() const override {
    return link_->traits();
  }

 private:
  std::unique_ptr<SubjectFactory> link_ = BackendSubject("link");
};

TEST(EachCallOfALock, IsExaminedOrNothingIsSaid) {
  for (const char* id :
       {"release.never_removes_successor",
        "break.never_detaches_live_successor", "break.breaker_dies"}) {
    const Finding finding = Examine(*FindClaim(id), PastTheSeam());
    EXPECT_EQ(finding.verdict, Verdict::kInconclusive) << id;
    EXPECT_EQ(finding.reason, "nothing was examined: no call of it was seen")
        << id;
  }
}

std::vector<const Claim*> ClaimsWhere(bool primitive) {
  std::vector<const Claim*> all;
  for (const Claim& claim : Claims()) {
    if (claim.primitive == primitive) all.push_back(&claim);
  }
  return all;
}

std::vector<const lockfile::BackendRow*> AllBackends() {
  std::vector<const lockfile::BackendRow*> all;
  for (const auto& row : lockfile::Backends()) all.push_back(&row);
  return all;
}

INSTANTIATE_TEST_SUITE_P(
    Catalogue, EveryClaim,
    testing::Combine(testing::ValuesIn(ClaimsWhere(/*primitive=*/false)),
                     testing::ValuesIn(AllBackends())),
    NameOf);

std::vector<Param> Primitives() {
  std::vector<Param> params;
  const lockfile::BackendRow* any = &lockfile::Backends().front();
  for (const Claim* claim : ClaimsWhere(/*primitive=*/true)) {
    params.emplace_back(claim, any);
  }
  return params;
}

// They ask the directory: once is enough.
INSTANTIATE_TEST_SUITE_P(Primitives, EveryClaim,
                         testing::ValuesIn(Primitives()), NameOf);

TEST(CatalogueTest, EveryRowIsWhole) {
  std::set<std::string_view> ids;
  for (const Claim& claim : Claims()) {
    EXPECT_TRUE(ids.insert(claim.id).second) << "twice: " << claim.id;
    EXPECT_NE(claim.id.find('.'), std::string_view::npos) << claim.id;
    for (const char c : claim.id) {
      EXPECT_TRUE(std::islower(c) != 0 || std::isdigit(c) != 0 || c == '.' ||
                  c == '_')
          << claim.id;
    }
    EXPECT_FALSE(claim.statement.empty()) << claim.id;
    EXPECT_FALSE(claim.source.empty()) << claim.id;
    EXPECT_NE(claim.body, nullptr) << claim.id;
    EXPECT_EQ(claim.primitive, claim.id.starts_with("fs.")) << claim.id;
    // What a backend stands on is no matter of taste.
    EXPECT_TRUE(claim.carries.empty() || claim.level == Level::kMust)
        << claim.id;
    for (const std::string_view backend : NamesIn(claim.carries)) {
      EXPECT_NE(lockfile::FindBackend(backend), nullptr) << claim.id;
    }
    EXPECT_EQ(FindClaim(claim.id), &claim);
  }
  EXPECT_GT(ids.size(), 40u);
  EXPECT_EQ(FindClaim("no.such_claim"), nullptr);
}

TEST(CatalogueTest, NoClaimExcusesEveryBackend) {
  for (const Claim& claim : Claims()) {
    const auto backends = AllBackends();
    EXPECT_TRUE(std::any_of(backends.begin(), backends.end(),
                            [&claim](const lockfile::BackendRow* row) {
                              return claim.excuse == nullptr ||
                                     claim.excuse(row->traits).empty();
                            }))
        << claim.id;
  }
}

}  // namespace
}  // namespace locklab
