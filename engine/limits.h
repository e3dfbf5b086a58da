#pragma once
// Caps of the engine itself, named, with their unit; what lower layers need too stands in engine/base/limits.h.

#include <cstddef>
#include <cstdint>

namespace kiln::engine::limits {

// Journal.
inline constexpr std::uint32_t kAttemptsKept = 100;      ///< rows of failed attempts of one output; beyond, the newest only
inline constexpr std::size_t kAttemptReplyMax = 4096;    ///< bytes kept of the answer to a failed attempt
inline constexpr std::size_t kJobsKept = 1000;           ///< jobs that a new journal file takes over
inline constexpr std::size_t kEndedJobsKept = 200;       ///< of them, that have ended
inline constexpr std::size_t kPruneRowsPerCommit = 2000; ///< rows of metadata copied in one commit

// Retention and backup.
inline constexpr std::int64_t kKeeperFirstMs = 60'000;      ///< after the start: the first look at what is past its time
inline constexpr std::int64_t kKeeperEveryMs = 3'600'000;   ///< then
inline constexpr std::uint64_t kReserveBytes = 64u << 20;   ///< of the disk: kept for ends of deliveries when it is full

}  // namespace kiln::engine::limits
