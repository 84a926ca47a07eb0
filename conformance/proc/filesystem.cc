#include "conformance/proc/filesystem.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <vector>

namespace locklab::proc {
namespace {

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const size_t end = std::min(line.find(' '), line.size());
    if (end > 0) words.push_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return words;
}

bool IsOctal(char c) { return c >= '0' && c <= '7'; }

// The kernel writes blanks, tabs, newlines and backslashes as \OOO.
std::string Unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && text.size() - i > 3 && IsOctal(text[i + 1]) &&
        IsOctal(text[i + 2]) && IsOctal(text[i + 3])) {
      out.push_back(static_cast<char>((text[i + 1] - '0') * 64 +
                                      (text[i + 2] - '0') * 8 +
                                      (text[i + 3] - '0')));
      i += 3;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

bool IsAbove(std::string_view mount_point, std::string_view path) {
  if (mount_point == "/") return path.starts_with('/');
  return path.starts_with(mount_point) &&
         (path.size() == mount_point.size() || path[mount_point.size()] == '/');
}

// "id parent major:minor root POINT OPTIONS [tags] - TYPE SOURCE SUPER"
bool ParseLine(std::string_view line, Filesystem* mount) {
  const std::vector<std::string_view> words = Words(line);
  size_t dash = 6;
  while (dash < words.size() && words[dash] != "-") ++dash;
  if (dash + 2 >= words.size()) return false;
  mount->mount_point = Unescape(words[4]);
  mount->options = Unescape(words[5]);
  mount->type = Unescape(words[dash + 1]);
  mount->source = Unescape(words[dash + 2]);
  if (dash + 3 < words.size())
    mount->options += "," + Unescape(words[dash + 3]);
  return true;
}

}  // namespace

bool MayBeShared(std::string_view type) {
  static constexpr auto kOfOneMachine = std::to_array<std::string_view>(
      {"bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "fuseblk",
       "jfs", "ntfs3", "overlay", "ramfs", "reiserfs", "rootfs", "tmpfs",
       "vfat", "xfs", "zfs"});
  return std::find(kOfOneMachine.begin(), kOfOneMachine.end(), type) ==
         kOfOneMachine.end();
}

Filesystem FindMount(std::string_view mountinfo, std::string_view path) {
  Filesystem best;
  while (!mountinfo.empty()) {
    const size_t end = std::min(mountinfo.find('\n'), mountinfo.size());
    Filesystem mount;
    // Of two at one place the later one hides the earlier.
    if (ParseLine(mountinfo.substr(0, end), &mount) &&
        IsAbove(mount.mount_point, path) &&
        mount.mount_point.size() >= best.mount_point.size()) {
      best = mount;
    }
    mountinfo.remove_prefix(std::min(end + 1, mountinfo.size()));
  }
  return best;
}

Filesystem FilesystemOf(const std::string& path) {
  std::error_code error;
  const auto canonical = std::filesystem::canonical(path, error);
  if (error) return {};
  std::ostringstream text;
  text << std::ifstream("/proc/self/mountinfo").rdbuf();
  return FindMount(text.str(), canonical.string());
}

}  // namespace locklab::proc
