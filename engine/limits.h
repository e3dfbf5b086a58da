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

// Delivery.
inline constexpr std::size_t kKeyOutputsMax = 64;  ///< outputs of one held key that are read from the journal at once

// Quarantine.
inline constexpr std::size_t kQuarantineListMax = 20'000;  ///< messages that one look at the quarantine takes

// Reload.
inline constexpr std::size_t kDiffLinesMax = 2'000;  ///< differing lines of one file that a diff shows
inline constexpr std::size_t kSiteSignatureMax = 4u << 20;  ///< bytes of names and times of the files of a site
inline constexpr std::size_t kVersionsShownMax = 200;  ///< applied versions of a site that `history` lists

}  // namespace kiln::engine::limits
