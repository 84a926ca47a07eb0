// Writing logs and reading them back, also what killed writers and vandals
// left.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "conformance/history/cut_log.h"
#include "conformance/history/log_reader.h"
#include "conformance/history/log_writer.h"
#include "conformance/proc/child.h"
#include "conformance/proc/latch.h"
#include "conformance/proc/temp_dir.h"

namespace locklab::history {
namespace {

using std::chrono_literals::operator""s;
namespace fs = std::filesystem;

class LogTest : public testing::Test {
 protected:
  // A log of `events` acquire and release events.
  std::string Write(Actor actor, uint32_t events) {
    LogWriter writer(LogPath(dir_.path(), actor), {.actor = actor});
    for (uint32_t i = 0; i < events; ++i) {
      EXPECT_TRUE(i % 2 == 0 ? writer.Invoke(Op::kAcquire)
                             : writer.Return(Op::kAcquire, Result::kOk, 0, i));
    }
    return writer.path();
  }

  static uint32_t Count(const std::string& path) {
    LogReader reader(path);
    uint32_t count = 0;
    while (reader.Next() != nullptr) ++count;
    EXPECT_EQ(reader.Next(), nullptr) << "the end is the end";
    return count;
  }

  // "" if it can be read whole, or the error.
  static std::string ErrorOf(const std::string& path) {
    try {
      Count(path);
      return "";
    } catch (const HistoryError& error) {
      return error.what();
    }
  }

  static void Overwrite(const std::string& path, int64_t offset,
                        const std::string& bytes) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset);
    file << bytes;
  }

  static int64_t OffsetOf(int64_t event) {
    return int64_t{kHeaderBytes} + event * int64_t{sizeof(Event)};
  }

  const proc::TempDir dir_;
};

TEST_F(LogTest, ReturnsWhatWasRecorded) {
  const std::string path = LogPath(dir_.path(), 7);
  const int64_t start = NowNs();
  {
    LogWriter writer(path, {.actor = 7, .seed = 99});
    EXPECT_TRUE(writer.Invoke(Op::kAcquire));
    EXPECT_TRUE(writer.Return(Op::kAcquire, Result::kError, ENOSPC, 17));
    EXPECT_TRUE(writer.AppendFor(
        3, {.time_ns = NowNs(), .sys = SIGKILL, .op = Op::kCrash}));
    EXPECT_EQ(writer.recorded(), 3u);
  }
  LogReader reader(path);
  const Event* event = reader.Next();
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(event->op, Op::kAcquire);
  EXPECT_EQ(event->phase, Phase::kInvoke);
  EXPECT_EQ(event->actor, 7u);
  EXPECT_EQ(event->sequence, 1u);
  EXPECT_GE(event->time_ns, start);
  event = reader.Next();
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(event->result, Result::kError);
  EXPECT_EQ(event->sys, ENOSPC);
  EXPECT_EQ(event->token, 17u);
  event = reader.Next();
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(event->actor, 3u);
  EXPECT_LE(event->time_ns, NowNs());
  EXPECT_EQ(reader.Next(), nullptr);
}

TEST_F(LogTest, KeepsItsHeader) {
  const LogInfo info{.actor = 5,
                     .seed = 0xfeedfacecafebeef,
                     .subject = "mkdir",
                     .command_line = "locklab check --seed=1",
                     .fs_type = "ext4",
                     .fs_options = std::string(5000, 'x')};
  const std::string path = LogPath(dir_.path(), 5);
  { const LogWriter writer(path, info); }
  const LogInfo read = LogReader(path).info();
  EXPECT_EQ(read.actor, info.actor);
  EXPECT_EQ(read.seed, info.seed);
  EXPECT_EQ(read.subject, info.subject);
  EXPECT_EQ(read.command_line, info.command_line);
  EXPECT_EQ(read.fs_type, info.fs_type);
  EXPECT_EQ(read.fs_options, info.fs_options.substr(0, 1023)) << "cut to fit";
  EXPECT_EQ(read.pid, getpid());
  EXPECT_TRUE(read.kernel.starts_with("Linux "));
  EXPECT_GT(read.start_ns, 0);
}

TEST_F(LogTest, GrowsWindowByWindowAndIsCutToItsLength) {
  for (const uint32_t events : {0u, 1u, 8063u, 8064u, 8065u, 30000u}) {
    const std::string path = Write(events, events);
    EXPECT_EQ(Count(path), events);
    EXPECT_EQ(fs::file_size(path), static_cast<size_t>(OffsetOf(events)));
  }
}

TEST_F(LogTest, RefusesToOverwriteAnotherLog) {
  const std::string path = Write(1, 1);
  EXPECT_THROW(LogWriter(path, {}), HistoryError);
  EXPECT_EQ(Count(path), 1u);
}

