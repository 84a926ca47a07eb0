#include "conformance/report/plain.h"

#include <algorithm>
#include <cstdint>

namespace locklab::report {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

// How many bytes from the front of `text` are one character of well-formed
// UTF-8, and which; 0: none.
size_t Decode(std::string_view text, uint32_t* character) {
  const auto byte = [&text](size_t i) {
    return static_cast<uint32_t>(static_cast<unsigned char>(text[i]));
  };
  const uint32_t lead = byte(0);
  if (lead < 0x80) {
    *character = lead;
    return 1;
  }
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  uint32_t value = lead & (0x7fU >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    value = value << 6 | (byte(i) & 0x3f);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < kLeast[length] || value > 0x10ffff || surrogate) return 0;
  *character = value;
  return length;
}

bool IsFit(uint32_t character) {
  if (character < 0x20) return character == '\n' || character == '\t';
  const bool control = character >= 0x7f && character < 0xa0;
  return !control && (character & 0xfffe) != 0xfffe;
}

}  // namespace

std::string Plain(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    uint32_t character = 0;
    const size_t length = Decode(text, &character);
    if (length > 0 && IsFit(character)) {
      out += text.substr(0, length);
    } else {
      out += kReplacement;
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

std::string OneLine(std::string_view text) {
  std::string spaced(text);
  // A carriage return is white space here, and no sign of foul play.
  std::replace(spaced.begin(), spaced.end(), '\r', ' ');
  std::string out;
  for (const char c : Plain(spaced)) {
    const bool white = c == ' ' || c == '\n' || c == '\t';
    if (!white) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::vector<std::string> PlainLines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(Plain(line));
    std::replace(lines.back().begin(), lines.back().end(), '\t', ' ');
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string Shorten(std::string text, size_t bytes) {
  if (text.size() <= bytes) return text;
  size_t end = bytes - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) {
    --end;
  }
  text.resize(end);
  return text + "...";
}

std::string Entities(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace locklab::report
