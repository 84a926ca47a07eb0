#include "conformance/image/snapshot.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "conformance/proc/filesystem.h"

namespace locklab::image {
namespace {

using namespace std::chrono_literals;

// Of a block device: what was written, and whether anything is under way.
struct Writes {
  uint64_t done = 0;
  uint64_t sectors = 0;
  uint64_t under_way = 0;

  bool operator==(const Writes&) const = default;
};

Writes WritesTo(const std::string& device) {
  const std::string name = device.substr(device.rfind('/') + 1);
  std::ifstream file(fmt::format("/sys/block/{}/stat", name));
  // Documentation/block/stat.rst: reads, read merges, sectors, ticks; the same
  // of writes; in flight.
  std::array<uint64_t, 9> fields{};
  for (uint64_t& field : fields) file >> field;
  if (!file) {
    throw ImageError(fmt::format("cannot read /sys/block/{}/stat", name));
  }
  return {.done = fields[4], .sectors = fields[6], .under_way = fields[8]};
}

[[noreturn]] void Fail(const std::string& what) {
  throw ImageError(fmt::format("{}: {}", what, std::strerror(errno)));
}

void CopyRange(int from, int to, off_t start, off_t end) {
  std::array<char, 65536> buffer;
  while (start < end) {
    const auto wanted =
        std::min(static_cast<size_t>(end - start), buffer.size());
    const ssize_t got = pread(from, buffer.data(), wanted, start);
    if (got <= 0) Fail("cannot read the image");
    if (pwrite(to, buffer.data(), static_cast<size_t>(got), start) != got) {
      Fail("cannot write the copy of the image");
    }
    start += got;
  }
}

// Holes stay holes.
void CopySparse(int from, int to) {
  const off_t size = lseek(from, 0, SEEK_END);
  if (size < 0 || ftruncate(to, 0) != 0 || ftruncate(to, size) != 0) {
    Fail("cannot make the copy of the image");
  }
  for (off_t at = 0; at < size;) {
    const off_t data = lseek(from, at, SEEK_DATA);
    if (data < 0) return;  // ENXIO: no more of it
    const off_t hole = lseek(from, data, SEEK_HOLE);
    if (hole < 0) Fail("cannot look for holes in the image");
    CopyRange(from, to, data, hole);
    at = hole;
  }
}

bool HasJournal(const std::string& device) {
  const std::string name = device.substr(device.rfind('/') + 1);
  return std::filesystem::exists(fmt::format("/proc/fs/jbd2/{}-8", name));
}

}  // namespace

const Kind* KindLike(const std::string& dir) {
  const proc::Filesystem fs = proc::FilesystemOf(dir);
  const bool plain = fs.type == "ext4" && !HasJournal(fs.source) &&
                     fs.source.starts_with("/dev/loop");
  if (plain) return FindKind("ext4-nojournal");
  for (const Kind& kind : Kinds()) {
    if (kind.type == fs.type) return &kind;
  }
  return nullptr;
}

bool Snapshot(const std::string& from, const std::string& target,
              const std::string& to, proc::TimePoint deadline) {
  const std::string device = proc::FilesystemOf(target).source;
  const Fd source(open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (source.get() < 0) Fail("cannot open " + from);
  const Fd copy(open(to.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (copy.get() < 0) Fail("cannot make " + to);
  return proc::Eventually(
      [&] {
        const Writes before = WritesTo(device);
        if (before.under_way != 0) return false;
        CopySparse(source.get(), copy.get());
        return WritesTo(device) == before;
      },
      deadline, 2ms);
}

void MountSnapshot(const Kind& kind, const std::string& path,
                   const std::string& target) {
  if (!kind.repair.empty()) {
    std::vector<std::string> command = Words(kind.repair);
    command.push_back(path);
    RunTool(command, 1);  // it found something to repair
  }
  Mount(kind, path, target);
}

}  // namespace locklab::image
