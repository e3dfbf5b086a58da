#pragma once
// Every cap of Kiln, named, with its unit. Nothing a peer sends may grow anything without one of these.

#include <cstddef>
#include <cstdint>

namespace kiln::base::limits {

inline constexpr std::size_t kDiagnosticsMax = 200;                    ///< diagnostics kept per compile
inline constexpr std::size_t kMessageBytesMax = 16u << 20;             ///< HL7 message and HTTP body, default
inline constexpr std::size_t kXmlBytesMax = 128u << 20;                ///< a v2.xml document: tags make it larger than its message
inline constexpr std::size_t kDiffCellsMax = 4u << 20;                 ///< pairs of segments a comparison looks at
inline constexpr std::size_t kInflightBytesMax = 64u << 20;            ///< all messages in the process; beyond, sockets are not read
inline constexpr std::size_t kSegmentsMax = 10'000;                    ///< per message
inline constexpr std::size_t kFieldsMax = 1'000;                       ///< per segment
inline constexpr std::size_t kRepetitionsMax = 10'000;                 ///< per field
inline constexpr std::size_t kIndexFactorMax = 5;                      ///< memory of a message beside its bytes, in times its bytes, plus kIndexFreeBytes
inline constexpr std::size_t kIndexFreeBytes = 4'096;                  ///< what a message may cost besides in any case
inline constexpr std::size_t kFragmentsMax = 1'000;                    ///< fragments of one message (DSC)
inline constexpr std::size_t kFragmentedMessagesMax = 64;              ///< messages of a channel whose fragments are waited for
inline constexpr std::size_t kFragmentedBytesMax = 64u << 20;          ///< of all fragments kept for a channel
inline constexpr std::int64_t kFragmentWaitMs = 600'000;               ///< for the next fragment of a message
inline constexpr std::size_t kInferredValuesMax = 100;                 ///< different values counted per place when a profile is inferred
inline constexpr std::size_t kParseDiagnosticsMax = 100;               ///< per message, later ones counted
inline constexpr std::size_t kHl7FindingsMax = 100;                    ///< findings kept per validated message, later ones counted
inline constexpr std::size_t kProfileBytesMax = 64u << 20;             ///< file of a conformance profile or its tables
inline constexpr std::size_t kProfileDepthMax = 32;                    ///< nesting of its groups and conditions
inline constexpr std::size_t kAckErrorsMax = 10;                       ///< ERR segments per acknowledgement
inline constexpr std::size_t kMllpGarbageMax = 4096;                   ///< bytes of garbage kept for the report
inline constexpr std::size_t kMllpGarbageCloseBytes = 64u << 10;       ///< garbage after which a connection is closed
inline constexpr std::int64_t kMllpIdleMs = 600'000;
inline constexpr std::int64_t kMllpFrameMs = 30'000;
inline constexpr std::int64_t kAckWaitMs = 30'000;
inline constexpr std::size_t kConnectionsPerListenerMax = 5'000;
inline constexpr std::size_t kConnectionsPerPeerMax = 100;             ///< of one listener, per client address
inline constexpr std::size_t kMllpPipelinedMax = 256;                  ///< unanswered frames of a connection; beyond, it is not read
inline constexpr std::int64_t kMllpBytesPerSecondMin = 100;            ///< a frame slower than that must end within kMllpFrameMs
inline constexpr std::size_t kDeliveryBatchMax = 64;                   ///< messages per Destination::send_batch
inline constexpr std::size_t kCsvRepairBytesMax = 256u << 20;          ///< of a csv file that is scanned for a torn last line
inline constexpr std::size_t kHttpHeaderBytesMax = 32u << 10;
inline constexpr std::size_t kHttpUrlBytesMax = 8u << 10;
inline constexpr std::size_t kHttpHeadersMax = 100;
inline constexpr std::int64_t kHttpHeaderMs = 10'000;
inline constexpr std::int64_t kHttpBodyMs = 60'000;
inline constexpr std::uint64_t kArchiveUnpackedBytesMax = 2ull << 30;   ///< all files of one package
inline constexpr std::uint64_t kArchiveFileBytesMax = 128u << 20;       ///< one file of a package
inline constexpr std::size_t kJsonDepthMax = 64;
inline constexpr std::size_t kFhirFileBytesMax = 64u << 20;              ///< a file, or a line of NDJSON, that a verb reads
inline constexpr std::size_t kExpansionCodesMax = 100'000;             ///< codes of an expanded value set
inline constexpr std::size_t kXmlAttributesMax = 64;                   ///< of one element
inline constexpr std::size_t kXhtmlDepthMax = 200;                     ///< nesting of a narrative
inline constexpr std::size_t kValidationIssuesMax = 100;               ///< issues listed per resource
inline constexpr std::uint64_t kPathStepsMax = 20'000'000;             ///< FHIRPath: operations and items visited per evaluation
inline constexpr std::size_t kPathDepthMax = 100;                      ///< FHIRPath: nesting of an expression
inline constexpr std::size_t kPathExpressionBytesMax = 64u << 10;      ///< FHIRPath: text of an expression
inline constexpr std::size_t kPathResultMax = 1'000'000;               ///< FHIRPath: items of one collection
inline constexpr std::size_t kPathBytesMax = 64u << 20;                ///< FHIRPath: texts made by one evaluation
inline constexpr std::size_t kPathDigitsMax = 1'000;                   ///< FHIRPath: digits of a number that is calculated with
inline constexpr std::size_t kPatchOperationsMax = 10'000;             ///< operations of one patch
inline constexpr std::size_t kBundleEntriesMax = 5'000;
inline constexpr std::size_t kSearchParametersMax = 50;
inline constexpr std::size_t kSearchValuesMax = 500;                     ///< alternatives (,) of one parameter
inline constexpr std::size_t kSearchCountMax = 1'000;
inline constexpr std::size_t kSearchCountDefault = 50;
inline constexpr std::uint64_t kMapStepsMax = 2'000'000;               ///< IR instructions per message
inline constexpr std::size_t kMapOutputBytesMax = 32u << 20;
inline constexpr std::uint64_t kCoverageAllMax = 1'000;                 ///< messages of a channel whose fields are all looked at …
inline constexpr std::uint64_t kCoverageEvery = 32;                     ///< … beyond, one of so many
inline constexpr std::size_t kCoverageFieldsMax = 5'000;                ///< paths counted per channel
inline constexpr std::size_t kCoverageNotesMax = 1'000;                 ///< kinds of notes counted per channel
inline constexpr std::size_t kLookupKeysMax = 20'000;                   ///< lookup keys of one message
inline constexpr std::size_t kLookupRoundsMax = 8;                      ///< fetch-and-run rounds of one message
inline constexpr std::size_t kLookupArgumentBytesMax = 16u << 10;       ///< all arguments of one lookup key
inline constexpr std::size_t kLookupAnswerBytesMax = 256u << 10;        ///< cells of one row
inline constexpr std::size_t kLookupCacheEntriesMax = 100'000;          ///< answers kept per lookup with `cache`
inline constexpr std::uint64_t kLookupStepsMax = 5'000'000;             ///< virtual machine steps of one query of a lookup
inline constexpr std::size_t kLockFileBytesMax = 16u << 20;             ///< hmap.lock
inline constexpr std::size_t kCsvLineBytesMax = 1u << 20;
inline constexpr std::size_t kCsvColumnsMax = 10'000;
inline constexpr std::size_t kCsvRowsMax = 1'000'000;                    ///< rows of one file
inline constexpr std::size_t kCsvCellsMax = 20'000'000;                  ///< rows times columns of one file
inline constexpr std::size_t kTableBytesMax = 64u << 20;                 ///< file of a csv table
inline constexpr std::size_t kHmapFileBytesMax = 4u << 20;
inline constexpr std::size_t kHmapNestingMax = 200;                    ///< depth of blocks and expressions
inline constexpr std::size_t kHmapTreeHeightMax = 600;                 ///< height of a syntax tree: bounds every recursion over it
inline constexpr std::size_t kHmapInterpolationMax = 8;                  ///< strings inside the expressions of strings
inline constexpr std::size_t kStoreWordsCachedMax = 20'000;                ///< texts per dictionary of a store connection
inline constexpr std::size_t kIndexTextBytesMax = 1'000;                   ///< of a string in the search index; the rest is not searched
inline constexpr std::size_t kConditionalDeleteMax = 1'000;                ///< resources one conditional delete may remove
inline constexpr std::uint64_t kSearchStepsMax = 50'000'000;               ///< virtual machine steps of one search
inline constexpr std::int64_t kSearchTotalMax = 10'000;                    ///< hits counted for Bundle.total
inline constexpr std::size_t kSqlStatementCacheMax = 256;                  ///< prepared statements kept per connection
inline constexpr std::size_t kGroupCommitMax = 4'096;                  ///< records per journal commit
inline constexpr std::size_t kDeliveryWindowMax = 1'024;               ///< outputs of one destination kept in memory
inline constexpr std::size_t kDeliveryWindowBytesMax = 4u << 20;       ///< of their bodies
inline constexpr std::size_t kUnrecordedSendsMax = 128;                ///< sent outputs whose end is not durable yet, per destination
inline constexpr std::int64_t kStoreDelayMs = 2;                       ///< how long the outputs of a message wait for a commit they can share
inline constexpr std::int64_t kGatherMs = 4;                              ///< how long a delivery to a local disk waits for others to share its sync
inline constexpr std::int64_t kRecordDelayMs = 5;                      ///< how long the end of a delivery waits for a commit it can share
inline constexpr std::size_t kCommittedAloneMax = 3;                     ///< messages under way that are committed without waiting for neighbours
inline constexpr std::size_t kPacedCommitMax = 16;                       ///< messages after which a turn of the loop commits
inline constexpr std::size_t kPackedBytesMin = 512;                      ///< outputs from that size on wait in the journal packed
inline constexpr std::size_t kOutputBytesMax = 256u << 20;               ///< of one output, unpacked
inline constexpr std::size_t kSeenLagMax = 256;                         ///< dedupe keys a start reads from messages, not from the key table
inline constexpr std::uint64_t kSettledLagMax = 1'024;                   ///< settled messages a start looks up one by one
inline constexpr std::size_t kGroupCommitBytesMax = 16u << 20;

}  // namespace kiln::base::limits
