#pragma once
// SQLite's own file layer, with a watch on each sync: how long the disk takes to confirm.

#include <chrono>
#include <functional>

namespace kiln::base {

/// Name of a file layer (DatabaseOptions::vfs) that is the default one and counts each sync of a file into
/// kiln_journal_fsync_seconds. Made by the first call. Any thread.
const char* timed_vfs();

}  // namespace kiln::base
