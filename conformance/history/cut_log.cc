#include "conformance/history/cut_log.h"

#include <cstdint>
#include <filesystem>
#include <system_error>

#include "conformance/history/log_format.h"
#include "conformance/history/log_reader.h"

namespace locklab::history {

void CutLog(const std::string& path) {
  uint64_t events = 0;
  LogReader reader(path);
  while (reader.Next() != nullptr) ++events;
  std::error_code error;
  std::filesystem::resize_file(path, kHeaderBytes + events * sizeof(Event),
                               error);
  if (error) throw HistoryError(path, "cannot be cut: " + error.message());
}

}  // namespace locklab::history
