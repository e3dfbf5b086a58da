#pragma once
// Named places where a test may end, delay or fail the program (reliability.md A3). The program has the names only: what
// happens there is decided by a hook that test programs set (tests/support/failpoints.h). Without it a place costs one
// relaxed load.

#include <atomic>
#include <cstdint>

#include "engine/base/result.h"

namespace kiln::base {

enum class FailpointAction : std::uint8_t { none, disk_full, io_failed, fsync_failed, torn };
/// Called with the name each time a place is passed; may not return.
using FailpointHook = FailpointAction (*)(const char* name);

namespace detail {
inline std::atomic<FailpointHook> failpoint_hook{nullptr};
Status failpoint_error(FailpointAction action);
}  // namespace detail

/// A place of a function that can fail: `TRY_VOID(base::failpoint("journal.message"))`.
inline Status failpoint(const char* name) {
  const FailpointHook hook = detail::failpoint_hook.load(std::memory_order_relaxed);
  if (hook == nullptr) [[likely]]
    return {};
  return detail::failpoint_error(hook(name));
}

/// A place that has no error to give.
inline void failpoint_here(const char* name) {
  if (const FailpointHook hook = detail::failpoint_hook.load(std::memory_order_relaxed)) hook(name);
}

/// A place that writes: true when only the first half is to be written, before failpoint_here() of the same name with
/// ".torn" ends the program.
inline bool failpoint_torn(const char* name) {
  const FailpointHook hook = detail::failpoint_hook.load(std::memory_order_relaxed);
  return hook != nullptr && hook(name) == FailpointAction::torn;
}

}  // namespace kiln::base
