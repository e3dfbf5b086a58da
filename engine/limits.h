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
inline constexpr std::size_t kAttachmentMin = 64u << 10;  ///< bytes of a field, or of a body that is no v2 message, from which it is kept apart
inline constexpr std::size_t kHotBodyFactor = 16;        ///< what stays of a message may have so many times that
inline constexpr std::uint64_t kRecordsPerKey = 1u << 31;  ///< values that one data key seals (NIST SP 800-38D: below 2^32)
inline constexpr std::size_t kPruneRowsPerCommit = 2000; ///< rows of metadata copied in one commit

// Delivery.
inline constexpr std::size_t kKeyOutputsMax = 64;  ///< outputs of one held key that are read from the journal at once

// Quarantine.
inline constexpr std::size_t kQuarantineListMax = 20'000;  ///< messages that one look at the quarantine takes

// Replay.
inline constexpr std::size_t kReplayPageMax = 200;        ///< messages that a replay looks for at once
inline constexpr std::size_t kPreviewLinesMax = 1'000;    ///< messages that a dry run names; all are counted
inline constexpr std::size_t kStaleLookMax = 20'000;      ///< newer messages that a replay looks at for the same ordering key
inline constexpr std::int64_t kReplayRateMax = 100'000;   ///< messages a second

// Reload.
inline constexpr std::size_t kDiffLinesMax = 2'000;  ///< differing lines of one file that a diff shows
inline constexpr std::size_t kSiteSignatureMax = 4u << 20;  ///< bytes of names and times of the files of a site
inline constexpr std::size_t kVersionsShownMax = 200;  ///< applied versions of a site that `history` lists

// ---- admin API: accounts, sessions, streams ----
inline constexpr std::size_t kPasswordBytesMin = 12;
inline constexpr std::size_t kPasswordBytesMax = 256;
inline constexpr std::size_t kUserNameBytesMax = 64;
inline constexpr std::size_t kAccountsMax = 1'000;
inline constexpr std::size_t kApiTokensMax = 1'000;
inline constexpr std::size_t kSessionsMax = 1'000;
inline constexpr std::size_t kSessionsPerUserMax = 10;   ///< the oldest ends when one more begins
inline constexpr std::size_t kLoginsWaitingMax = 16;      ///< passwords that wait to be verified
inline constexpr std::size_t kLoginsWaitingPerAddressMax = 4;  ///< of them, of one client address
inline constexpr std::int64_t kLoginsPerSecond = 2;       ///< of one client address, beyond a burst
inline constexpr std::int64_t kLoginBurst = 60;
inline constexpr std::size_t kAdminConnectionsMax = 500;  ///< of the console's listener
inline constexpr std::size_t kAdminConnectionsPerAddressMax = 100;
inline constexpr std::size_t kLoginNamesRememberedMax = 10'000;  ///< names with failed logins
inline constexpr std::int64_t kRefusalsTold = 20;          ///< refused logins of names that nobody has, of one address, that the audit trail takes at once
inline constexpr std::size_t kStrangersRemembered = 1'000;  ///< addresses they are counted for
inline constexpr std::int64_t kBootstrapSeconds = 15 * 60;
inline constexpr std::int64_t kSessionSecondsMax = 12 * 3'600;  ///< however busy
inline constexpr std::int64_t kBreakGlassSeconds = 30 * 60;
inline constexpr std::size_t kEventClientsMax = 200;
inline constexpr std::size_t kAdminBodyBytesMax = 32u << 20;  ///< request body: an edited message, files of a playground
inline constexpr std::size_t kBodyPageBytesMax = 256u << 10;  ///< of a message, in one JSON answer
inline constexpr std::size_t kSegmentsPageMax = 2'000;        ///< segments in one answer
inline constexpr std::size_t kLspSessionsMax = 16;
inline constexpr std::int64_t kLspIdleSeconds = 600;
inline constexpr std::size_t kAuditDetailBytesMax = 4'096;
inline constexpr std::uint64_t kAuditCheckpointRecords = 1'000;

// Retention and backup.
inline constexpr std::int64_t kKeeperFirstMs = 60'000;      ///< after the start: the first look at what is past its time
inline constexpr std::int64_t kKeeperEveryMs = 3'600'000;   ///< then
inline constexpr std::uint64_t kReserveBytes = 64u << 20;   ///< of the disk: kept for ends of deliveries when it is full

inline constexpr std::int64_t kReserveLookMs = 1'000;       ///< between two looks whether the disk has space for the reserve again
inline constexpr std::uint64_t kReserveFreeBytes = 16u << 20;  ///< what must be free beside the reserve before it is taken

// Scrub.
inline constexpr std::int64_t kScrubFirstMs = 120'000;        ///< after the start: the first part
inline constexpr std::int64_t kScrubEveryMs = 250;            ///< between two parts of the walk
inline constexpr std::uint64_t kScrubBytesPerPart = 1u << 20;   ///< read in one part: 4 MB a second
inline constexpr std::size_t kScrubMessagesPerPart = 500;      ///< looked at in one part
inline constexpr std::int64_t kScrubRestMs = 6 * 3'600'000;   ///< between the end of one walk and the next
inline constexpr std::size_t kScrubFaultsKept = 100;           ///< damaged records that are named

// ---- index, search ----
inline constexpr std::size_t kQueryWordsMax = 500;          ///< words of one query
inline constexpr std::size_t kQueryDepthMax = 50;           ///< parentheses and NOT inside each other
inline constexpr std::size_t kIndexBatch = 8'000;           ///< messages that one commit of the index holds
inline constexpr std::size_t kIndexBatchBytes = 8u << 20;   ///< bytes of bodies read for one commit
inline constexpr std::size_t kIndexTokensMax = 50'000;       ///< different keys and words of one message; what is beyond is not indexed
inline constexpr std::size_t kIndexTextBytesMax = 256u << 10;  ///< of a body whose words are indexed, from its beginning
inline constexpr std::int64_t kSearchBudgetMs = 2'000;      ///< one search; then the answer says how far it is complete
inline constexpr std::uint64_t kSearchContentIdsPerRead = 2'000;  ///< messages whose bodies are looked at between two looks at the clock

// ---- FHIR store ----
inline constexpr std::size_t kTextColumnBytesMax = 16u << 20;  ///< strings of one parameter that are kept in memory for :contains
inline constexpr std::size_t kTextColumnsBytes = 32u << 20;    ///< of all parameters together
inline constexpr std::size_t kTextColumnChangesMax = 200;      ///< resources changed since, which are looked at one by one
inline constexpr std::size_t kFeedWindowBytes = 8u << 20;  ///< newest changes that subscriptions share, of the store's feed

// ---- observe ----
inline constexpr std::size_t kAlertNotesMax = 1'000;       ///< notes that wait for one route; beyond, the oldest go
inline constexpr std::int64_t kStuckMs = 10'000;           ///< without progress: a thread counts as stuck (operations.md §5)
inline constexpr std::int64_t kClockStepMs = 5'000;        ///< a jump of the clock beyond that is counted

}  // namespace kiln::engine::limits
