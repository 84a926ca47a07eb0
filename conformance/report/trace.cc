#include "conformance/report/trace.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "conformance/history/log_reader.h"
#include "conformance/judge/sweep.h"

namespace locklab::report {
namespace {

using history::Actor;
using history::Event;
using history::Op;
using history::Phase;
using history::Result;

std::string Quoted(std::string_view text) {
  return nlohmann::json(std::string(text))
      .dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

// What an actor is at between an invocation and its return.
const char* SliceOf(Op op) {
  switch (op) {
    case Op::kAcquire:
      return "waits";
    case Op::kRelease:
      return "releases";
    case Op::kBreak:
      return "breaks";
    case Op::kRefresh:
      return "refreshes";
    case Op::kCrash:
      break;
  }
  return "?";
}

// One history on its way into the document. Slices are written as their two
// ends, so that all times rise and nothing has to be remembered but what is
// open: inside of "holds" there may be one operation.
class Timeline {
 public:
  Timeline(std::ostream& out, int pid, int64_t start_ns,
           std::vector<judge::Violation> violations)
      : out_(out),
        pid_(pid),
        now_ns_(start_ns),
        start_ns_(start_ns),
        violations_(std::move(violations)) {}

  void Name(std::string_view name, const std::vector<Actor>& actors);
  // What comes before the window is followed, but not shown.
  void Show();
  void Add(const Event& event);
  // Ends what is open.
  void Close();

 private:
  struct Open {
    const char* name = nullptr;  // nullptr: none
    int64_t since_ns = 0;
    uint64_t token = 0;
  };
  struct State {
    Open hold;
    Open operation;
    bool certain = false;  // and nobody may have broken it
  };

  State& StateOf(Actor actor);
  void OnInvoke(const Event& event, State& state);
  void OnReturn(const Event& event, State& state);
  void OnBreak(const Event& event);
  void OnCrash(const Event& event, State& state);
  void Begin(Actor actor, Open& open, const char* name, uint64_t token);
  void End(Actor actor, Open& open, std::string_view how);
  void Certain(State& state, bool certain);
  void MarkViolations(const Event& event);

  // One object of the document; `rest` is what else it has.
  void Put(char phase, Actor actor, std::string_view name, int64_t at_ns,
           const std::string& rest);
  void Mark(Actor actor, std::string_view name) {
    if (shown_) Put('i', actor, name, now_ns_, R"(,"s":"t")");
  }
  [[nodiscard]] int64_t TidOf(Actor actor) const;

  std::ostream& out_;
  const int pid_;
  int64_t now_ns_;
  const int64_t start_ns_;
  const std::vector<judge::Violation> violations_;
  std::vector<State> states_;
  Actor first_ = 0;  // what is of the process bears the name of one thread
  int64_t holders_ = 0;
  bool shown_ = false;
};

// No thread has the number of its process, or of one of another process.
int64_t Timeline::TidOf(Actor actor) const {
  return int64_t{pid_} * 100'000 + std::min(actor, history::kMaxActors) + 1;
}

void Timeline::Put(char phase, Actor actor, std::string_view name,
                   int64_t at_ns, const std::string& rest) {
  const int64_t ns = at_ns - start_ns_;
  fmt::print(out_,
             ",\n{{\"ph\":\"{}\",\"pid\":{},\"tid\":{},\"ts\":{}.{:03},\"cat\":"
             "\"lock\",\"name\":{}{}}}",
             phase, pid_, TidOf(actor), ns / 1000, ns % 1000, Quoted(name),
             rest);
}

void Timeline::Name(std::string_view name, const std::vector<Actor>& actors) {
  const char* comma = pid_ == 1 ? "" : ",";  // nothing comes before the first
  const auto meta = [&](Actor actor, const char* what,
                        const std::string& args) {
    fmt::print(out_,
               "{}\n{{\"ph\":\"M\",\"pid\":{},\"tid\":{},\"ts\":0,\"name\":"
               "\"{}\",\"args\":{{{}}}}}",
               comma, pid_, TidOf(actor), what, args);
    comma = ",";
  };
  if (!actors.empty()) first_ = actors.front();
  meta(first_, "process_name", fmt::format("\"name\":{}", Quoted(name)));
  meta(first_, "process_sort_index", fmt::format("\"sort_index\":{}", pid_));
  for (const Actor actor : actors) {
    const bool supervisor = actor >= history::kMaxActors;
    meta(actor, "thread_name",
         supervisor ? R"("name":"supervisor")"
                    : fmt::format("\"name\":\"actor {}\"", actor));
    meta(actor, "thread_sort_index",
         fmt::format("\"sort_index\":{}", supervisor ? 0 : actor + 1));
  }
}

Timeline::State& Timeline::StateOf(Actor actor) {
  if (actor >= states_.size()) states_.resize(actor + 1);
  return states_[actor];
}

void Timeline::Show() {
  shown_ = true;
  std::vector<std::pair<Open*, Actor>> open;
  for (Actor actor = 0; actor < states_.size(); ++actor) {
    State& state = states_[actor];
    for (Open* one : {&state.hold, &state.operation}) {
      if (one->name != nullptr) open.emplace_back(one, actor);
    }
  }
  std::stable_sort(open.begin(), open.end(), [](const auto& a, const auto& b) {
    return a.first->since_ns < b.first->since_ns;
  });
  const int64_t now = now_ns_;
  for (const auto& [one, actor] : open) {
    now_ns_ = one->since_ns;
    Begin(actor, *one, one->name, one->token);
  }
  now_ns_ = now;
  if (holders_ > 0) Certain(states_.front(), states_.front().certain);
}

void Timeline::Begin(Actor actor, Open& open, const char* name,
                     uint64_t token) {
  open = {.name = name, .since_ns = now_ns_, .token = token};
  if (!shown_) return;
  Put('B', actor, name, now_ns_,
      token == 0 ? "" : fmt::format(",\"args\":{{\"grant\":{}}}", token));
}

void Timeline::End(Actor actor, Open& open, std::string_view how) {
  if (open.name == nullptr) return;
  if (shown_) {
    Put('E', actor, open.name, now_ns_,
        how.empty() ? ""
                    : fmt::format(",\"args\":{{\"result\":{}}}", Quoted(how)));
  }
  open.name = nullptr;
}

void Timeline::Certain(State& state, bool certain) {
  holders_ += (certain ? 1 : 0) - (state.certain ? 1 : 0);
  state.certain = certain;
  if (!shown_) return;
  Put('C', first_, "holders", now_ns_,
      fmt::format(",\"args\":{{\"holders\":{}}}", holders_));
}

void Timeline::Add(const Event& event) {
  now_ns_ = event.time_ns;
  if (event.actor >= history::kMaxActors) return;  // the judge tells of it
  State& state = StateOf(event.actor);
  if (event.op == Op::kCrash) {
    OnCrash(event, state);
  } else if (event.phase == Phase::kInvoke) {
    OnInvoke(event, state);
  } else {
    OnReturn(event, state);
  }
}

void Timeline::OnInvoke(const Event& event, State& state) {
  if (state.operation.name != nullptr) return;  // malformed: so says the judge
  if (event.op == Op::kRelease && state.hold.name != nullptr) {
    if (state.certain) Certain(state, false);
    End(event.actor, state.hold, "");
  }
  Begin(event.actor, state.operation, SliceOf(event.op), event.token);
  if (event.op == Op::kBreak) OnBreak(event);
}

void Timeline::OnReturn(const Event& event, State& state) {
  if (state.operation.name == nullptr) return;
  std::string how(history::ResultName(event.result));
  if (event.sys != 0) how += fmt::format(", errno {}", event.sys);
  End(event.actor, state.operation, how);
  if (event.op == Op::kAcquire && event.result == Result::kOk &&
      state.hold.name == nullptr) {
    Begin(event.actor, state.hold, "holds", event.token);
    Certain(state, true);
    MarkViolations(event);
  }
  if (event.result == Result::kLost) Mark(event.actor, "lock lost");
  if (event.result == Result::kError) Mark(event.actor, "error");
}

void Timeline::OnBreak(const Event& event) {
  Mark(event.actor, "break");
  for (Actor actor = 0; actor < states_.size(); ++actor) {
    State& state = states_[actor];
    if (!state.certain) continue;
    if (event.token != 0 && event.token != state.hold.token) continue;
    Certain(state, false);
    Mark(actor, "may be broken");
  }
}

void Timeline::OnCrash(const Event& event, State& state) {
  const bool decided = event.phase == Phase::kInvoke;
  const std::string how =
      event.sys == 0 ? "" : fmt::format(" by signal {}", event.sys);
  if (state.certain) Certain(state, false);
  if (!decided) {
    End(event.actor, state.operation, "killed");
    End(event.actor, state.hold, "killed");
  }
  Mark(event.actor, (decided ? "is to be killed" : "dead") + how);
}

void Timeline::MarkViolations(const Event& event) {
  if (!shown_) return;
  for (size_t i = 0; i < violations_.size(); ++i) {
    const judge::Violation& violation = violations_[i];
    if (violation.intruded != event) continue;
    const std::string id = fmt::format(",\"id\":{}", pid_ * 1000 + i);
    Put('i', event.actor,
        fmt::format("violation: actor {} holds it, too", violation.holder),
        now_ns_, R"(,"s":"p")");
    Put('s', violation.holder, "violation", now_ns_, id);
    Put('f', violation.intruder, "violation", now_ns_, id + R"(,"bp":"e")");
  }
}

void Timeline::Close() {
  for (Actor actor = 0; actor < states_.size(); ++actor) {
    End(actor, states_[actor].operation, "not seen to end");
    End(actor, states_[actor].hold, "not seen to end");
  }
}

// Judged, for what to show of it.
struct Survey {
  judge::Judgement judgement;
  std::vector<Actor> actors;
  int64_t first = 0;  // the number of the first event that is to be shown
};

Survey Look(const std::vector<std::string>& logs, int64_t events) {
  history::MergedReader reader(logs);
  Survey survey{.judgement = judge::Judge(reader), .actors = {}};
  for (const history::LogInfo* info : reader.infos()) {
    if (info->actor < history::kMaxActors) survey.actors.push_back(info->actor);
  }
  const auto& evidence = survey.judgement.evidence;
  if (events == 0 || evidence.empty()) return survey;
  int64_t first = evidence.front().number;
  for (const judge::Violation& violation : evidence) {
    first = std::min(first, violation.number);
  }
  survey.first = std::max<int64_t>(0, first - events / 2);
  return survey;
}

}  // namespace

TraceWriter::TraceWriter(std::ostream& out, int64_t events)
    : out_(out), events_(events) {
  out_ << R"({"displayTimeUnit":"ns","traceEvents":[)";
}

void TraceWriter::Add(std::string_view name,
                      const std::vector<std::string>& logs) {
  Survey survey = Look(logs, events_);
  if (survey.judgement.events == 0) return;
  Timeline timeline(out_, ++histories_, survey.judgement.start_ns,
                    std::move(survey.judgement.evidence));
  timeline.Name(name, survey.actors);
  history::MergedReader reader(logs);
  const int64_t last = events_ == 0 ? INT64_MAX : survey.first + events_;
  for (int64_t number = 0; number < last; ++number) {
    if (number == survey.first) timeline.Show();
    const Event* event = reader.Next();
    if (event == nullptr) break;
    timeline.Add(*event);
  }
  timeline.Close();
}

void TraceWriter::Finish(
    const std::vector<std::pair<std::string, std::string>>& about) {
  out_ << "\n],\"otherData\":{";
  const char* separator = "";
  for (const auto& [key, value] : about) {
    out_ << separator << "\n" << Quoted(key) << ":" << Quoted(value);
    separator = ",";
  }
  out_ << "\n}}\n";
}

}  // namespace locklab::report
