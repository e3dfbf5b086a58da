#pragma once
// Runs another program once: bytes in, bytes out, with limits. Blocking; no shell.

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/result.h"

namespace kiln::channels::detail {

struct ChildRun {
  std::vector<std::string> command;      ///< path of the program, then its arguments
  std::vector<std::string> environment;  ///< "NAME=value"; nothing else is inherited
  std::string folder;                    ///< working folder
  std::string input;                     ///< what it reads
  std::int64_t timeout_ms = 30'000;      ///< then it is killed with all it has started
  std::size_t output_max = 16u << 20;    ///< bytes; more kills it
  std::size_t memory_max = 0;            ///< bytes of address space (RLIMIT_AS); 0: as this process
  std::int64_t cpu_s_max = 0;            ///< seconds (RLIMIT_CPU); 0: as this process
  std::size_t file_max = 0;              ///< bytes of a file it writes (RLIMIT_FSIZE); 0: as this process
};

struct ChildEnd {
  int exit_code = 0;       ///< 0 to 255; 128 + number when a signal ended it
  std::string output;      ///< what it wrote to standard output
  bool has_complained = false;  ///< it wrote to standard error; the text is passed over, it may hold anything
};

/// Errors: file_not_found, when there is no such program; timeout; limit_exceeded (output); cancelled, when `stop` was set.
/// io_failed, when no process could be made.
base::Result<ChildEnd> run_child(const ChildRun& run, const std::atomic<bool>& stop);

}  // namespace kiln::channels::detail
