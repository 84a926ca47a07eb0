// The timeline of a history: what its viewers demand of the document, and what
// people shall see in it.
#include "conformance/report/trace.h"

#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "conformance/history/log_reader.h"
#include "conformance/history/log_writer.h"
#include "conformance/proc/temp_dir.h"

namespace locklab::report {
namespace {

using history::Actor;
using history::Op;
using history::Phase;
using history::Result;
using nlohmann::json;

constexpr int64_t kStartNs = 5'000'000'000;

class TraceTest : public testing::Test {
 protected:
  // One log for each actor; times in microseconds from the start.
  void Put(Actor actor, int64_t at_us, Op op, Result result = Result::kNone,
           uint64_t token = 0) {
    auto& log = logs_[actor];
    if (log == nullptr) {
      log = std::make_unique<history::LogWriter>(
          history::LogPath(dir_.path(), actor),
          history::LogInfo{.actor = actor});
    }
    const Phase phase =
        result == Result::kNone ? Phase::kInvoke : Phase::kReturn;
    ASSERT_TRUE(log->Append({.time_ns = kStartNs + at_us * 1000,
                             .token = token,
                             .op = op,
                             .phase = phase,
                             .result = result}));
  }
  void Hold(Actor actor, int64_t from_us, int64_t to_us, uint64_t token) {
    Put(actor, from_us, Op::kAcquire);
    Put(actor, from_us + 1, Op::kAcquire, Result::kOk, token);
    Put(actor, to_us, Op::kRelease);
    Put(actor, to_us + 1, Op::kRelease, Result::kOk);
  }
  // The document, and that it is one.
  json Trace(int64_t events = kTraceEvents) {
    logs_.clear();
    std::ostringstream text;
    TraceWriter trace(text, events);
    trace.Add("a \"lock\"\n", history::LogsIn(dir_.path()));
    trace.Add("again", history::LogsIn(dir_.path()));
    trace.Finish({{"seed", "7"}, {"dir", "/x\"y"}});
    json document = json::parse(text.str());
    Check(document);
    return document;
  }

  // What the description of the format says: every event has a phase, a name,
  // numbers for process, thread and microseconds; the two ends of slices nest,
  // and the times of each thread rise.
  static void Check(const json& document) {
    std::map<int, double> last;                      // of a process
    std::map<int, std::vector<std::string>> slices;  // of a thread
    std::set<int> named;
    for (const json& event : document.at("traceEvents")) {
      SCOPED_TRACE(event.dump());
      const std::string phase = event.at("ph");
      const std::string name = event.at("name");
      const int tid = event.at("tid").get<int>();
      const int pid = event.at("pid").get<int>();
      ASSERT_TRUE(event.at("ts").is_number());
      ASSERT_NE(tid, pid);
      if (phase == "M") {
        ASSERT_TRUE(event.at("args").is_object());
        if (name == "thread_name") named.insert(tid);
        continue;
      }
      const double ts = event.at("ts");
      ASSERT_GE(ts, last[pid]);
      last[pid] = ts;
      ASSERT_EQ(named.count(tid), 1u);
      std::vector<std::string>& open = slices[tid];
      if (phase == "B") open.push_back(name);
      if (phase == "E") {
        ASSERT_FALSE(open.empty());
        ASSERT_EQ(open.back(), name);
        open.pop_back();
      }
      ASSERT_EQ(phase == "i", event.contains("s"));
      ASSERT_EQ(phase == "s" || phase == "f", event.contains("id"));
      ASSERT_NE(std::string("BEiCsf").find(phase), std::string::npos);
    }
    for (const auto& [tid, open] : slices) ASSERT_TRUE(open.empty()) << tid;
  }

  // "1:B waits" for each event of the first history, with the actor's number.
  static std::vector<std::string> Brief(const json& document,
                                        const std::string& phases) {
    std::vector<std::string> brief;
    for (const json& event : document.at("traceEvents")) {
      const std::string phase = event.at("ph");
      if (event.at("pid") != 1 || phases.find(phase) == std::string::npos) {
        continue;
      }
      const int actor = event.at("tid").get<int>() - 100'001;
      brief.push_back(std::to_string(actor) + ":" + phase + " " +
                      event.at("name").get<std::string>());
    }
    return brief;
  }

