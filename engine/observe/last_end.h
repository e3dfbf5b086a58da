#pragma once
// How the run before this one ended, for the alerts: by order, by a disk that did not confirm, or by the supervisor that found it
// stuck (systemd's watchdog sends SIGABRT). Kept in DATA/last_end.

#include <string>

#include "engine/base/result.h"

namespace kiln::engine {

enum class LastEnd : std::uint8_t {
  none,      ///< the first run in this folder
  orderly,   ///< told to stop
  unknown,   ///< killed, out of memory, or the power went
  fsync,     ///< exit 74
  watchdog,  ///< aborted from outside
};
const char* name_of(LastEnd end);

/// One a process. Not a seam: a signal handler may do little more than write to a file that is open.
class EndNote {
 public:
  /// Reads how the last run ended, and notes that this one has begun. From now on an abort from outside is noted too.
  /// Without a folder that can be written nothing is noted.
  static LastEnd begin(const std::string& data_folder);
  /// Async-signal-safe.
  static void note(LastEnd end);
};

}  // namespace kiln::engine
