#include "conformance/expect/expectations.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <system_error>

#include "conformance/expect/packs.h"
#include "conformance/report/write_file.h"
#include "lib/errors.h"

namespace locklab::expect {
namespace {

constexpr std::string_view kBlanks = " \t\r";
constexpr size_t kLongestFile = size_t{1} << 20;

std::string_view Trim(std::string_view text) {
  const size_t from = text.find_first_not_of(kBlanks);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kBlanks) - from + 1);
}

// Takes the first word off `rest`.
std::string TakeWord(std::string_view* rest) {
  *rest = Trim(*rest);
  const size_t end = std::min(rest->find_first_of(kBlanks), rest->size());
  std::string word(rest->substr(0, end));
  rest->remove_prefix(end);
  return word;
}

bool Matches(const std::string& pattern, std::string_view name) {
  return fnmatch(pattern.c_str(), std::string(name).c_str(), 0) == 0;
}

void RequireMatch(const std::string& pattern, std::string_view what,
                  const std::vector<std::string_view>& names,
                  const std::string& where) {
  const bool found =
      std::any_of(names.begin(), names.end(),
                  [&pattern](auto name) { return Matches(pattern, name); });
  if (found) return;
  throw ExpectError(fmt::format("{}: {} matches no {} (see locklab list {}s)",
                                where, pattern, what, what));
}

// Lines as they are meant: continued ones joined, each with its number.
struct Numbered {
  int number = 0;
  std::string text;
};

std::vector<Numbered> LinesOf(std::string_view text) {
  std::vector<Numbered> lines;
  for (int number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view raw = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string_view line = Trim(raw);
    if (line.empty() || line.front() == '#') continue;
    if (kBlanks.find(raw.front()) != std::string_view::npos && !lines.empty()) {
      lines.back().text += " " + std::string(line);
    } else {
      lines.push_back({number, std::string(line)});
    }
  }
  return lines;
}

}  // namespace

Expectations::Line Expectations::Parse(std::string_view line,
                                       const std::string& where,
                                       const Names& names) {
  Line parsed;
  parsed.filesystem = TakeWord(&line);
  parsed.backend = TakeWord(&line);
  parsed.claim = TakeWord(&line);
  const std::string kind = TakeWord(&line);
  if (kind == "fails") {
    parsed.kind = Kind::kFails;
  } else if (kind == "may-fail") {
    parsed.kind = Kind::kMayFail;
  } else if (kind == "holds") {
    parsed.kind = Kind::kHolds;
  } else {
    throw ExpectError(fmt::format(
        "{}: \"{}\" where \"fails\", \"may-fail\" or \"holds\" was expected; a "
        "line is FILESYSTEM BACKEND CLAIM fails REASON",
        where, kind));
  }
  std::string_view reason = Trim(line);
  const size_t link = reason.rfind('<');
  if (reason.ends_with('>') && link != std::string_view::npos) {
    parsed.text.link = reason.substr(link + 1, reason.size() - link - 2);
    reason = Trim(reason.substr(0, link));
  }
  if (reason.empty()) {
    throw ExpectError(where + ": the reason is missing: say why this is known");
  }
  parsed.text.reason = reason;
  parsed.text.where = where;
  if (names.any) return parsed;
  RequireMatch(parsed.claim, "claim", names.claims, where);
  if (parsed.backend != "-") {
    RequireMatch(parsed.backend, "backend", names.backends, where);
  }
  return parsed;
}

void Expectations::Add(std::string_view text, const std::string& file,
                       const Names& names) {
  std::vector<Line> added;
  for (const Numbered& line : LinesOf(text)) {
    added.push_back(
        Parse(line.text, fmt::format("{}:{}", file, line.number), names));
  }
  lines_.insert(lines_.end(), added.begin(), added.end());
}

