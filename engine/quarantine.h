#pragma once
// What was set aside and waits for a decision (operations.md §1, §6): listed by cause, given to somebody,
// released or dropped. It never empties itself. Home executor; texts are JSON.

#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/base/task.h"
#include "engine/journal/journal.h"
#include "engine/journal/reader.h"

namespace kiln::engine {

class Gateway;

struct QuarantineRequest {
  /// assign (`owner`, empty: nobody), note (`note`), release, resolve (`reason`: mended elsewhere), drop
  /// (`reason`).
  std::string action;
  std::string query;           ///< of query.h; what of it is in quarantine counts
  std::vector<MessageId> ids;  ///< or these messages
  std::string destination;     ///< only at this one ("pas" or "adt_in/pas"); "-": as a whole; empty: anywhere
  std::string owner, note, reason, by;
  bool dry_run = false;
  std::size_t limit = 1000;  ///< most outputs; more matches are refused and nothing is done
};

/// {"groups": [{"channel", "destination", "code", "count", "first", "last", "owner", "note", "example",
/// "detail"}], "open", "complete"}: what is open, by channel, destination and cause, the largest first.
base::Task<base::Result<std::string>> list_quarantine(Gateway* gateway, std::string query);
/// {"items": [{"id", "received", "channel", "type", "control_id", "destination", "code", "reason",
/// "attempts", "owner", "note"}], "next"}, the newest first.
base::Task<base::Result<std::string>> list_quarantine_items(Gateway* gateway, std::string query,
                                                            std::size_t limit, MessageId before);
/// {"matched", "done", "failed", "items": [{"id", "destination", "text", "new_id"}]}. A release is a new
/// message that names the original, sent where it was set aside; it is refused again where it is refused
/// again. Errors: not_quarantined when nothing matches; limit_exceeded; bad_value for a missing reason or
/// another action.
base::Task<base::Result<std::string>> change_quarantine(Gateway* gateway, QuarantineRequest request);

/// One output, or message as a whole, that is set aside and not resolved.
struct QuarantineItem {
  MessageSummary summary;
  DestinationState state;
};
/// Those among the messages that match; `complete` is false when there were more than `limit`.
base::Result<std::vector<QuarantineItem>> find_quarantined(JournalReader& reader, const Query& query,
                                                           std::size_t limit, MessageId before,
                                                           bool& complete);

}  // namespace kiln::engine
