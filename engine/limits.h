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

// ---- index, search ----
inline constexpr std::size_t kQueryWordsMax = 500;          ///< words of one query
inline constexpr std::size_t kQueryDepthMax = 50;           ///< parentheses and NOT inside each other
inline constexpr std::size_t kIndexBatch = 2'000;           ///< messages that one commit of the index holds
inline constexpr std::size_t kIndexBatchBytes = 8u << 20;   ///< bytes of bodies read for one commit
inline constexpr std::size_t kIndexTokensMax = 2'000;       ///< different keys and words of one message; what is beyond is not indexed
inline constexpr std::size_t kIndexTextBytesMax = 256u << 10;  ///< of a body whose words are indexed, from its beginning
inline constexpr std::int64_t kSearchBudgetMs = 2'000;      ///< one search; then the answer says how far it is complete
inline constexpr std::uint64_t kSearchContentIdsPerRead = 2'000;  ///< messages whose bodies are looked at between two looks at the clock

// ---- observe ----
inline constexpr std::size_t kAlertNotesMax = 1'000;       ///< notes that wait for one route; beyond, the oldest go
inline constexpr std::int64_t kStuckMs = 10'000;           ///< without progress: a thread counts as stuck (operations.md §5)
inline constexpr std::size_t kHistoryFineMax = 360;        ///< points of 10 s that are kept of each channel
inline constexpr std::size_t kHistoryCoarseMax = 1'440;    ///< points of 1 min
inline constexpr std::int64_t kClockStepMs = 5'000;        ///< a jump of the clock beyond that is counted

}  // namespace kiln::engine::limits
