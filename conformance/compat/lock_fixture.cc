#include "conformance/compat/lock_fixture.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <utility>

namespace locklab::compat {

namespace {

std::vector<std::string> BackendsWhere(
    bool (*wanted)(const lockfile::Traits& traits)) {
  std::vector<std::string> names;
  for (const lockfile::BackendRow& row : lockfile::Backends()) {
    if (wanted(row.traits)) names.emplace_back(row.name);
  }
  return names;
}

}  // namespace

std::vector<std::string> AllBackends() {
  return BackendsWhere([](const lockfile::Traits&) { return true; });
}

std::vector<std::string> BreakableBackends() {
  return BackendsWhere([](const lockfile::Traits& t) { return t.breakable; });
}

std::vector<std::string> SoftBackends() {
  return BackendsWhere(
      [](const lockfile::Traits& t) { return !t.released_on_crash; });
}

std::string FastParent() {
  constexpr char kMemory[] = "/dev/shm";
  return access(kMemory, W_OK | X_OK) == 0 ? kMemory : "";
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void WriteFile(const std::string& path, std::string_view text) {
  std::ofstream out(path, std::ios::binary);
  out << text << std::flush;
  ASSERT_TRUE(out.good()) << "cannot write " << path;
}

std::string NameOfBackend(const testing::TestParamInfo<std::string>& info) {
  return info.param;
}

std::string NameOfMode(
    const testing::TestParamInfo<std::tuple<std::string, bool>>& info) {
  const auto& [backend, threaded] = info.param;
  return backend + (threaded ? "_threaded" : "_process");
}

HolderThread::HolderThread(const std::string& path, lockfile::Options options) {
  thread_ = std::thread([this, path, options = std::move(options)] {
    lockfile::LockFile lock(path, options);
    std::error_code error;
    lock.acquire(kPatience, error);
    EXPECT_FALSE(error) << "holder: " << lock.last_error_message();
    inside_.count_down();
    leave_.wait();
    if (!error) lock.unlock();
  });
  inside_.wait();
}

void HolderThread::Leave() {
  if (!thread_.joinable()) return;
  leave_.count_down();
  thread_.join();
}

}  // namespace locklab::compat
