// Small files that hold a record: written whole, read with suspicion.
#ifndef LOCKLAB_LIB_BACKENDS_RECORD_FILE_H_
#define LOCKLAB_LIB_BACKENDS_RECORD_FILE_H_

#include <sys/types.h>

#include <string>
#include <string_view>

#include "lib/errors.h"
#include "lib/os/os.h"

namespace lockfile {

// Creates the file, which nobody else knows of yet, with this text. On failure
// nothing is left. `info` (may be null): of the file.
Status WriteRecordFile(os::Os& os, const std::string& path,
                       std::string_view text, mode_t mode, os::FileInfo* info);

// Reads the first part of a regular file, enough for a record of ours. 0 or an
// errno; ELOOP for a symbolic link, ENOTSUP for what is no regular file. Does
// not block on a FIFO and follows nothing. `info` null: what kind of file it is
// is not asked.
int ReadRecordFile(os::Os& os, const std::string& path, std::string* text,
                   os::FileInfo* info);

}  // namespace lockfile

#endif  // LOCKLAB_LIB_BACKENDS_RECORD_FILE_H_
