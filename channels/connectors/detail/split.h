#pragma once
// One file as several messages: rows of CSV, lines, entries of a Bundle. Each is taken, mapped and delivered by itself; what
// became of each is written beside the file. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "channels/connector.h"
#include "engine/base/result.h"

namespace kiln::channels::detail {

enum class Split : std::uint8_t {
  none,     ///< the file is one message (hl7: each of its messages is one)
  rows,     ///< csv: each record is a message, with the first one, the header, before it
  records,  ///< csv without a header: each record is a message
  lines,    ///< NDJSON: each line that is not empty
  entries,  ///< a Bundle: each resource of its entries
};

inline constexpr const char* kSplitWords[] = {"none", "rows", "records", "lines", "entries"};
inline constexpr FieldSpec kSplitOption{
    .name = "split",
    .type = FieldType::word,
    .summary = "each part of a file is a message: `rows` of csv (the header goes with each) or `records` of csv without a "
               "header, `lines` (NDJSON) or `entries` (a Bundle) of fhir; a file of hl7 is always split",
    .default_value = "none",
    .words = kSplitWords};
inline constexpr FieldSpec kDelimiterOption{
    .name = "delimiter",
    .type = FieldType::string,
    .summary = "between the cells of `rows` and `records`; by itself the one of , ; and tab that the first line has most of"};
inline constexpr FieldSpec kResultsOption{
    .name = "results",
    .type = FieldType::path,
    .summary = "folder for what became of each message of a file that is split: NAME.results.jsonl, and of hl7 NAME.ack, a "
               "batch of acknowledgements; a name without / is below `folder`"};
Split split_of(const Options& options);
/// What of `split` does not fit `content`.
std::vector<OptionProblem> check_split(const Options& options, ContentKind content);

struct SplitItem {
  std::string bytes;
  std::string name;  ///< "Patient/p1" of an entry; else empty
};
struct SplitFile {
  std::vector<SplitItem> items;
  std::vector<std::string> notes;  ///< what is no message: "entry 3 has no resource"
};
/// Errors: unreadable_file-like ones when the file as a whole cannot be split, so that no part of it is taken: bad_value
/// (quotes that do not end, no Bundle), those of parse_json(), limit_exceeded beyond limits::kSplitBytesMax of messages.
/// `delimiter` of rows and records; 0: the one of , ; and tab that the first line has most of.
base::Result<SplitFile> split_file(Split how, std::string_view bytes, char delimiter = '\0');
/// As asked for; 0: by itself.
char delimiter_of(const Options& options);

/// One line of results for each answer: {"item":1,"result":"stored","message":17,"code":"…","reason":"…"}; results are stored,
/// quarantined, refused and not-stored. `whole`: what is wrong with all of it, {"result":"file","reason":"…"}; may be empty.
std::string print_results(const std::vector<Answer>& answers, const std::string& whole = {});

}  // namespace kiln::channels::detail
