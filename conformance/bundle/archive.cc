#include "conformance/bundle/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <set>

#include "lib/errors.h"

namespace locklab::bundle {
namespace {

constexpr size_t kBlock = 1 << 16;
constexpr int64_t kRatioCountsFrom = int64_t{16} << 20;

struct FreeArchive {
  void operator()(archive* a) const { archive_free(a); }
};
struct FreeEntry {
  void operator()(archive_entry* e) const { archive_entry_free(e); }
};
using Archive = std::unique_ptr<archive, FreeArchive>;
using Entry = std::unique_ptr<archive_entry, FreeEntry>;

[[noreturn]] void Fail(const std::string& path, std::string_view why) {
  throw BundleError(fmt::format("{}: {}", path, why));
}

[[noreturn]] void FailSystem(std::string_view what, const std::string& path,
                             int error) {
  throw BundleError(lockfile::Status::Failed(what, path, error).message);
}

// A descriptor that is closed.
class File {
 public:
  File(const std::string& path, int flags)
      : fd_(open(path.c_str(), flags | O_CLOEXEC, 0666)) {
    if (fd_ < 0) {
      FailSystem(flags & O_CREAT ? "create" : "open", path, errno);
    }
  }
  ~File() { close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

// --- writing -----------------------------------------------------------------

// A file that gets its name when it is whole.
class Aside {
 public:
  explicit Aside(const std::string& path)
      : path_(path), aside_(fmt::format("{}.tmp-{}", path, getpid())) {}
  ~Aside() { unlink(aside_.c_str()); }
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;
  [[nodiscard]] const std::string& path() const { return aside_; }
  void Commit(const File& file) {
    if (fsync(file.fd()) != 0) FailSystem("write", path_, errno);
    if (rename(aside_.c_str(), path_.c_str()) != 0) {
      FailSystem("rename to", path_, errno);
    }
  }

 private:
  std::string path_;
  std::string aside_;
};

class Writer {
 public:
  Writer(const std::string& path, int fd)
      : path_(path), archive_(archive_write_new()) {
    Check(archive_write_set_format_ustar(archive_.get()));
    Check(archive_write_add_filter_gzip(archive_.get()));
    // Otherwise the time of its making is in it.
    Check(archive_write_set_filter_option(archive_.get(), "gzip", "timestamp",
                                          nullptr));
    Check(archive_write_open_fd(archive_.get(), fd));
  }
  void Add(const Member& member) {
    if (member.path.empty()) {
      Begin(member.name, static_cast<int64_t>(member.text.size()));
      Put(member.text.data(), member.text.size());
      return;
    }
    const File file(member.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct stat status {};
    if (fstat(file.fd(), &status) != 0 || !S_ISREG(status.st_mode)) {
      Fail(member.path, "is no regular file");
    }
    Begin(member.name, status.st_size);
    std::vector<char> block(kBlock);
    for (int64_t left = status.st_size; left > 0;) {
      const ssize_t got = read(file.fd(), block.data(), block.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) FailSystem("read", member.path, errno);
      if (got == 0 || got > left)
        Fail(member.path, "changed while it was read");
      Put(block.data(), static_cast<size_t>(got));
      left -= got;
    }
  }
  void Close() { Check(archive_write_close(archive_.get())); }

 private:
  void Begin(const std::string& name, int64_t bytes) {
    const Entry entry(archive_entry_new());
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_size(entry.get(), bytes);
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_mtime(entry.get(), 0, 0);
    Check(archive_write_header(archive_.get(), entry.get()));
  }
  void Put(const char* data, size_t size) {
    if (archive_write_data(archive_.get(), data, size) < 0) {
      Check(ARCHIVE_FATAL);
    }
  }
  void Check(int code) {
    if (code == ARCHIVE_OK) return;
    const int error = archive_errno(archive_.get());
    if (error > 0) FailSystem("write", path_, error);
    const char* why = archive_error_string(archive_.get());
    Fail(path_, why != nullptr ? why : "cannot be written");
  }

  const std::string& path_;
  Archive archive_;
};

// --- reading -----------------------------------------------------------------

class Reader {
 public:
  Reader(const std::string& path, const Limits& limits)
      : path_(path),
        limits_(limits),
        file_(path, O_RDONLY | O_NONBLOCK),
        archive_(archive_read_new()) {
    struct stat status {};
    if (fstat(file_.fd(), &status) != 0 || !S_ISREG(status.st_mode)) {
      Fail(path, "is no bundle: it is no regular file");
    }
    archive_read_support_filter_gzip(archive_.get());
    archive_read_support_format_tar(archive_.get());
    if (archive_read_open_fd(archive_.get(), file_.fd(), kBlock) !=
        ARCHIVE_OK) {
      FailFormat("is no bundle");
    }
  }

  // The name of the next member; empty: there is none.
  std::string Next() {
    archive_entry* entry = nullptr;
    const int code = archive_read_next_header(archive_.get(), &entry);
    if (code == ARCHIVE_EOF) return "";
    if (code != ARCHIVE_OK) {
      FailFormat(names_.empty() ? "is no bundle" : "is damaged");
    }
    const char* name = archive_entry_pathname(entry);
    if (name == nullptr || !IsMemberName(name)) {
      Fail(path_, fmt::format("has a member of the name {:?}, which no bundle "
                              "has: it is not to be trusted",
                              name == nullptr ? "" : name));
    }
    const bool plain = archive_entry_filetype(entry) == AE_IFREG &&
                       archive_entry_hardlink(entry) == nullptr &&
                       archive_entry_symlink(entry) == nullptr;
    if (!plain) FailMember(name, "is no regular file");
    if (!names_.insert(name).second) FailMember(name, "is there twice");
    if (names_.size() > limits_.members) FailMember(name, "is one too many");
    const int64_t bytes = archive_entry_size(entry);
    if (bytes < 0 || bytes > limits_.bytes - unpacked_) {
      FailMember(name, "is too large");
    }
    return name;
  }

  // The content of the member that Next named.
  void Unpack(const std::string& name, const std::string& to) {
    const File file(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
    std::vector<char> block(kBlock);
    for (;;) {
      const la_ssize_t got =
          archive_read_data(archive_.get(), block.data(), block.size());
      if (got < 0) FailFormat("is damaged");
      if (got == 0) return;
      unpacked_ += got;
      CheckSize(name);
      WriteAll(file.fd(), to, {block.data(), static_cast<size_t>(got)});
    }
  }

 private:
  static void WriteAll(int fd, const std::string& path,
                       std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t put = write(fd, bytes.data(), bytes.size());
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) FailSystem("write", path, errno);
      bytes.remove_prefix(static_cast<size_t>(put));
    }
  }
  void CheckSize(const std::string& name) {
    if (unpacked_ > limits_.bytes) FailMember(name, "is too large");
    const int64_t packed = archive_filter_bytes(archive_.get(), -1);
    if (unpacked_ > kRatioCountsFrom &&
        (unpacked_ - kRatioCountsFrom) / limits_.ratio > packed) {
      FailMember(name, "unpacks to far more than a bundle holds");
    }
  }
  [[noreturn]] void FailMember(std::string_view name, std::string_view what) {
    Fail(path_,
         fmt::format("its member {} {}: it is not to be trusted", name, what));
  }
  [[noreturn]] void FailFormat(std::string_view what) {
    const char* why = archive_error_string(archive_.get());
    Fail(path_, fmt::format("{}: {}", what,
                            why != nullptr ? why : "it cannot be read"));
  }

  const std::string& path_;
  const Limits& limits_;
  const File file_;
  Archive archive_;
  std::set<std::string, std::less<>> names_;
  int64_t unpacked_ = 0;
};

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '.' || c == ':' || c == '_' || c == '-';
}

}  // namespace

bool IsMemberName(std::string_view name) {
  constexpr size_t kLongest = 100;  // what any tar has room for
  if (name.size() > kLongest) return false;
  for (int parts = 1; parts <= 3; ++parts) {
    const size_t end = std::min(name.find('/'), name.size());
    const std::string_view part = name.substr(0, end);
    if (part.empty() || part[0] == '.' || part[0] == '-' ||
        !std::all_of(part.begin(), part.end(), IsNameCharacter)) {
      return false;
    }
    if (end == name.size()) return true;
    name.remove_prefix(end + 1);
  }
  return false;
}

void WriteArchive(const std::string& path, const std::vector<Member>& members) {
  Aside aside(path);
  const File file(aside.path(), O_WRONLY | O_CREAT | O_TRUNC);
  Writer writer(path, file.fd());
  for (const Member& member : members) {
    if (!IsMemberName(member.name)) {
      Fail(path, fmt::format("cannot have a member of the name {:?}: only "
                             "letters, digits, dots, colons and dashes",
                             member.name));
    }
    writer.Add(member);
  }
  writer.Close();
  aside.Commit(file);
}

std::vector<std::string> ReadArchive(const std::string& path,
                                     const std::string& dir,
                                     const Limits& limits) {
  namespace fs = std::filesystem;
  Reader reader(path, limits);
  std::vector<std::string> names;
  for (;;) {
    const std::string name = reader.Next();
    if (name.empty()) break;
    const fs::path to = fs::path(dir) / name;
    std::error_code error;
    fs::create_directories(to.parent_path(), error);
    if (error) FailSystem("create", to.parent_path().string(), error.value());
    reader.Unpack(name, to.string());
    names.push_back(name);
  }
  if (names.empty()) Fail(path, "is no bundle: it is empty");
  return names;
}

}  // namespace locklab::bundle
