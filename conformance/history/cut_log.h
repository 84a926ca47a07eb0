// Gives back the room that a killed writer had taken for what was to come.
#ifndef LOCKLAB_CONFORMANCE_HISTORY_CUT_LOG_H_
#define LOCKLAB_CONFORMANCE_HISTORY_CUT_LOG_H_

#include <string>

namespace locklab::history {

// Cuts the file of a log to what was recorded, as its writer would have. The
// writer must be dead. Throws HistoryError if the log is damaged or cannot be
// cut; reads all of it.
void CutLog(const std::string& path);

}  // namespace locklab::history

#endif  // LOCKLAB_CONFORMANCE_HISTORY_CUT_LOG_H_