void Expectations::Apply(std::string_view filesystem, std::string_view backend,
                         report::ClaimResult* result) const {
  const auto line =
      std::find_if(lines_.rbegin(), lines_.rend(), [&](const Line& candidate) {
        return Matches(candidate.filesystem, filesystem) &&
               Matches(candidate.backend, backend) &&
               Matches(candidate.claim, result->id);
      });
  if (line == lines_.rend() || line->kind == Kind::kHolds) return;
  Verdict& verdict = result->finding.verdict;
  if (verdict == Verdict::kFail) {
    verdict = Verdict::kXfail;
    result->expected = line->text;
  } else if (verdict == Verdict::kPass && line->kind == Kind::kFails) {
    verdict = Verdict::kXpass;
    result->expected = line->text;
  }
}

std::vector<Pack> Packs() {
  constexpr std::string_view kSuffix = ".expect";
  std::vector<Pack> packs;
  for (const EmbeddedText& file : PackTexts()) {
    const std::string_view first = file.text.substr(0, file.text.find('\n'));
    packs.push_back({file.name.substr(0, file.name.size() - kSuffix.size()),
                     Trim(first.substr(std::min(first.size(), size_t{1}))),
                     file.text});
  }
  return packs;
}

namespace {

std::vector<Source> PacksOf(std::string_view name) {
  std::vector<Source> found;
  std::string known = " @all";
  for (const Pack& pack : Packs()) {
    known += fmt::format(", @{}", pack.name);
    if (pack.name != name && name != "all") continue;
    found.push_back({fmt::format("@{}", pack.name), std::string(pack.text)});
  }
  if (!found.empty()) return found;
  throw ExpectError(
      fmt::format("there is no expectation pack @{}; those that come with "
                  "locklab are:{}",
                  name, known));
}

std::string ReadFile(const std::string& name) {
  errno = 0;
  std::ifstream file(name, std::ios::binary);
  std::string text(kLongestFile + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad() || errno == EISDIR) {
    throw ExpectError(fmt::format("cannot read the expectations {}: {}", name,
                                  std::strerror(errno != 0 ? errno : EIO)));
  }
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kLongestFile) {
    throw ExpectError(fmt::format(
        "{} is longer than 1 MiB: that is no list of expectations", name));
  }
  return text;
}

std::vector<Source> SourcesOf(const std::string& name) {
  if (name.starts_with("@")) return PacksOf(std::string_view(name).substr(1));
  return {{name.substr(name.rfind('/') + 1), ReadFile(name)}};
}

// The number keeps apart what has one name in several folders.
std::string NameOfCopy(size_t number, const Source& source) {
  constexpr size_t kLongest = 100;
  std::string name = source.name.substr(0, kLongest);
  if (name.starts_with("@")) name = name.substr(1) + ".expect";
  for (char& c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       (c >= '0' && c <= '9') || c == '.' || c == '-';
    if (!plain) c = '_';
  }
  return fmt::format("{}-{}", number, name);
}

}  // namespace

std::vector<Source> AddFile(const std::string& name, const Names& names,
                            Expectations* expectations) {
  std::vector<Source> sources = SourcesOf(name);
  for (const Source& source : sources) {
    expectations->Add(source.text, source.name, names);
  }
  return sources;
}

std::string KeepSources(const std::vector<Source>& sources,
                        const std::string& dir) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) {
    return lockfile::Status::Failed("make the directory", dir, error.value())
        .message;
  }
  for (size_t i = 0; i < sources.size(); ++i) {
    std::string trouble = report::WriteFile(
        dir + "/" + NameOfCopy(i + 1, sources[i]), sources[i].text);
    if (!trouble.empty()) return trouble;
  }
  return "";
}

Expectations KeptIn(const std::string& dir) {
  // They count in the order in which they were given.
  std::map<unsigned long, std::string> copies;
  std::error_code error;
  for (std::filesystem::directory_iterator at(dir, error), end;
       !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    const auto number = std::strtoul(name.c_str(), nullptr, 10);
    if (!copies.emplace(number, at->path().string()).second) {
      throw ExpectError(name + ": another copy has its number");
    }
  }
  Expectations expectations;
  for (const auto& [number, path] : copies) {
    expectations.Add(ReadFile(path),
                     std::filesystem::path(path).filename().string(),
                     {.claims = {}, .backends = {}, .any = true});
  }
  return expectations;
}

}  // namespace locklab::expect
