#include "conformance/history/log_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace locklab::history {
namespace {

constexpr char kMagic[9] = "LLABHIST";
constexpr uint32_t kByteOrder = 0x01020304;

// FNV-1a.
uint32_t HeaderCheck(const LogHeader& header) {
  unsigned char bytes[offsetof(LogHeader, check)];
  std::memcpy(bytes, &header, sizeof bytes);
  uint32_t hash = 2166136261u;
  for (const unsigned char byte : bytes) hash = (hash ^ byte) * 16777619u;
  return hash;
}

template <size_t kSize>
void PutText(const std::string& text, char (&field)[kSize]) {
  std::copy_n(text.data(), std::min(text.size(), kSize - 1), field);
}

template <size_t kSize>
std::string GetText(const char (&field)[kSize]) {
  return {field, strnlen(field, kSize)};
}

}  // namespace

HistoryError::HistoryError(std::string_view path, std::string_view what)
    : std::runtime_error(fmt::format("history {}: {}", path, what)) {}

LogHeader PackHeader(const LogInfo& info) {
  LogHeader header{};
  std::memcpy(header.magic, kMagic, sizeof header.magic);
  header.version = kLogVersion;
  header.header_bytes = kHeaderBytes;
  header.event_bytes = sizeof(Event);
  header.byte_order = kByteOrder;
  header.seed = info.seed;
  header.start_ns = info.start_ns;
  header.start_wall_s = info.start_wall_s;
  header.actor = info.actor;
  header.pid = info.pid;
  PutText(info.subject, header.subject);
  PutText(info.command_line, header.command_line);
  PutText(info.kernel, header.kernel);
  PutText(info.fs_type, header.fs_type);
  PutText(info.fs_options, header.fs_options);
  header.check = HeaderCheck(header);
  return header;
}

LogInfo UnpackHeader(const LogHeader& header, std::string_view path) {
  if (std::memcmp(header.magic, kMagic, sizeof header.magic) != 0) {
    throw HistoryError(path, "this is not a history of locklab");
  }
  if (header.byte_order != kByteOrder) {
    throw HistoryError(path, "written by a machine of another byte order");
  }
  if (header.version != kLogVersion) {
    throw HistoryError(path, fmt::format("of version {}; this program reads {}",
                                         header.version, kLogVersion));
  }
  if (header.check != HeaderCheck(header) ||
      header.header_bytes != kHeaderBytes ||
      header.event_bytes != sizeof(Event)) {
    throw HistoryError(path, "the header is damaged");
  }
  LogInfo info;
  info.actor = header.actor;
  info.seed = header.seed;
  info.pid = header.pid;
  info.start_ns = header.start_ns;
  info.start_wall_s = header.start_wall_s;
  info.subject = GetText(header.subject);
  info.command_line = GetText(header.command_line);
  info.kernel = GetText(header.kernel);
  info.fs_type = GetText(header.fs_type);
  info.fs_options = GetText(header.fs_options);
  return info;
}

}  // namespace locklab::history
