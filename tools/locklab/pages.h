// --html: many runs, and what else was found, as one page to look at.
#ifndef LOCKLAB_TOOLS_LOCKLAB_PAGES_H_
#define LOCKLAB_TOOLS_LOCKLAB_PAGES_H_

#include <string>
#include <vector>

#include "tools/locklab/command.h"

namespace locklab::cli {

struct HtmlPageFile {
  bool wanted = false;  // --html
  std::string path;
  std::vector<std::string> data;  // files of JSON, for the page
};
// Where it goes if --html names no file.
inline constexpr const char* kUsualPage = "locklab-report.html";

// Throws UsageError if the file cannot be made or is data, or if there are data
// and no page.
void CheckPage(const HtmlPageFile& page);

// Writes the page of all runs of the stores in `results`, or only of those
// that `run` names if it is not empty, and of the files. Returns an Exit.
// Throws UsageError for what cannot be read, StoreError if that may pass.
[[nodiscard]] int WritePage(const HtmlPageFile& file,
                            const std::vector<std::string>& results,
                            const std::string& run, Context& context);

}  // namespace locklab::cli

#endif  // LOCKLAB_TOOLS_LOCKLAB_PAGES_H_
