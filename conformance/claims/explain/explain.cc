#include "conformance/claims/explain/explain.h"

#include <algorithm>
#include <string>

#include "conformance/claims/explain/texts.h"

namespace locklab::claims {
namespace {

std::string_view Trimmed(std::string_view text) {
  const size_t from = text.find_first_not_of(" \n");
  if (from == std::string_view::npos) return "";
  return text.substr(from, text.find_last_not_of(" \n") + 1 - from);
}

// Collects the lines of the part that is open.
class Parser {
 public:
  explicit Parser(std::string_view markdown) : rest_(markdown) {}

  std::vector<ExplainSection> Parse() {
    while (!rest_.empty()) {
      const char* start = rest_.data();
      const std::string_view line = NextLine();
      if (line.starts_with("```")) fenced_ = !fenced_;
      // In code, a line with "## " is a comment.
      if (!fenced_ && line.starts_with("## ")) {
        Close(start);
        sections_.push_back({{Trimmed(line.substr(3)), {}}, {}});
      } else if (!fenced_ && line.starts_with("### ")) {
        Close(start);
        Open(Trimmed(line.substr(4)));
      }
    }
    Close(rest_.data());
    return std::move(sections_);
  }

 private:
  std::string_view NextLine() {
    const size_t end = std::min(rest_.find('\n'), rest_.size());
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return line;
  }

  void Close(const char* end) {
    if (part_ == nullptr) return;
    *part_ = Trimmed({body_, static_cast<size_t>(end - body_)});
    part_ = nullptr;
  }

  void Open(std::string_view heading) {
    if (sections_.empty()) return;
    ExplainSection& section = sections_.back();
    const auto* at =
        std::find(kExplainHeadings.begin(), kExplainHeadings.end(), heading);
    const auto index = static_cast<size_t>(at - kExplainHeadings.begin());
    if (at == kExplainHeadings.end() ||
        !section.explanation.parts[index].empty()) {
      section.strange.push_back(heading);
      return;
    }
    part_ = &section.explanation.parts[index];
    body_ = rest_.data();
  }

  std::string_view rest_;
  bool fenced_ = false;
  std::vector<ExplainSection> sections_;
  std::string_view* part_ = nullptr;
  const char* body_ = nullptr;
};

}  // namespace

std::string_view FamilyOf(std::string_view id) {
  return id.substr(0, id.find('.'));
}

std::vector<ExplainSection> ParseExplanations(std::string_view markdown) {
  return Parser(markdown).Parse();
}

std::vector<ExplainFile> ExplainFiles() {
  std::vector<ExplainFile> files;
  for (const EmbeddedText& file : ExplainTexts()) {
    files.push_back({file.name, ParseExplanations(file.text)});
  }
  return files;
}

std::optional<Explanation> Explain(std::string_view id) {
  const auto text = FindText(ExplainTexts(), std::string(FamilyOf(id)) + ".md");
  if (!text) return std::nullopt;
  for (const ExplainSection& section : ParseExplanations(*text)) {
    if (section.explanation.id == id) return section.explanation;
  }
  return std::nullopt;
}

}  // namespace locklab::claims
