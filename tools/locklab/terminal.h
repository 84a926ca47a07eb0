// Text for whoever reads it: how wide, and Markdown as plain lines.
#ifndef LOCKLAB_TOOLS_LOCKLAB_TERMINAL_H_
#define LOCKLAB_TOOLS_LOCKLAB_TERMINAL_H_

#include <string>
#include <string_view>

#include "tools/locklab/command.h"

namespace locklab::cli {

// Columns of standard output if a person reads it, at least 40; else 80.
[[nodiscard]] int WidthOf(const Console& out);

// Paragraphs and lists ("- ") wrapped to `width` with `indent` blanks in front;
// fenced code as it is and at the left edge, so that it can be pasted. Other
// markup stays as it is. Every line ends with a newline.
[[nodiscard]] std::string MarkdownToText(std::string_view markdown, int width,
                                         int indent);

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_TERMINAL_H_
