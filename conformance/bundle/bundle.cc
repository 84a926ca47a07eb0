#include "conformance/bundle/bundle.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <utility>

#include "conformance/bundle/manifest.h"
#include "conformance/digest/sha256.h"
#include "conformance/report/json.h"

namespace locklab::bundle {
namespace {

namespace fs = std::filesystem;

// The regular files below `run_dir`/`folder`, by name.
std::vector<Member> MembersIn(const std::string& run_dir,
                              std::string_view folder) {
  std::vector<Member> members;
  const fs::path root = fs::path(run_dir) / folder;
  std::error_code error;
  if (!fs::exists(root, error)) return members;
  for (fs::recursive_directory_iterator it(root, error), end;
       !error && it != end; it.increment(error)) {
    if (!it->is_regular_file(error) || it->is_symlink(error)) continue;
    members.push_back(
        {.name = it->path().lexically_relative(run_dir).generic_string(),
         .path = it->path().string()});
  }
  if (error) throw BundleError(root.string() + ": " + error.message());
  std::sort(members.begin(), members.end(),
            [](const Member& a, const Member& b) { return a.name < b.name; });
  return members;
}

Item ItemOf(const Member& member) {
  if (!member.path.empty()) {
    return {.name = member.name, .digest = digest::DigestOfFile(member.path)};
  }
  return {.name = member.name,
          .digest = {.bytes = static_cast<int64_t>(member.text.size()),
                     .sha256 = digest::Sha256Of(member.text)}};
}

}  // namespace

void WriteBundle(const report::RunReport& report, const std::string& run_dir,
                 const std::string& path) {
  std::vector<Member> members = {
      {.name = std::string(kManifestName), .path = ""}};
  for (const std::string_view folder : {kExpectationsFolder, kHistoryFolder}) {
    if (run_dir.empty()) break;
    for (Member& member : MembersIn(run_dir, folder)) {
      members.push_back(std::move(member));
    }
  }
  members.push_back({.name = std::string(kReportName),
                     .path = "",
                     .text = report::ToJson(report)});
  Manifest manifest{.about = AboutOf(report), .items = {}};
  try {
    for (size_t i = 1; i < members.size(); ++i) {
      manifest.items.push_back(ItemOf(members[i]));
    }
  } catch (const BundleError&) {
    throw;
  } catch (const std::runtime_error& error) {
    throw BundleError(error.what());
  }
  members[0].text = ToJson(manifest);
  WriteArchive(path, members);
}

}  // namespace locklab::bundle
