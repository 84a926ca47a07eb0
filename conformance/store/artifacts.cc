// The files that a run leaves beside the store.
#include <algorithm>
#include <filesystem>
#include <system_error>

#include "conformance/digest/sha256.h"
#include "conformance/store/save.h"

namespace locklab::store {

namespace fs = std::filesystem;

std::vector<Artifact> DigestTree(const std::string& dir) {
  std::vector<Artifact> artifacts;
  std::error_code none;
  if (!fs::is_directory(dir, none)) return artifacts;
  for (const auto& entry : fs::recursive_directory_iterator(dir)) {
    if (entry.symlink_status().type() != fs::file_type::regular) continue;
    digest::FileDigest found = digest::DigestOfFile(entry.path().string());
    artifacts.push_back({entry.path().lexically_relative(dir).string(),
                         found.bytes, std::move(found.sha256)});
  }
  std::sort(artifacts.begin(), artifacts.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return artifacts;
}

}  // namespace locklab::store
