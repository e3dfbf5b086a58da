#pragma once
// What a replay would do, against what was sent: read-only, for dry runs and for `kiln replay --diff`.
// Blocks; runs on a thread of its own.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "channels/definition.h"
#include "engine/base/clock.h"
#include "engine/base/json.h"
#include "engine/journal/reader.h"
#include "engine/lookups.h"

namespace kiln::engine {

/// What to replay and how; kept with the job as JSON.
struct ReplaySpec {
  std::string query;
  std::vector<std::string> to;  ///< destination names, also as CHANNEL/NAME; "all": wherever the maps send it; empty: where it failed
  std::string channel;        ///< through this channel instead of the one it came by; empty: its own
  std::int64_t rate = 50;     ///< messages a second; 0: as fast as it goes
  bool include_sent = false;  ///< also to destinations that have it already
  bool allow_stale = false;   ///< also where a newer message of its ordering key was sent
  bool as_sent = false;       ///< what was sent, byte for byte, instead of the maps of today
  bool fresh_lookups = false;  ///< lookups are asked anew; else the answers stored with the message count
  base::WallTime asked;        ///< `since:2h` counts from here
  MessageId up_to = 0;         ///< newest message that is meant
};
std::string print_spec(const ReplaySpec& spec);
base::Result<ReplaySpec> read_spec(const std::string& text);

/// Where one message goes, by what became of it.
struct ReplayTargets {
  bool everywhere = false;
  std::vector<std::string> names;     ///< else only these
  std::vector<std::string> left_out;  ///< have it already
  std::vector<std::string> waiting;   ///< it waits there: a second one would follow it
  std::string skipped;                ///< why it goes nowhere; empty: it goes
};
/// What an operator resolved or released did not fail any more; but what was released as `released_as` did, for that one.
ReplayTargets choose_targets(const MessageSummary& summary, const ReplaySpec& spec, MessageId released_as = 0);
/// Set aside and not decided about; released as that message counts as open.
bool is_open(const DestinationState& state, MessageId released_as = 0);

struct ReplayPreview {
  enum class Compared : std::uint8_t { same, changed, added, gone, unknown };
  struct Part {
    std::string destination;
    std::uint64_t bytes = 0;
    std::string sha256;                     ///< hex
    Compared compared = Compared::unknown;  ///< with what was sent there
    std::vector<std::string> paths;         ///< of a changed one: "PID-5", "Patient.birthDate"
    std::string diff;                       ///< lines, when they are wanted
  };
  struct Line {
    MessageId id = 0;
    std::string channel, type, verdict, reason, skipped;
    std::vector<Part> parts;
  };
  std::vector<Line> lines;  ///< the first kPreviewLinesMax
  std::uint64_t matched = 0, skipped = 0, sent = 0, stale = 0;
  std::uint64_t replays = 0;  ///< of those that matched: replays of earlier messages
  std::uint64_t same = 0, changed = 0, added = 0, gone = 0, unknown = 0;  ///< outputs
  MessageId newest = 0;                                                   ///< of those that matched
  std::string refused;                         ///< why it would not begin as it was asked for; empty: it would
  bool stale_complete = true;                  ///< false: too many newer messages to look at all
  std::map<std::string, std::uint64_t> paths;  ///< how many outputs each changed in
};

struct PreviewOptions {
  bool compare = true;  ///< with what was sent
  bool with_diff = false;
  bool check_stale = true;
  std::size_t limit = 1000;           ///< more matches are an error
  LookupProvider* lookups = nullptr;  ///< asked where no answer is kept; outlives the call
  /// Each line as it is found; false ends. May be empty. Lines are then not kept.
  std::function<bool(const ReplayPreview::Line&)> on_line = {};
};

/// Errors: query_syntax; limit_exceeded; those of the reader.
base::Result<ReplayPreview> preview_replay(JournalReader& reader, std::shared_ptr<const channels::Site> site,
                                           const ReplaySpec& spec, const PreviewOptions& options);

/// Where two texts of a kind differ: fields of segments, leaves of JSON, "lines".
std::vector<std::string> changed_paths(channels::ContentKind kind, const std::string& was,
                                       const std::string& is);

const char* name_of(ReplayPreview::Compared compared);
/// {"dry_run":true, "matched", …, "messages": […]}.
std::string print_preview(const ReplayPreview& preview);
void write_preview_line(base::JsonWriter& json, const ReplayPreview::Line& line);

}  // namespace kiln::engine