  const proc::TempDir dir_;
  std::map<Actor, std::unique_ptr<history::LogWriter>> logs_;
};

using Lines = std::vector<std::string>;

TEST_F(TraceTest, ATurnIsThreeSlices) {
  Hold(3, 0, 10, 1);
  const json document = Trace();
  EXPECT_EQ(Brief(document, "BEi"),
            (Lines{"3:B waits", "3:E waits", "3:B holds", "3:E holds",
                   "3:B releases", "3:E releases"}));
  const json& events = document.at("traceEvents");
  EXPECT_EQ(events[0]["args"]["name"], "a \"lock\"\n");
  EXPECT_EQ(events.back()["ts"], 11);
  EXPECT_EQ(document["otherData"]["dir"], "/x\"y");
}

TEST_F(TraceTest, TwoHoldersAreMarked) {
  Hold(0, 0, 20, 1);
  Hold(1, 5, 30, 2);
  const json document = Trace();
  EXPECT_EQ(Brief(document, "isf"),
            (Lines{"1:i violation: actor 0 holds it, too", "0:s violation",
                   "1:f violation"}));
  int most = 0;
  for (const json& event : document["traceEvents"]) {
    if (event["ph"] == "C") {
      most = std::max(most, event["args"]["holders"].get<int>());
    }
  }
  EXPECT_EQ(most, 2);
}

TEST_F(TraceTest, DeathsAndBreaksAreMarkedAndEndWhatWasOpen) {
  Put(0, 0, Op::kAcquire);
  Put(0, 1, Op::kAcquire, Result::kOk, 1);
  Put(1, 2, Op::kBreak, Result::kNone, 1);
  Put(1, 3, Op::kBreak, Result::kOk, 1);
  Put(0, 4, Op::kRelease);
  Put(0, 5, Op::kRelease, Result::kLost);
  Put(2, 6, Op::kAcquire);
  Put(2, 7, Op::kCrash, Result::kOk);
  Put(3, 8, Op::kAcquire);
  EXPECT_EQ(Brief(Trace(), "BEi"),
            (Lines{"0:B waits", "0:E waits", "0:B holds", "1:B breaks",
                   "1:i break", "0:i may be broken", "1:E breaks", "0:E holds",
                   "0:B releases", "0:E releases", "0:i lock lost", "2:B waits",
                   "2:E waits", "2:i dead", "3:B waits", "3:E waits"}));
}

// Of a long history, what is around its first violation, with what was under
// way before it.
TEST_F(TraceTest, TheWindowIsAroundTheFirstViolation) {
  Put(9, 0, Op::kAcquire);
  for (int64_t turn = 0; turn < 500; ++turn) {
    const auto token = static_cast<uint64_t>(turn) + 1;
    Hold(0, turn * 10, turn * 10 + 7, token);
    if (turn == 400) Hold(1, turn * 10 + 2, turn * 10 + 5, 1000);
  }
  const json few = Trace(20);
  const Lines slices = Brief(few, "BEi");
  EXPECT_LT(slices.size(), 50u);
  EXPECT_EQ(slices.front(), "9:B waits");
  EXPECT_EQ(Brief(few, "i"), Lines{"1:i violation: actor 0 holds it, too"});
  EXPECT_GT(Brief(Trace(0), "B").size(), 1500u);
}

TEST_F(TraceTest, WithoutAViolationTheBeginningIsShown) {
  for (int64_t turn = 0; turn < 100; ++turn) {
    Hold(0, turn * 10, turn * 10 + 7, static_cast<uint64_t>(turn) + 1);
  }
  const json document = Trace(8);
  EXPECT_EQ(Brief(document, "B").size(), 6u);
  EXPECT_EQ(document["traceEvents"].back()["ts"], 18);
}

}  // namespace
}  // namespace locklab::report
