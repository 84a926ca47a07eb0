#include "conformance/canary/canary.h"

#include <algorithm>

#include "conformance/canary/families.h"

namespace locklab::canary {
namespace {

class RowFactory : public SubjectFactory {
 public:
  RowFactory(const Canary& row, uint64_t seed) : row_(row), seed_(seed) {}

  [[nodiscard]] std::string_view name() const override { return row_.name; }
  [[nodiscard]] std::unique_ptr<Subject> Make(
      const std::string& path) const override {
    return MakeOn(lockfile::os::Os::Real(), path);
  }
  [[nodiscard]] std::unique_ptr<Subject> MakeOn(
      lockfile::os::Os& os, const std::string& path) const override {
    return row_.lock({.path = path, .seed = seed_, .os = os});
  }
  [[nodiscard]] std::unique_ptr<Subject> MakeLeasedOn(
      lockfile::os::Os& os, const std::string& path,
      std::chrono::milliseconds lease) const override {
    if (!row_.leases) return nullptr;
    return row_.lock({.path = path, .seed = seed_, .os = os, .lease = lease});
  }
  [[nodiscard]] lockfile::Traits traits() const override { return row_.traits; }

 private:
  const Canary& row_;
  const uint64_t seed_;
};

}  // namespace

std::unique_ptr<SubjectFactory> Canary::make(uint64_t seed) const {
  return std::make_unique<RowFactory>(*this, seed);
}

std::vector<std::string_view> Canary::claims() const {
  std::vector<std::string_view> ids = {claim};
  for (std::string_view rest = also; !rest.empty();) {
    const size_t end = std::min(rest.find(' '), rest.size());
    ids.push_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return ids;
}

std::span<const Canary> Canaries() {
  static const std::vector<Canary> all = [] {
    std::vector<Canary> rows;
    for (const auto family :
         {ExclusionCanaries, WaitingCanaries, OwnershipCanaries,
          StalenessCanaries, SurroundingsCanaries, ScarcityCanaries}) {
      const auto more = family();
      rows.insert(rows.end(), more.begin(), more.end());
    }
    return rows;
  }();
  return all;
}

const Canary* FindCanary(std::string_view name) {
  for (const Canary& canary : Canaries()) {
    if (canary.name == name) return &canary;
  }
  return nullptr;
}

const Canary& StandardCanary() { return Canaries().front(); }

}  // namespace locklab::canary
