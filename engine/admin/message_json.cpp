#include "engine/admin/message_json.h"

#include "engine/base/partial_date.h"
#include "engine/base/text.h"
#include "engine/limits.h"

namespace kiln::engine {

std::string print_time(base::WallTime time) {
  return base::PartialDate::from_wall(time, base::DatePrecision::fraction).print_fhir();
}

namespace {

/// An answer may name the patient: it is content.
void write_destination(base::JsonWriter& json, const DestinationState& state, bool with_content) {
  json.begin_object().member("destination", state.destination);
  json.member("state", state.pending ? "pending" : name_of(state.ending.state));
  json.key("attempts").integer(state.attempts).key("in_doubt").boolean(state.in_doubt);
  // Of one that waits: what the last attempt came to, where somebody has looked for it (add_answers()).
  if (!state.pending || !state.ending.code.empty())
    json.member("code", state.ending.code).member("detail", state.ending.detail);
  if (!state.pending) json.member("updated", print_time(state.updated));
  if (with_content && !state.ending.reply.empty() && base::is_valid_utf8(state.ending.reply))
    json.member("reply", state.ending.reply);
  json.end_object();
}

void write_fields(base::JsonWriter& json, const MessageSummary& summary, bool with_content) {
  json.key("id")
      .integer(static_cast<std::int64_t>(summary.id))
      .member("received", print_time(summary.received));
  json.member("channel", summary.channel)
      .member("type", summary.type)
      .member("control_id", summary.control_id);
  json.member("peer", summary.peer)
      .member("name", summary.name)
      .member("kind", channels::name_of(summary.kind));
  json.key("size").integer(static_cast<std::int64_t>(summary.size)).member("state", summary.state());
  if (summary.parent != 0) json.key("parent").integer(static_cast<std::int64_t>(summary.parent));
  if (summary.replay_of != 0) json.key("replay_of").integer(static_cast<std::int64_t>(summary.replay_of));
  if (summary.edited_from != 0) json.key("edited_from").integer(static_cast<std::int64_t>(summary.edited_from));
  if (summary.same_id_as != 0) json.key("same_id_as").integer(static_cast<std::int64_t>(summary.same_id_as));
  json.key("destinations").begin_array();
  for (const DestinationState& state : summary.destinations) write_destination(json, state, with_content);
  json.end_array();
}

}  // namespace

void write_summary(base::JsonWriter& json, const MessageSummary& summary, bool with_replies) {
  json.begin_object();
  write_fields(json, summary, with_replies);
  json.end_object();
}

std::string print_search(const SearchAnswer& answer, bool with_replies) {
  base::JsonWriter json;
  json.begin_object().key("messages").begin_array();
  for (const MessageSummary& summary : answer.found) write_summary(json, summary, with_replies);
  json.end_array();
  if (answer.full || !answer.complete) json.key("next").integer(static_cast<std::int64_t>(answer.looked_to));
  if (!answer.complete) json.key("complete_to").integer(static_cast<std::int64_t>(answer.looked_to));
  json.end_object();
  return json.take();
}

std::string print_message(const MessageSummary& summary, const StoredMessage& stored, BodyPart part) {
  base::JsonWriter json;
  json.begin_object();
  write_fields(json, summary, part != BodyPart::none);
  json.member("config", stored.message.config_hash);
  json.key("framing_fault").boolean(stored.message.framing_fault);
  std::string_view body = stored.message.body;
  if (part == BodyPart::page && body.size() > limits::kBodyPageBytesMax) {
    json.key("body_truncated").boolean(true);
    body = body.substr(0, limits::kBodyPageBytesMax);
    while (!body.empty() && (static_cast<unsigned char>(body.back()) & 0x80) != 0) body.remove_suffix(1);
  }
  if (part != BodyPart::none) {
    const bool text = base::is_valid_utf8(body);
    json.member(text ? "body" : "body_base64", text ? std::string(body) : base::base64_encode(body));
  }
  json.end_object();
  return json.take();
}

}  // namespace kiln::engine
