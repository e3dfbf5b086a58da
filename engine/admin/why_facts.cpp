#include "engine/admin/why_facts.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "engine/admin/message_json.h"
#include "engine/base/json.h"
#include "engine/base/text.h"

namespace kiln::engine {
namespace {

using base::Result;

constexpr std::size_t kRelatedMax = 200;

/// Messages made of `id` by replay; edits and parts are found by the same look.
Result<std::vector<MessageSummary>> replays_of(JournalReader& reader, MessageId id, base::WallTime now) {
  TRY(const Query query, parse_query_text("replay_of:" + std::to_string(id), now));
  SearchOptions options;
  options.limit = kRelatedMax;
  return reader.search(query, options);
}

/// The message that another channel made of it: "message 4812 of lab"; 0: it went to no channel.
MessageId handed_on_as(const DestinationState& state) {
  if (state.pending || state.ending.code != channels::kHandedOnCode) return 0;
  const std::string_view detail = state.ending.detail;
  const std::size_t at = detail.find(' ');
  MessageId out = 0;
  if (at != detail.npos) std::from_chars(detail.data() + at + 1, detail.data() + detail.size(), out);
  return out;
}

struct Event {
  base::WallTime at;
  std::string what, destination, text, code;
  std::int64_t ms = -1;
};

void add_ends(const WhyFacts& facts, std::vector<Event>& out) {
  for (const DestinationState& one : facts.summary.destinations) {
    const bool whole = one.destination == kNoDestination;
    if (one.pending) {
      out.push_back({facts.now, "queued", one.destination, "it waits", {}, -1});
      continue;
    }
    std::string text = one.ending.detail;
    if (one.ending.state == DeliveryState::sent && one.attempts > 1)
      text = "after " + std::to_string(one.attempts) + " tries";
    out.push_back({one.updated, name_of(one.ending.state), whole ? std::string() : one.destination,
                   std::move(text), one.ending.code, -1});
    if (one.note && one.note->changed.micros != 0)
      out.push_back({one.note->changed,
                     name_of(one.note->resolution),
                     whole ? std::string() : one.destination,
                     one.note->by + (one.note->reason.empty() ? "" : ": " + one.note->reason),
                     {},
                     -1});
  }
}

void write_attempt(base::JsonWriter& json, const Attempt& one) {
  json.begin_object().key("n").integer(one.number).member("at", print_time(one.at));
  if (!one.code.empty()) json.member("code", one.code);
  if (!one.detail.empty()) json.member("detail", one.detail);
  json.key("ms").integer(one.took_us / 1'000).key("in_doubt").boolean(one.in_doubt);
  json.key("reply_size").integer(static_cast<std::int64_t>(one.reply.size())).end_object();
}

void write_sent(base::JsonWriter& json, JournalReader& reader, MessageId id, const DestinationState& state) {
  json.key("sent").begin_object();
  const auto kept = reader.sent_output(id, state.destination);
  json.key("available").boolean(kept.has_value()).member("from", kept ? "kept" : "none");
  if (kept) {
    json.key("size").integer(static_cast<std::int64_t>(kept->body.size()));
    json.member("sha256", base::sha256_hex(kept->body));
  } else {
    json.member("why", kept.error().text.empty() ? kept.error().info().text : kept.error().text);
  }
  if (!state.ending.sent_hash.empty()) json.member("sent_sha256", base::hex(state.ending.sent_hash));
  json.end_object();
}

}  // namespace

Result<WhyFacts> gather_why(JournalReader& reader, MessageId id, base::WallTime now) {
  WhyFacts facts;
  facts.now = now;
  TRY(facts.summary, reader.summary(id));
  TRY(const StoredMessage stored, reader.message(id));
  facts.config_hash = stored.message.config_hash;
  for (const DestinationState& one : facts.summary.destinations) {
    if (one.destination == kNoDestination) continue;
    if (auto list = reader.attempts(id, one.destination); list && !list->empty())
      facts.attempts.emplace_back(one.destination, std::move(*list));
  }
  TRY(const auto made, replays_of(reader, id, now));
  for (const MessageSummary& one : made) facts.replays.push_back(one.id);
  std::ranges::sort(facts.replays);
  return facts;
}

Result<std::vector<RelatedMessage>> trace_message(JournalReader& reader, MessageId id, base::WallTime now) {
  std::map<MessageId, RelatedMessage> found;
  std::vector<MessageId> open = {id};
  std::set<MessageId> looked;
  while (!open.empty() && found.size() < kRelatedMax) {
    const MessageId at = open.back();
    open.pop_back();
    if (!looked.insert(at).second) continue;
    auto summary = reader.summary(at);
    if (!summary) {
      if (at == id) return base::fail(summary.error());
      continue;  // pruned: what is left is told
    }
    RelatedMessage one{std::move(*summary), {}, 0};
    const MessageSummary& s = one.summary;
    for (const auto& [relation, to] :
         {std::pair("replay of", s.replay_of), std::pair("edited from", s.edited_from),
          std::pair(s.is_part() ? "part of" : "made of", s.parent)}) {
      if (to == 0) continue;
      if (one.to == 0) one.relation = relation, one.to = to;
      open.push_back(to);
    }
    if (at == id) one.relation = "this";
    TRY(const auto made, replays_of(reader, at, now));
    for (const MessageSummary& child : made) open.push_back(child.id);
    for (const DestinationState& state : s.destinations)
      if (const MessageId child = handed_on_as(state); child != 0) open.push_back(child);
    found.emplace(at, std::move(one));
  }
  std::vector<RelatedMessage> out;
  for (auto& [number, one] : found) {
    if (one.relation.empty()) one.relation = "original";
    out.push_back(std::move(one));
  }
  return out;
}

std::string print_trace(MessageId root, const std::vector<RelatedMessage>& related) {
  base::JsonWriter json;
  json.begin_object().key("root").integer(static_cast<std::int64_t>(root)).key("messages").begin_array();
  for (const RelatedMessage& one : related) {
    base::JsonWriter summary;
    write_summary(summary, one.summary);
    std::string text = summary.take();
    text.pop_back();  // its closing brace
    text += ",\"relation\":";
    base::append_json_string(text, one.relation);
    if (one.to != 0) text += ",\"to\":" + std::to_string(one.to);
    json.raw(text + "}");
  }
  return json.end_array().end_object().take();
}

std::string print_timeline(const WhyFacts& facts) {
  std::vector<Event> events;
  const std::string from = facts.summary.peer.empty() ? std::string() : "from " + facts.summary.peer;
  events.push_back({facts.summary.received, "received", {}, from, {}, -1});
  if (facts.summary.unprocessed) events.push_back({facts.now, "waiting", {}, "it is not mapped yet", {}, -1});
  for (const auto& [destination, attempts] : facts.attempts)
    for (const Attempt& one : attempts)
      events.push_back({one.at, "attempt", destination,
                        "try " + std::to_string(one.number) + (one.detail.empty() ? "" : ": " + one.detail) +
                            (one.in_doubt ? " (may have arrived)" : ""),
                        one.code, one.took_us / 1'000});
  add_ends(facts, events);
  std::ranges::stable_sort(events, {}, [](const Event& one) { return one.at; });
  base::JsonWriter json;
  json.begin_object().key("events").begin_array();
  for (const Event& one : events) {
    json.begin_object().member("at", print_time(one.at)).member("what", one.what);
    if (!one.destination.empty()) json.member("destination", one.destination);
    json.member("text", one.text);
    if (!one.code.empty()) json.member("code", one.code);
    if (one.ms >= 0) json.key("ms").integer(one.ms);
    json.end_object();
  }
  return json.end_array().end_object().take();
}

Result<std::string> print_outputs(JournalReader& reader, MessageId id) {
  TRY(const MessageSummary summary, reader.summary(id));
  base::JsonWriter json;
  json.begin_object().key("outputs").begin_array();
  for (const DestinationState& one : summary.destinations) {
    if (one.destination == kNoDestination) continue;
    json.begin_object().member("destination", one.destination);
    json.member("state", one.pending ? "pending" : name_of(one.ending.state));
    json.key("attempts").integer(one.attempts).key("in_doubt").boolean(one.in_doubt);
    if (!one.pending) {
      if (!one.ending.code.empty()) json.member("code", one.ending.code);
      if (!one.ending.detail.empty()) json.member("detail", one.ending.detail);
      json.member("updated", print_time(one.updated));
    }
    write_sent(json, reader, id, one);
    json.key("reply").begin_object().key("available").boolean(!one.ending.reply.empty());
    json.key("size").integer(static_cast<std::int64_t>(one.ending.reply.size())).end_object();
    json.key("tries").begin_array();
    if (const auto tries = reader.attempts(id, one.destination))
      for (const Attempt& attempt : *tries) write_attempt(json, attempt);
    json.end_array().end_object();
  }
  return json.end_array().end_object().take();
}

}  // namespace kiln::engine