TEST_F(LogTest, StopsAtItsLimit) {
  const std::string path = LogPath(dir_.path(), 1);
  {
    LogWriter writer(path, {}, 2);
    EXPECT_TRUE(writer.Invoke(Op::kAcquire));
    EXPECT_TRUE(writer.Invoke(Op::kAcquire));
    EXPECT_EQ(writer.error(), 0);
    EXPECT_FALSE(writer.Invoke(Op::kAcquire));
    EXPECT_EQ(writer.error(), EFBIG);
  }
  EXPECT_EQ(Count(path), 2u);
}

// In windows of 2,048 events.
TEST_F(LogTest, TakesUpWhatForksRecorded) {
  const std::string path = LogPath(dir_.path(), 1);
  uint32_t expected = 0;
  {
    LogWriter writer(path, {}, 100'000);
    for (const uint32_t events : {0u, 3u, 1917u, 5000u, 2048u}) {
      proc::Child child = proc::Child::Spawn([&] {
        for (uint32_t i = 0; i < events; ++i) writer.Invoke(Op::kAcquire);
        return 0;
      });
      ASSERT_TRUE(child.Wait(proc::kForever)->ok());
      writer.CatchUp();
      ASSERT_TRUE(writer.Invoke(Op::kRelease));
      expected += events + 1;
      EXPECT_EQ(writer.recorded(), expected);
    }
  }
  EXPECT_EQ(Count(path), expected);
}

TEST_F(LogTest, WhatWasReservedCanBeRecorded) {
  LogWriter writer(LogPath(dir_.path(), 1), {}, 20'000);
  uint32_t recorded = 0;
  while (writer.Reserve(7)) {
    for (int i = 0; i < 7; ++i) ASSERT_TRUE(writer.Invoke(Op::kAcquire));
    recorded += 7;
  }
  EXPECT_EQ(recorded, 19'999u);
  EXPECT_EQ(writer.error(), EFBIG);
}

TEST_F(LogTest, AFullDiskIsAnErrorAndLosesNothingRecorded) {
  const std::string path = LogPath(dir_.path(), 1);
  proc::Child child = proc::Child::Spawn([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    LogWriter writer(path, {});
    const rlimit limit{300'000, 300'000};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    while (writer.Invoke(Op::kAcquire)) {
    }
    return writer.error() == EFBIG && writer.recorded() == 8064 ? 0 : 2;
  });
  EXPECT_EQ(child.Wait(proc::In(30s))->code, 0);
  EXPECT_EQ(Count(path), 8064u);
}

TEST_F(LogTest, SurvivesTheSigkillOfItsWriter) {
  const std::string path = LogPath(dir_.path(), 1);
  proc::Latch some;
  proc::Child child = proc::Child::Spawn([&]() -> int {
    LogWriter writer(path, {});
    for (int i = 0;; ++i) {
      if (!writer.Invoke(Op::kAcquire)) return 1;
      if (i == 10'000) some.Open();
    }
  });
  ASSERT_EQ(some.Wait(proc::In(30s)), proc::Latch::kOpen);
  child.Stop();
  const size_t recorded = Count(path);
  EXPECT_GT(recorded, 10'000u);
  const auto size = [&path] {
    return static_cast<int64_t>(fs::file_size(path));
  };
  EXPECT_GT(size(), OffsetOf(static_cast<int64_t>(recorded)))
      << "there was room for more";
  CutLog(path);
  EXPECT_EQ(size(), OffsetOf(static_cast<int64_t>(recorded)));
  EXPECT_EQ(Count(path), recorded);
}

TEST_F(LogTest, AForkOfTheWriterDoesNotCutTheFile) {
  const std::string path = LogPath(dir_.path(), 1);
  auto writer = std::make_unique<LogWriter>(path, LogInfo{});
  proc::Child child = proc::Child::Spawn([&] {
    writer.reset();
    return 0;
  });
  EXPECT_TRUE(child.Wait(proc::In(30s))->ok());
  EXPECT_TRUE(writer->Invoke(Op::kAcquire));
  writer.reset();
  EXPECT_EQ(Count(path), 1u);
}

// What was being written when its writer was killed was not recorded.
TEST_F(LogTest, PiecesOfALastEventAreNoError) {
  const std::string path = Write(1, 4);
  fs::resize_file(path, static_cast<size_t>(OffsetOf(8)));
  Overwrite(path, OffsetOf(4), "garbage!");
  EXPECT_EQ(ErrorOf(path), "");
  EXPECT_EQ(Count(path), 4u);
}

TEST_F(LogTest, DamageIsAnErrorThatSaysWhere) {
  const std::string good = Write(1, 3000);
  const struct {
    const char* name;
    int64_t offset;
    std::string bytes;
    const char* error;
  } cases[] = {
      {"magic", 0, "X", "not a history"},
      {"version", 8, "\x02", "of version 2; this program reads 1"},
      {"byte order", 20, "\x01", "byte order"},
      {"text", 200, "?", "the header is damaged"},
      {"time", OffsetOf(1) + 3, "\x55\x55", "event 2: "},
      {"number", OffsetOf(9) + 16, "\x01", "event 10: has the number 1"},
      {"hole", OffsetOf(9) + 16, std::string(4, '\0'),
       "event 10: is missing, yet others follow"},
      {"late hole", OffsetOf(2000) + 16, std::string(4, '\0'),
       "event 2001: is missing, yet others follow"},
      {"actor", OffsetOf(0) + 20, "\x77\x77", "event 1: its checksum"},
  };
  for (const auto& test : cases) {
    const std::string path = dir_ / test.name;
    fs::copy_file(good, path);
    Overwrite(path, test.offset, test.bytes);
    const std::string error = ErrorOf(path);
    EXPECT_NE(error.find(test.error), std::string::npos)
        << test.name << ": " << error;
    EXPECT_NE(error.find(path), std::string::npos) << error;
  }
}

TEST_F(LogTest, AnyTruncationIsAnErrorOrAWholePrefix) {
  const std::string good = Write(1, 40);
  const size_t full = fs::file_size(good);
  const std::string path = dir_ / "cut";
  for (size_t size = 0; size <= full; size += size < 4090 ? 37 : 1) {
    fs::copy_file(good, path, fs::copy_options::overwrite_existing);
    fs::resize_file(path, size);
    const std::string error = ErrorOf(path);
    const bool whole =
        size >= kHeaderBytes && (size - kHeaderBytes) % sizeof(Event) == 0;
    EXPECT_EQ(error.empty(), whole) << size << ": " << error;
  }
}

TEST_F(LogTest, GarbageNeverCrashesTheReader) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::string good = Write(1, 100);
  const std::string path = dir_ / "garbage";
  int errors = 0;
  for (int round = 0; round < 300; ++round) {
    fs::copy_file(good, path, fs::copy_options::overwrite_existing);
    for (int i = 0; i < 4; ++i) {
      Overwrite(path, static_cast<int64_t>(random() % fs::file_size(good)),
                std::string(1, static_cast<char>(random())));
    }
    if (!ErrorOf(path).empty()) ++errors;
  }
  EXPECT_GT(errors, 290) << "a checksum of 16 bits misses few";
}

TEST_F(LogTest, MissingFilesAndDirectoriesAreErrors) {
  EXPECT_NE(ErrorOf("/nonexistent/log").find("No such file"),
            std::string::npos);
  EXPECT_NE(ErrorOf(dir_.path()), "");
  EXPECT_THROW((void)LogsIn("/nonexistent"), HistoryError);
  EXPECT_THROW(LogWriter("/nonexistent/log", {}), HistoryError);
}

TEST_F(LogTest, TimeThatRunsBackwardsIsAnError) {
  const std::string path = LogPath(dir_.path(), 1);
  {
    LogWriter writer(path, {});
    writer.Append({.time_ns = 20, .op = Op::kAcquire});
    writer.Append({.time_ns = 10, .op = Op::kAcquire});
  }
  EXPECT_NE(ErrorOf(path).find("its time is before"), std::string::npos);
}

TEST_F(LogTest, MergesByTimeAndThenByActor) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (const Actor actors : {1u, 2u, 5u, 17u}) {
    const std::string sub = dir_ / std::to_string(actors);
    fs::create_directory(sub);
    std::vector<Event> expected;
    for (Actor actor = 0; actor < actors; ++actor) {
      LogWriter writer(LogPath(sub, actor), {.actor = actor});
      int64_t time = 1;
      for (uint32_t i = 1; i <= random() % 2000; ++i) {
        time += static_cast<int64_t>(random() % 4);
        Event event{.time_ns = time, .sequence = i, .actor = actor};
        ASSERT_TRUE(writer.Append(event));
        event.check = Checksum(event);
        expected.push_back(event);
      }
    }
    std::sort(expected.begin(), expected.end(), Before);
    MergedReader reader(LogsIn(sub));
    EXPECT_EQ(reader.infos().size(), actors);
    for (const Event& want : expected) {
      const Event* got = reader.Next();
      ASSERT_NE(got, nullptr);
      ASSERT_EQ(*got, want);
    }
    EXPECT_EQ(reader.Next(), nullptr);
    EXPECT_EQ(reader.Next(), nullptr);
  }
}

TEST_F(LogTest, MergesMoreLogsThanItMayHaveDescriptors) {
  for (Actor actor = 0; actor < 100; ++actor) Write(actor, 3);
  proc::Child child = proc::Child::Spawn([&] {
    const rlimit limit{32, 32};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
    MergedReader reader(LogsIn(dir_.path()));
    int count = 0;
    while (reader.Next() != nullptr) ++count;
    return count == 300 ? 0 : 2;
  });
  EXPECT_EQ(child.Wait(proc::In(30s))->code, 0);
}

TEST(Describe, TellsAnEventInOneLine) {
  const Event event{.time_ns = 2'500'000'000,
                    .token = 17,
                    .actor = 3,
                    .sys = 5,
                    .op = Op::kRelease,
                    .phase = Phase::kReturn,
                    .result = Result::kError};
  EXPECT_EQ(Describe(event, 1'000'000'000),
            "+1.500000000 s actor 3 release return error, grant 17, errno 5");
}

}  // namespace
}  // namespace locklab::history
