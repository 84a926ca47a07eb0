// What is said to an adapter, and what is made of its answers.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "conformance/proc/line_child.h"
#include "stress/adapters/adapter.h"

namespace locklab::adapters {
namespace {

using proc::LineChild;
using std::chrono::nanoseconds;

constexpr std::string_view kVersion = "1";
// How long one may take that was told to quit.
constexpr std::chrono::seconds kFarewell{2};

// What an adapter may declare with its answer to `hello`.
struct TraitWord {
  std::string_view word;
  bool lockfile::Traits::*trait;
};
constexpr TraitWord kTraitWords[] = {
    {"released_on_crash", &lockfile::Traits::released_on_crash},
    {"keeps_file", &lockfile::Traits::keeps_file},
};

// As much of it as tells what it is, in printable characters.
std::string Shown(std::string_view text, size_t most = 60) {
  std::string shown;
  for (const char c : text.substr(0, most)) {
    const auto byte = static_cast<unsigned char>(c);
    shown += byte >= ' ' && byte < 0x7f ? std::string(1, c)
                                        : fmt::format("\\x{:02x}", byte);
  }
  return text.size() > most ? shown + "..." : shown;
}

// As a word of a request: blanks, line ends and % as %XX.
std::string Quoted(std::string_view path) {
  std::string word;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte > ' ' && byte != 0x7f && c != '%';
    word += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return word;
}

// In seconds. Never 0 for what is not.
std::string Seconds(nanoseconds timeout) {
  if (timeout < nanoseconds::zero()) return "-1";
  if (timeout == nanoseconds::zero()) return "0";
  const auto us = std::chrono::ceil<std::chrono::microseconds>(timeout).count();
  return fmt::format("{}.{:06}", us / 1'000'000, us % 1'000'000);
}

// Of the name that `text` begins with, as in "ENOENT no such file"; 0: none.
int ErrnoIn(std::string_view text) {
  constexpr int kLastErrno = 133;
  const std::string_view word = text.substr(0, text.find(' '));
  if (!word.starts_with('E')) return 0;
  for (int error = 1; error <= kLastErrno; ++error) {
    if (lockfile::ErrnoName(error) == word) return error;
  }
  return 0;
}

std::vector<std::string_view> WordsOf(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

// One adapter at work. What goes wrong with it is told as a sentence, and
// nothing more is to be had from it then.
class Talk {
 public:
  struct Reply {
    std::string text = {};   // what it answered
    std::string fault = {};  // why there is no answer; else empty
  };

  // Starts it. Throws std::system_error.
  explicit Talk(const std::vector<std::string>& command,
                proc::SpawnOptions options = {})
      : child_(command, options) {}

  // `request` goes out; the answer has to come by `deadline`, and one of
  // `expected` has to be its first word.
  Reply Ask(std::string_view request, proc::TimePoint deadline,
            std::initializer_list<std::string_view> expected) {
    const std::string_view verb = request.substr(0, request.find(' '));
    const std::string early = child_.Unasked();
    if (!early.empty()) {
      return Fault(fmt::format("the adapter said '{}' without being asked",
                               Shown(early.substr(0, early.find('\n')))));
    }
    child_.Send(request);
    const auto answer = child_.Receive(deadline);
    switch (answer.heard) {
      case LineChild::Heard::kLine:
        break;
      case LineChild::Heard::kNothing:
        return Fault(fmt::format("the adapter hangs: no answer to {}", verb));
      case LineChild::Heard::kTooLong:
        return Fault(fmt::format(
            "the adapter's answer to {} is longer than {} bytes: '{}'", verb,
            LineChild::kLongestLine, Shown(answer.text)));
      case LineChild::Heard::kEnd:
        return Fault(HowItEnded(verb));
    }
    const std::string_view first =
        std::string_view(answer.text).substr(0, answer.text.find(' '));
    if (std::find(expected.begin(), expected.end(), first) != expected.end()) {
      return {.text = answer.text};
    }
    return Fault(fmt::format("the adapter answered '{}' to {}; expected {}",
                             Shown(answer.text), verb, Alternatives(expected)));
  }

  // The version of the protocol and its traits, or a fault.
  std::string Greet(std::chrono::milliseconds patience,
                    lockfile::Traits* traits) {
    const Reply reply = Ask(fmt::format("hello {}", kVersion),
                            proc::In(patience), {"ok", "error"});
    if (!reply.fault.empty()) return reply.fault;
    const auto words = WordsOf(reply.text);
    // Whoever does not know `hello` speaks the first version and declares
    // nothing.
    if (words[0] == "error") return "";
    if (words.size() < 2 || words[1] != kVersion) {
      return fmt::format(
          "the adapter answered '{}' to hello; expected 'ok {} TRAIT...': this "
          "locklab speaks version {} of the protocol",
          Shown(reply.text), kVersion, kVersion);
    }
    for (size_t i = 2; i < words.size(); ++i) {
      const auto* row = std::find_if(
          std::begin(kTraitWords), std::end(kTraitWords),
          [&](const TraitWord& known) { return known.word == words[i]; });
      if (row == std::end(kTraitWords)) {
        return fmt::format("the adapter declares '{}', which is no trait of {}",
                           Shown(words[i]), "released_on_crash, keeps_file");
      }
      traits->*(row->trait) = true;
    }
    return "";
  }

  // Lets it end by itself.
  void Quit() {
    child_.Send("quit");
    child_.EndInput();
    (void)child_.Wait(proc::In(kFarewell));
  }

 private:
  static Reply Fault(std::string what) { return {.fault = std::move(what)}; }

  static std::string Alternatives(
      std::initializer_list<std::string_view> expected) {
    std::string text;
    for (const std::string_view word : expected) {
      const bool last = word == *(expected.end() - 1);
      if (!text.empty()) text += last ? " or " : ", ";
      text += word == "error" ? "error TEXT" : word;
    }
    return text;
  }

  std::string HowItEnded(std::string_view verb) {
    const auto end = child_.Wait(proc::In(kFarewell));
    if (!end) {
      return fmt::format("the adapter closed its output before it answered {}",
                         verb);
    }
    const std::string words = child_.LastWords();
    return fmt::format("the adapter {} before it answered {}{}",
                       end->Describe(), verb,
                       words.empty() ? "" : ": " + Shown(words, 300));
  }

  LineChild child_;
};

struct Source {
  std::string name;
  std::vector<std::string> command;
  std::string advice;
  Patience patience;
};

class AdapterSubject : public Subject {
 public:
  AdapterSubject(const Source& source, const std::string& path)
      : source_(source),
        path_(Quoted(std::filesystem::absolute(path).string())) {}

  ~AdapterSubject() override {
    if (talk_ && owner_ == getpid()) talk_->Quit();
  }

  void Warm() override { (void)Connect(); }

  Outcome Acquire(nanoseconds timeout) override {
    const bool forever = timeout < nanoseconds::zero();
    if (Outcome trouble = Connect(); !trouble.ok()) return trouble;
    const auto reply = talk_->Ask(
        fmt::format("acquire {} {}", path_, Seconds(timeout)),
        forever ? proc::kForever
                : proc::In(timeout + nanoseconds(source_.patience.answer)),
        {"ok", "timeout", "error"});
    if (forever && reply.text.starts_with("timeout")) {
      return Trouble(
          "the adapter answered timeout to an acquire that may wait for ever");
    }
    return OutcomeOf(reply);
  }

  Outcome Release() override {
    if (Outcome trouble = Connect(); !trouble.ok()) return trouble;
    return OutcomeOf(talk_->Ask("release", proc::In(source_.patience.answer),
                                {"ok", "error"}));
  }

 private:
  // The adapter of this process, started if there is none.
  Outcome Connect() {
    if (talk_ && owner_ == getpid()) return {};
    talk_.reset();
    owner_ = getpid();
    try {
      talk_.emplace(source_.command);
    } catch (const std::system_error& error) {
      return Trouble(fmt::format("cannot start the adapter: {}", error.what()),
                     error.code().value());
    }
    lockfile::Traits traits;
    const std::string fault = talk_->Greet(source_.patience.start, &traits);
    return fault.empty() ? Outcome{} : Trouble(fault);
  }

  // Nothing is known any more of what it holds: killing it makes that the
  // crash of a holder, and the next call has another one to talk to.
  Outcome Trouble(std::string what, int sys = 0) {
    talk_.reset();
    return {.got = Got::kError, .sys = sys, .message = std::move(what)};
  }

  Outcome OutcomeOf(const Talk::Reply& reply) {
    if (!reply.fault.empty()) return Trouble(reply.fault);
    if (reply.text.starts_with("ok")) return {};
    if (reply.text.starts_with("timeout")) {
      return {.got = Got::kTimeout, .message = "timeout"};
    }
    const std::string text = reply.text.substr(
        std::min(reply.text.size(), std::string_view("error ").size()));
    return {.got = Got::kError, .sys = ErrnoIn(text), .message = text};
  }

  const Source& source_;
  const std::string path_;
  std::optional<Talk> talk_;
  pid_t owner_ = -1;  // the process whose adapter it is
};

class AdapterFactory : public SubjectFactory {
 public:
  explicit AdapterFactory(Source source) : source_(std::move(source)) {}

  [[nodiscard]] std::string_view name() const override { return source_.name; }
  [[nodiscard]] std::unique_ptr<Subject> Make(
      const std::string& path) const override {
    return std::make_unique<AdapterSubject>(source_, path);
  }
  [[nodiscard]] bool remote() const override { return true; }
  [[nodiscard]] std::string WhyMissing() const override {
    return Declared().fault;
  }
  [[nodiscard]] lockfile::Traits traits() const override {
    return Declared().traits;
  }

 private:
  struct Declaration {
    std::string fault;
    lockfile::Traits traits;
  };

  const Declaration& Declared() const {
    if (declared_) return *declared_;
    Declaration& asked = declared_.emplace();
    // Threads of one process have an adapter each.
    asked.traits.excludes_threads = false;
    try {
      // Nobody kills this process's own group, and what the adapter has
      // started must not outlive it.
      Talk talk(source_.command, {.own_group = true});
      asked.fault = talk.Greet(source_.patience.start, &asked.traits);
      if (asked.fault.empty()) talk.Quit();
    } catch (const std::system_error& error) {
      asked.fault = error.what();
    }
    if (!asked.fault.empty() && !source_.advice.empty()) {
      asked.fault += "; " + source_.advice;
    }
    return asked;
  }

  const Source source_;
  mutable std::optional<Declaration> declared_;
};

}  // namespace

std::unique_ptr<SubjectFactory> SubjectBehind(std::string name,
                                              std::vector<std::string> command,
                                              std::string advice,
                                              Patience patience) {
  return std::make_unique<AdapterFactory>(Source{.name = std::move(name),
                                                 .command = std::move(command),
                                                 .advice = std::move(advice),
                                                 .patience = patience});
}

}  // namespace locklab::adapters
