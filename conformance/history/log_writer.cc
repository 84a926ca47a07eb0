#include "conformance/history/log_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <utility>

namespace locklab::history {
namespace {

// Mapped at a time: at most 8,192 events, at least as much as the largest page
// of Linux.
constexpr int64_t kLargestWindow = int64_t{8192} * sizeof(Event);
constexpr int64_t kSmallestWindow = 65536;

// A sixteenth of what may come at most: a thousand writers need not have room
// for thousands of events each before the first of them.
int64_t WindowFor(uint32_t limit) {
  const int64_t share = int64_t{limit} * sizeof(Event) / 16;
  return share >= kLargestWindow ? kLargestWindow : kSmallestWindow;
}

std::string KernelName() {
  utsname names{};
  if (uname(&names) != 0) return "";
  return fmt::format("{} {} {}", names.sysname, names.release, names.machine);
}

}  // namespace

int64_t NowNs() {
  return std::chrono::steady_clock::now().time_since_epoch() /
         std::chrono::nanoseconds(1);
}

LogWriter::LogWriter(std::string path, LogInfo info, uint32_t limit)
    : path_(std::move(path)),
      actor_(info.actor),
      owner_(getpid()),
      window_bytes_(WindowFor(limit)),
      limit_(limit) {
  fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  const int error = fd_ < 0 ? errno : MapWindow(0);
  if (error != 0) {
    if (fd_ >= 0) close(fd_);
    throw HistoryError(path_,
                       fmt::format("cannot be made: {}", std::strerror(error)));
  }
  info.pid = owner_;
  info.start_ns = NowNs();
  info.start_wall_s = std::time(nullptr);
  info.kernel = KernelName();
  const LogHeader header = PackHeader(info);
  std::memcpy(window_, &header, sizeof header);
  next_ = reinterpret_cast<Event*>(window_ + kHeaderBytes);
}

LogWriter::~LogWriter() {
  munmap(window_, window_bytes_);
  if (owner_ == getpid()) {
    const int64_t size =
        int64_t{kHeaderBytes} +
        int64_t{sequence_} * static_cast<int64_t>(sizeof(Event));
    // What cannot be cut off stays as zeros, which readers know.
    [[maybe_unused]] const int ignored = ftruncate(fd_, size);
  }
  close(fd_);
}

bool LogWriter::Append(Event event) { return AppendFor(actor_, event); }

bool LogWriter::AppendFor(Actor actor, Event event) {
  if (next_ == end_ && !Grow()) return false;
  if (sequence_ >= limit_) {
    error_ = EFBIG;
    return false;
  }
  if (event.time_ns == 0) event.time_ns = NowNs();
  event.actor = actor;
  event.sequence = ++sequence_;
  event.check = Checksum(event);
  Event& slot = *next_++;
  slot.time_ns = event.time_ns;
  slot.token = event.token;
  slot.actor = event.actor;
  slot.sys = event.sys;
  slot.check = event.check;
  slot.op = event.op;
  slot.phase = event.phase;
  slot.result = event.result;
  // Last: an event without a sequence was never recorded.
  std::atomic_ref(slot.sequence)
      .store(event.sequence, std::memory_order_release);
  return true;
}

bool LogWriter::Reserve(uint32_t events) {
  if (error_ == 0 && events > limit_ - std::min(limit_, sequence_)) {
    error_ = EFBIG;
  }
  if (error_ == 0 && end_ - next_ < static_cast<ptrdiff_t>(events)) {
    error_ = AllocateTo(window_end_ + window_bytes_);
  }
  return error_ == 0;
}

void LogWriter::CatchUp() {
  for (;;) {
    for (; next_ != end_; ++next_, ++sequence_) {
      if (std::atomic_ref(next_->sequence).load(std::memory_order_acquire) ==
          0) {
        return;
      }
    }
    // What is in the way now was in the fork's way, too.
    allocated_ = std::max(allocated_, window_end_);
    if (!Grow()) return;
  }
}

int LogWriter::AllocateTo(int64_t end) {
  if (end <= allocated_) return 0;
  const int error = posix_fallocate(fd_, allocated_, end - allocated_);
  if (error == 0) allocated_ = end;
  return error;
}

bool LogWriter::Grow() {
  if (error_ == 0) error_ = MapWindow(window_end_);
  return error_ == 0;
}

int LogWriter::MapWindow(int64_t offset) {
  const int error = AllocateTo(offset + window_bytes_);
  if (error != 0) return error;
  void* memory = mmap(nullptr, window_bytes_, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_POPULATE, fd_, offset);
  if (memory == MAP_FAILED) return errno;
  if (window_ != nullptr) munmap(window_, window_bytes_);
  window_ = static_cast<char*>(memory);
  window_end_ = offset + window_bytes_;
  next_ = reinterpret_cast<Event*>(window_);
  end_ = reinterpret_cast<Event*>(window_ + window_bytes_);
  return 0;
}

}  // namespace locklab::history
