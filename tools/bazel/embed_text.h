// Text files that are part of a program: what the macro embed_text
// (embed_text.bzl) makes of them.
#ifndef LOCKLAB_TOOLS_BAZEL_EMBED_TEXT_H_
#define LOCKLAB_TOOLS_BAZEL_EMBED_TEXT_H_

#include <optional>
#include <span>
#include <string_view>

namespace locklab {

// One file; both live as long as the program.
struct EmbeddedText {
  std::string_view name;  // without its folder: "exclusion.md"
  std::string_view text;  // byte for byte
};

// nullopt: no file of that name.
[[nodiscard]] inline std::optional<std::string_view> FindText(
    std::span<const EmbeddedText> files, std::string_view name) {
  for (const EmbeddedText& file : files) {
    if (file.name == name) return file.text;
  }
  return std::nullopt;
}

}  // namespace locklab

#endif  // LOCKLAB_TOOLS_BAZEL_EMBED_TEXT_H_
