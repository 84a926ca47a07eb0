// What a claim means: why it matters, what breaks without it, what usually
// makes it fail, and how to see it by hand. The texts are the Markdown files of
// this folder, one a family of claims: exclusion.md for exclusion.*; each claim
// has a section there:
//
//   ## exclusion.herd
//   ### Why it matters
//   ### What breaks without it
//   ### Usual causes
//   ### By hand
//
// Statement, level and source stand in the claim's row and not here.
#ifndef LOCKLAB_CONFORMANCE_CLAIMS_EXPLAIN_EXPLAIN_H_
#define LOCKLAB_CONFORMANCE_CLAIMS_EXPLAIN_EXPLAIN_H_

#include <array>
#include <optional>
#include <string_view>
#include <vector>

namespace locklab::claims {

// The parts in their order, by their headings.
inline constexpr std::array<std::string_view, 4> kExplainHeadings = {
    "Why it matters", "What breaks without it", "Usual causes", "By hand"};

// Markdown: paragraphs, lists with "- ", fenced code. Lives as long as the
// program. A part that the text lacks is empty.
struct Explanation {
  std::string_view id;
  std::array<std::string_view, 4> parts;  // as kExplainHeadings
};

// nullopt: nobody has explained it.
[[nodiscard]] std::optional<Explanation> Explain(std::string_view id);

// "exclusion" of "exclusion.herd": the name of its file, without ".md".
[[nodiscard]] std::string_view FamilyOf(std::string_view id);

// --- for tests ---------------------------------------------------------------

// One "## " section of a file.
struct ExplainSection {
  Explanation explanation;
  // "### " headings that are none of the four, or come again.
  std::vector<std::string_view> strange;
};
[[nodiscard]] std::vector<ExplainSection> ParseExplanations(
    std::string_view markdown);

struct ExplainFile {
  std::string_view name;  // "exclusion.md"
  std::vector<ExplainSection> sections;
};
[[nodiscard]] std::vector<ExplainFile> ExplainFiles();

}  // namespace locklab::claims

#endif  // LOCKLAB_CONFORMANCE_CLAIMS_EXPLAIN_EXPLAIN_H_
