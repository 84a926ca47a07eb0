#include "tools/locklab/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "conformance/report/text.h"

namespace locklab::cli {
namespace {

// Puts Markdown together again line by line.
class Renderer {
 public:
  Renderer(int width, int indent)
      : width_(width - indent), margin_(static_cast<size_t>(indent), ' ') {}

  void Line(std::string_view line) {
    const size_t text = std::min(line.find_first_not_of(' '), line.size());
    if (line.substr(text).starts_with("```")) {
      Flush();
      fenced_ = !fenced_;
    } else if (fenced_) {
      out_.append(line) += '\n';
    } else if (text == line.size()) {
      Flush();
      // One blank line, and none in front.
      if (!out_.empty() && !out_.ends_with("\n\n")) out_ += '\n';
    } else {
      if (line.substr(text).starts_with("- ")) Flush();
      if (!block_.empty()) block_ += ' ';
      block_ += line.substr(text);
    }
  }

  std::string Finish() {
    Flush();
    return std::move(out_);
  }

 private:
  void Flush() {
    if (block_.empty()) return;
    const int hang = block_.starts_with("- ") ? 2 : 0;
    std::string_view rest = block_ = report::Wrap(block_, width_, hang);
    while (!rest.empty()) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      Put(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    block_.clear();
  }

  void Put(std::string_view line) {
    if (!line.empty()) out_.append(margin_).append(line);
    out_ += '\n';
  }

  int width_;
  std::string margin_;
  bool fenced_ = false;
  std::string block_;  // the paragraph or the item of a list so far
  std::string out_;
};

}  // namespace

int WidthOf(const Console& out) {
  winsize size{};
  if (!out.terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 ||
      size.ws_col == 0) {
    return 80;
  }
  return std::max<int>(size.ws_col, 40);
}

std::string MarkdownToText(std::string_view markdown, int width, int indent) {
  Renderer renderer(width, indent);
  while (!markdown.empty()) {
    const size_t end = std::min(markdown.find('\n'), markdown.size());
    renderer.Line(markdown.substr(0, end));
    markdown.remove_prefix(std::min(end + 1, markdown.size()));
  }
  return renderer.Finish();
}

}  // namespace locklab::cli
