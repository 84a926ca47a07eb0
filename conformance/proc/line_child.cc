#include "conformance/proc/line_child.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

namespace locklab::proc {
namespace {

struct Ends {
  int ours = -1;
  int theirs = -1;
};

// Two of one kind, closed unless they are taken.
class Channel {
 public:
  explicit Channel(int made, const std::array<int, 2>& fds, int ours)
      : ends_{fds[static_cast<size_t>(ours)],
              fds[static_cast<size_t>(1 - ours)]} {
    if (made != 0) {
      throw std::system_error(errno, std::generic_category(),
                              "no channel to another program");
    }
  }
  ~Channel() {
    if (ends_.ours >= 0) close(ends_.ours);
    close(ends_.theirs);
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  [[nodiscard]] int theirs() const { return ends_.theirs; }
  int Take() { return std::exchange(ends_.ours, -1); }

  // A socket, because writing to one whose other end died need not signal.
  static Channel ToThem() {
    std::array<int, 2> fds{-1, -1};
    const int made =
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data());
    return Channel(made, fds, 1);
  }
  static Channel FromThem() {
    std::array<int, 2> fds{-1, -1};
    const int made = pipe2(fds.data(), O_CLOEXEC);
    return Channel(made, fds, 0);
  }

 private:
  Ends ends_;
};

// In the child: becomes the program.
int Become(const std::vector<char*>& argv) {
  execv(argv[0], argv.data());
  std::fprintf(stderr, "cannot run %s: %s\n", argv[0], std::strerror(errno));
  return kExitNoProgram;
}

}  // namespace

LineChild::LineChild(const std::vector<std::string>& argv,
                     SpawnOptions options) {
  Channel to = Channel::ToThem();
  Channel from = Channel::FromThem();
  Channel complaints = Channel::FromThem();
  // Nobody reads it before the end: whoever complains without end must not
  // wait for that.
  fcntl(complaints.theirs(), F_SETFL, O_NONBLOCK);
  std::vector<std::string> words = argv;
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  child_ = Child::Spawn(
      [&] {
        dup2(to.theirs(), STDIN_FILENO);
        dup2(from.theirs(), STDOUT_FILENO);
        dup2(complaints.theirs(), STDERR_FILENO);
        return Become(pointers);
      },
      options);
  to_ = to.Take();
  from_ = from.Take();
  complaints_ = complaints.Take();
  fcntl(complaints_, F_SETFL, O_NONBLOCK);
}

LineChild::~LineChild() {
  for (const int fd : {to_, from_, complaints_}) close(fd);
}

void LineChild::Send(std::string_view line) {
  const std::string text = std::string(line) + "\n";
  // Should it fail, the answer is missed, which the caller has to see anyway.
  [[maybe_unused]] const ssize_t sent =
      send(to_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void LineChild::EndInput() { shutdown(to_, SHUT_WR); }

LineChild::Answer LineChild::Receive(TimePoint deadline) {
  for (;;) {
    const size_t end = read_.find('\n');
    if (end != std::string::npos && end <= kLongestLine) {
      std::string line = read_.substr(0, end);
      read_.erase(0, end + 1);
      return {Heard::kLine, std::move(line)};
    }
    if (read_.size() > kLongestLine) return {Heard::kTooLong, read_};
    if (PollUntil(from_, POLLIN, deadline) == 0) return {Heard::kNothing};
    if (!ReadSome()) return {Heard::kEnd, read_};
  }
}

bool LineChild::ReadSome() {
  std::array<char, kLongestLine> buffer;
  ssize_t got;
  do {
    got = read(from_, buffer.data(), buffer.size());
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return false;
  read_.append(buffer.data(), static_cast<size_t>(got));
  return true;
}

std::string LineChild::Unasked() {
  if (read_.empty() && (PollUntil(from_, POLLIN, TimePoint::min()) & POLLIN)) {
    ReadSome();
  }
  return read_;
}

std::string LineChild::LastWords() {
  std::array<char, 65536> buffer;
  const ssize_t got = read(complaints_, buffer.data(), buffer.size());
  std::string_view text(buffer.data(), got > 0 ? static_cast<size_t>(got) : 0);
  while (text.ends_with('\n')) text.remove_suffix(1);
  const size_t line = text.rfind('\n');
  if (line != std::string_view::npos) text.remove_prefix(line + 1);
  return std::string(text);
}

}  // namespace locklab::proc
