// Text of unknown origin (file names, messages of the system, what a foreign
// lock printed) made fit for a document.
#ifndef LOCKLAB_CONFORMANCE_REPORT_PLAIN_H_
#define LOCKLAB_CONFORMANCE_REPORT_PLAIN_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace locklab::report {

// Valid UTF-8 of characters that every format and terminal bears: line feeds
// and tabs stay, and U+FFFD stands for every other control character, every
// noncharacter and every byte that is not UTF-8.
[[nodiscard]] std::string Plain(std::string_view text);

// Plain, with one blank for each run of white space.
[[nodiscard]] std::string OneLine(std::string_view text);

// The lines of `text`, Plain and without tabs; what follows the last line feed
// counts only if it is not empty.
[[nodiscard]] std::vector<std::string> PlainLines(std::string_view text);

// `text`, which is UTF-8, or its beginning and "..." in at most `bytes` (3 or
// more).
[[nodiscard]] std::string Shorten(std::string text, size_t bytes);

// `text` with the entities that XML and HTML need, within quotes too.
[[nodiscard]] std::string Entities(std::string_view text);

}  // namespace locklab::report

#endif  // LOCKLAB_CONFORMANCE_REPORT_PLAIN_H_
