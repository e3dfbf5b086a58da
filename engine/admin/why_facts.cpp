#include "engine/admin/why_facts.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "engine/admin/message_json.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/replay_preview.h"

namespace kiln::engine {
namespace {

using base::Result;

constexpr std::size_t kRelatedMax = 200;

/// Messages made of this one, each with how it stands; what is pruned or damaged is left out.
base::Status add_made(JournalReader& reader, WhyFacts& facts) {
  const MessageId id = facts.summary.id;
  TRY(const auto made, reader.made_of({id}, kRelatedMax));
  facts.made_cut = made.size() >= kRelatedMax;
  for (const JournalReader::Made& one : made) {
    if (one.parent != id && one.replay_of != id && one.edited_from != id) continue;
    const auto summary = reader.summary(one.id);
    if (!summary) continue;
    const bool open = std::ranges::any_of(summary->destinations, [](const DestinationState& state) { return is_open(state); });
    MadeMessage fact{one.id, summary->state(), open};
    if (one.replay_of == id)
      facts.replays.push_back(std::move(fact));
    else if (one.edited_from == id)
      facts.edits.push_back(std::move(fact));
    else if (summary->is_part())
      facts.parts.push_back(std::move(fact));
    // What another channel was handed is told at the destination that handed it on.
  }
  return {};
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
  TRY_VOID(add_made(reader, facts));
  return facts;
}

void add_answers(JournalReader& reader, MessageSummary& summary) {
  for (DestinationState& one : summary.destinations) {
    if (!one.pending) continue;
    const auto list = reader.attempts(summary.id, one.destination);
    if (!list || list->empty()) continue;
    one.ending.code = list->back().code;
    one.ending.detail = list->back().detail;
    one.ending.reply = list->back().reply;
  }
}

namespace {

/// What a message was made of; the first is told as its relation.
std::vector<std::pair<const char*, MessageId>> origins_of(const MessageSummary& summary) {
  std::vector<std::pair<const char*, MessageId>> out;
  if (summary.replay_of != 0) out.emplace_back("replay of", summary.replay_of);
  if (summary.edited_from != 0) out.emplace_back("edited from", summary.edited_from);
  if (summary.parent != 0) out.emplace_back(summary.is_part() ? "part of" : "made of", summary.parent);
  return out;
}

}  // namespace

/// Up to all it was made of, then down from all of these.
Result<std::vector<RelatedMessage>> trace_message(JournalReader& reader, MessageId id) {
  std::map<MessageId, RelatedMessage> found;
  const auto add = [&reader, &found](MessageId at) {
    auto summary = reader.summary(at);
    if (!summary) return base::Status(base::fail(summary.error()));
    RelatedMessage one{std::move(*summary), {}, 0};
    if (const auto origins = origins_of(one.summary); !origins.empty()) std::tie(one.relation, one.to) = origins.front();
    found.emplace(at, std::move(one));
    return base::Status();
  };
  std::vector<MessageId> open = {id};
  std::set<MessageId> looked;
  while (!open.empty() && found.size() < kRelatedMax) {
    const MessageId at = open.back();
    open.pop_back();
    if (!looked.insert(at).second) continue;
    if (const base::Status added = add(at); !added) {
      if (at == id) return base::fail(added.error());
      continue;  // pruned: what is left is told
    }
    for (const auto& [relation, to] : origins_of(found.at(at).summary)) open.push_back(to);
  }
  TRY(const auto made, reader.made_of(looked, kRelatedMax));
  for (const JournalReader::Made& one : made)
    if (found.size() < kRelatedMax && !found.contains(one.id)) static_cast<void>(add(one.id));
  found.at(id).relation = "this";
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
  TRY(MessageSummary summary, reader.summary(id));
  add_answers(reader, summary);
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
