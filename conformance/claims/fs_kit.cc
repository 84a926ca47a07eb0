#include "conformance/claims/fs_kit.h"

#include <fcntl.h>

#include <algorithm>

#include "conformance/proc/barrier.h"

namespace locklab::claims {

std::string CallFailed(std::string_view what, int error) {
  return std::string(what) + ": " + lockfile::ErrnoName(error);
}

void Need(const SysResult& result, std::string_view what) {
  if (!result.ok()) Inconclusive(CallFailed(what, result.error));
}

void MakeFile(Os& os, const std::string& path, std::string_view text) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  const SysResult opened = os.Open(path.c_str(), kFlags, 0666);
  Need(opened, "creating a file");
  const int fd = static_cast<int>(opened.value);
  Need(os.WriteStart(fd, text.data(), text.size()), "writing a file");
  Need(os.Close(fd), "closing a file");
}

FileInfo Look(Os& os, const std::string& path) {
  FileInfo info;
  Need(os.Lstat(path.c_str(), &info), "lstat(2)");
  return info;
}

const std::string& OtherSide(const ClaimContext& context) {
  return context.other_dir.empty() ? context.dir : context.other_dir;
}

Observer::Observer(Answer answer) {
  Board* board = &*board_;
  child_ = proc::Child::Spawn([board, &answer] {
    try {
      for (uint32_t turn = 0;; ++turn) {
        while (board->asked.load() == turn) {
          proc::FutexWait(board->asked, turn, proc::kForever);
        }
        board->answer = answer(board->question);
        board->answered.store(turn + 1);
        proc::FutexWakeAll(board->answered);
      }
    } catch (const Finding& finding) {
      board->verdict = finding.verdict;
      finding.reason.copy(board->reason, sizeof board->reason - 1);
      board->thrown = true;
    }
    return proc::kExitThrew;
  });
}

int64_t Observer::Ask(int64_t question) {
  Board& board = *board_;
  board.question = question;
  const uint32_t before = board.asked.fetch_add(1);
  proc::FutexWakeAll(board.asked);
  const auto deadline = proc::In(kSoon);
  while (board.answered.load() == before) {
    // In slices: a process that died wakes nobody.
    proc::FutexWait(board.answered, before, std::min(deadline, proc::In(50ms)));
    if (board.answered.load() != before) break;
    if (const auto end = child_.Poll()) {
      if (board.thrown) throw Finding{board.verdict, board.reason};
      Inconclusive("a process of the harness " + end->Describe());
    }
    if (proc::Clock::now() >= deadline) {
      Fail("a file system call of another process does not return within " +
           Millis(kSoon));
    }
  }
  return board.answer;
}

nanoseconds Delays::Max() const {
  return all_.empty() ? 0ns : *std::max_element(all_.begin(), all_.end());
}

nanoseconds Delays::Median() const {
  if (all_.empty()) return 0ns;
  auto sorted = all_;
  std::sort(sorted.begin(), sorted.end());
  return sorted[sorted.size() / 2];
}

std::string Delays::Text() const {
  return "p50 " + Millis(Median()) + ", max " + Millis(Max());
}

}  // namespace locklab::claims
