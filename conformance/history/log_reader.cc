#include "conformance/history/log_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace locklab::history {
namespace {

constexpr size_t kEventsAtOnce = 1024;
constexpr std::string_view kSuffix = ".hist";

bool IsZero(const Event& event) {
  static const char zeros[sizeof(Event)] = {};
  return std::memcmp(&event, zeros, sizeof zeros) == 0;
}

// What is wrong with the values of a whole event; nullptr: nothing.
const char* Fault(const Event& event) {
  if (event.check != Checksum(event)) return "its checksum is wrong";
  if (event.op < Op::kAcquire || event.op > kLastOp) return "unknown operation";
  if (event.phase != Phase::kInvoke && event.phase != Phase::kReturn) {
    return "unknown phase";
  }
  if (event.result > kLastResult) return "unknown result";
  if (event.actor >= kMaxActors && event.actor != kSupervisor) {
    return "impossible actor";
  }
  return nullptr;
}

}  // namespace

LogReader::LogReader(std::string path)
    : path_(std::move(path)), events_(kEventsAtOnce) {
  LogHeader header{};
  if (ReadAt(0, &header, sizeof header) != sizeof header) {
    throw HistoryError(path_, "too short to have a header");
  }
  info_ = UnpackHeader(header, path_);
}

size_t LogReader::ReadAt(int64_t offset, void* data, size_t size) const {
  const int fd = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    throw HistoryError(
        path_, fmt::format("cannot be opened: {}", std::strerror(errno)));
  }
  size_t done = 0;
  int error = 0;
  while (done < size) {
    const ssize_t got = pread(fd, static_cast<char*>(data) + done, size - done,
                              offset + static_cast<int64_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = errno;
    if (got <= 0) break;
    done += static_cast<size_t>(got);
  }
  close(fd);
  if (error != 0) {
    throw HistoryError(path_,
                       fmt::format("cannot be read: {}", std::strerror(error)));
  }
  return done;
}

bool LogReader::Refill() {
  if (done_) return false;
  const size_t got =
      ReadAt(offset_, events_.data(), kEventsAtOnce * sizeof(Event));
  offset_ += static_cast<int64_t>(got);
  next_ = 0;
  end_ = got / sizeof(Event);
  if (got % sizeof(Event) != 0) Fail("the file ends in the middle of an event");
  done_ = end_ < kEventsAtOnce;
  return end_ > 0;
}

void LogReader::Fail(const std::string& what) const {
  throw HistoryError(path_, fmt::format("event {}: {}", sequence_ + 1, what));
}

const Event* LogReader::Check(const Event& event) {
  if (event.sequence == 0) {
    CheckZerosToEnd();
    return nullptr;
  }
  if (event.sequence != sequence_ + 1) {
    Fail(fmt::format("has the number {}", event.sequence));
  }
  if (const char* fault = Fault(event); fault != nullptr) Fail(fault);
  if (event.time_ns < last_time_ns_) Fail("its time is before the last one's");
  sequence_ = event.sequence;
  last_time_ns_ = event.time_ns;
  ++next_;
  // A thousand logs are read by turns: by its next turn this one's is at hand.
  __builtin_prefetch(&event + 2);
  return &event;
}

// The first slot without a sequence may hold the pieces of an event whose
// writer was killed; all that follows was never written to.
void LogReader::CheckZerosToEnd() {
  ++next_;
  for (;;) {
    for (; next_ < end_; ++next_) {
      if (!IsZero(events_[next_])) Fail("is missing, yet others follow");
    }
    if (!Refill()) break;
  }
  done_ = true;
  next_ = end_ = 0;
}

MergedReader::MergedReader(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    readers_.push_back(std::make_unique<LogReader>(path));
    const Event* head = readers_.back()->Next();
    if (head == nullptr) continue;
    heap_.push_back({head->time_ns, head, readers_.back().get()});
  }
  std::make_heap(heap_.begin(), heap_.end(), Later);
}

bool MergedReader::LaterOfTie(const Source& a, const Source& b) {
  if (Before(*b.head, *a.head)) return true;
  if (Before(*a.head, *b.head)) return false;
  return a.reader->info().actor > b.reader->info().actor;
}

const Event* MergedReader::Next() {
  // The event returned last lives in its reader's buffer: it is only now that
  // this reader may move on.
  if (started_ && !heap_.empty()) {
    Source& first = heap_.front();
    first.head = first.reader->Next();
    if (first.head != nullptr) first.time_ns = first.head->time_ns;
    SinkFirst();
  }
  started_ = true;
  return heap_.empty() ? nullptr : heap_.front().head;
}

// Puts the first source where its new head belongs. Most often it stays near
// the top, which pop_heap and push_heap would not make use of.
void MergedReader::SinkFirst() {
  if (heap_.front().head == nullptr) {
    heap_.front() = heap_.back();
    heap_.pop_back();
    if (heap_.empty()) return;
  }
  const Source moving = heap_.front();
  size_t hole = 0;
  for (;;) {
    size_t child = 2 * hole + 1;
    if (child >= heap_.size()) break;
    // Added, not branched on: which of the two comes first cannot be foreseen.
    if (child + 1 < heap_.size()) {
      child += Later(heap_[child], heap_[child + 1]) ? 1 : 0;
    }
    if (!Later(moving, heap_[child])) break;
    heap_[hole] = heap_[child];
    hole = child;
  }
  heap_[hole] = moving;
}

std::vector<const LogInfo*> MergedReader::infos() const {
  std::vector<const LogInfo*> infos;
  for (const auto& reader : readers_) infos.push_back(&reader->info());
  return infos;
}

std::vector<std::string> LogsIn(const std::string& dir) {
  std::vector<std::string> paths;
  std::error_code error;
  for (std::filesystem::directory_iterator it(dir, error), end;
       !error && it != end; it.increment(error)) {
    if (it->path().extension() == kSuffix) paths.push_back(it->path().string());
  }
  if (error) throw HistoryError(dir, error.message());
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string LogsNameOf(std::string_view lock) {
  constexpr size_t kLongest = 64;
  std::string name(lock.substr(0, kLongest));
  std::replace_if(
      name.begin(), name.end(),
      [](unsigned char c) {
        return c > 127 || (std::isalnum(c) == 0 && c != '.' && c != ':' &&
                           c != '_' && c != '-');
      },
      '_');
  return name;
}

std::string LogPath(const std::string& dir, Actor actor) {
  if (actor == kSupervisor) return fmt::format("{}/supervisor{}", dir, kSuffix);
  return fmt::format("{}/actor-{:05}{}", dir, actor, kSuffix);
}

}  // namespace locklab::history
