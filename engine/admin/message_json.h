#pragma once
// Messages of the journal as JSON: the one form that the control API sends and the CLI prints from, with and
// without a running engine. Stable; members are only added.

#include "engine/base/json.h"
#include "engine/journal/reader.h"

namespace kiln::engine {

/// {"id","received","channel","type","control_id","peer","name","kind","size","state","parent","replay_of","same_id_as",
///  "destinations":[{"destination","state","attempts","in_doubt","code","detail","updated","reply"}]}: of its content only the replies, and
/// these only where they are asked for
void write_summary(base::JsonWriter& json, const MessageSummary& summary, bool with_replies = false);

/// {"messages":[summary…],"next":id,"complete_to":id}: `next` is what to pass as `before` for the page after; absent on the
/// last page. `complete_to` when the time was up: every message from there on was looked at, no older one.
std::string print_search(const SearchAnswer& answer, bool with_replies);

/// A summary with "body" (text; base64 in "body_base64" when it is not UTF-8) and "config" (site version).
enum class BodyPart : std::uint8_t {
  none,
  page,  ///< its first limits::kBodyPageBytesMax bytes, then with "body_truncated"
  whole
};
std::string print_message(const MessageSummary& summary, const StoredMessage& stored, BodyPart part = BodyPart::whole);

/// RFC 3339 in UTC with milliseconds.
std::string print_time(base::WallTime time);

}  // namespace kiln::engine
