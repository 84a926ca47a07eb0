// Writes the header and the source of an embed_text library:
//
//   embed_text_writer OUT.h OUT.cc INCLUDE NAMESPACE FUNCTION FILE...
//
// Runs while Bazel builds, so it stands on nothing but the compiler.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

struct File {
  std::string name;
  std::string text;
};

struct Names {
  std::string include;  // "conformance/claims/explain/texts.h"
  std::string name_space;
  std::string function;
};

std::string BaseName(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

// As string literals, one a line of the text. What is not plain is written in
// octal, which ends after three digits, whatever follows.
std::string Literal(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte >= 0x20 && byte < 0x7f && c != '?') {
      out += c;
    } else {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\%03o", unsigned{byte});
      out += escape;
    }
    if (c == '\n') out += "\"\n    \"";
  }
  return out + "\"";
}

std::string Header(const Names& names) {
  std::string guard = "LOCKLAB_" + names.include + "_";
  for (char& c : guard) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    c = plain ? static_cast<char>(c & ~0x20) : '_';
  }
  return "// Made by embed_text.\n#ifndef " + guard + "\n#define " + guard +
         "\n\n#include <span>\n\n#include \"tools/bazel/embed_text.h\"\n\n"
         "namespace " +
         names.name_space + " {\n\n[[nodiscard]] std::span<const " +
         "::locklab::EmbeddedText> " + names.function + "();\n\n}\n\n#endif\n";
}

std::string Source(const Names& names, const std::vector<File>& files) {
  std::string out = "// Made by embed_text.\n#include \"" + names.include +
                    "\"\n\n#include <string_view>\n\nnamespace " +
                    names.name_space +
                    " {\n\nusing namespace std::string_view_literals;\n\n"
                    "std::span<const ::locklab::EmbeddedText> " +
                    names.function +
                    "() {\n  static constexpr ::locklab::EmbeddedText kFiles[]"
                    " = {\n";
  for (const File& file : files) {
    // A literal with a length: a text may contain NUL.
    out += "  {" + Literal(file.name) + "sv,\n    " + Literal(file.text) +
           "sv},\n";
  }
  return out + "  };\n  return kFiles;\n}\n\n}\n";
}

bool Write(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (!out) std::cerr << "embed_text_writer: cannot write " << path << "\n";
  return !!out;
}

bool Read(const std::string& path, std::vector<File>* files) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  // An empty file leaves nothing to insert, which is no error here.
  if (in && in.peek() != std::ifstream::traits_type::eof()) text << in.rdbuf();
  if (!in.is_open() || in.bad() || !text) {
    std::cerr << "embed_text_writer: cannot read " << path << "\n";
    return false;
  }
  files->push_back({BaseName(path), text.str()});
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv, argv + argc);
  if (args.size() < 7) {
    std::cerr << "usage: embed_text_writer OUT.h OUT.cc INCLUDE NAMESPACE "
                 "FUNCTION FILE...\n";
    return 2;
  }
  std::vector<File> files;
  for (size_t i = 6; i < args.size(); ++i) {
    if (!Read(args[i], &files)) return 1;
  }
  std::sort(files.begin(), files.end(),
            [](const File& a, const File& b) { return a.name < b.name; });
  for (size_t i = 1; i < files.size(); ++i) {
    if (files[i].name != files[i - 1].name) continue;
    std::cerr << "embed_text_writer: two files are named " << files[i].name
              << ": rename one\n";
    return 1;
  }
  const Names names{args[3], args[4], args[5]};
  const bool written =
      Write(args[1], Header(names)) && Write(args[2], Source(names, files));
  return written ? 0 : 1;
}
