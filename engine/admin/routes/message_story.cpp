// A message in all its forms: fields with their names, tree, what was sent and answered, lineage, timeline,
// why, trace.

#include <algorithm>

#include "engine/admin/held.h"
#include "engine/admin/hl7_view.h"
#include "engine/admin/lineage.h"
#include "engine/admin/message_pages.h"
#include "engine/admin/route.h"
#include "engine/admin/service.h"
#include "engine/admin/why_facts.h"
#include "engine/base/text.h"
#include "engine/detail/input.h"
#include "engine/gateway.h"
#include "engine/limits.h"
#include "engine/site_version.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;
using base::Task;

Result<StoredMessage> read_message(const Call& call) {
  TRY(const MessageId id, message_id(call));
  TRY(JournalReader * reader, call.gateway->journal_reader());
  return reader->message(id);
}

/// Read as its channel reads it, when the site still has that channel.
Result<hl7::Message> parse_stored(const channels::Site& site, const NewMessage& message) {
  const channels::ChannelDefinition* channel = find_channel(site, message.channel);
  return hl7::Message::parse(message.body,
                             channel == nullptr ? hl7::ParseOptions() : detail::parse_options(*channel));
}

Result<Reply> segments(const Call& call, std::shared_ptr<const channels::Site> site) {
  TRY(const std::uint64_t offset, call.number("offset", 0, INT64_MAX));
  TRY(const std::uint64_t limit, call.number("limit", 500, limits::kSegmentsPageMax));
  TRY(const StoredMessage stored, read_message(call));
  if (stored.message.kind == channels::ContentKind::hl7) {
    TRY(const hl7::Message message, parse_stored(*site, stored.message));
    return json_reply(print_hl7_segments(message, offset, limit));
  }
  base::JsonWriter json;
  json.begin_object().member("kind", channels::name_of(stored.message.kind));
  if (stored.message.kind == channels::ContentKind::fhir) {
    if (const auto document = base::parse_json(stored.message.body)) json.key("json").value(document->root());
  } else {
    std::vector<std::string_view> lines = base::split(stored.message.body, '\n');
    json.key("total").integer(static_cast<std::int64_t>(lines.size())).key("lines").begin_array();
    for (std::size_t i = offset; i < std::min<std::size_t>(lines.size(), offset + limit); ++i)
      json.string(base::is_valid_utf8(lines[i]) ? lines[i] : std::string_view("(not UTF-8)"));
    json.end_array();
  }
  return json_reply(json.end_object().take());
}

Result<Reply> tree(const Call& call, std::shared_ptr<const channels::Site> site) {
  TRY(const StoredMessage stored, read_message(call));
  if (stored.message.kind != channels::ContentKind::hl7)
    return base::fail(ErrorCode::content_absent, "only HL7 v2 messages have a tree of segments");
  TRY(const hl7::Message message, parse_stored(*site, stored.message));
  return json_reply(print_hl7_tree(message));
}

Result<Reply> outputs(const Call& call) {
  TRY(const MessageId id, message_id(call));
  TRY(JournalReader * reader, call.gateway->journal_reader());
  TRY(std::string text, print_outputs(*reader, id));
  return json_reply(std::move(text));
}

std::string destination_of(const Call& call) {
  return std::string(call.value("channel")) + "/" + std::string(call.value("destination"));
}

Result<Reply> sent(const Call& call) {
  TRY(const MessageId id, message_id(call));
  TRY(JournalReader * reader, call.gateway->journal_reader());
  auto kept = reader->sent_output(id, destination_of(call));
  if (kept) return body_page(call, kept->body);
  if (kept.error().code != ErrorCode::message_not_found) return base::fail(kept.error());
  return base::fail(ErrorCode::content_absent, "what was sent there is not kept (any more)",
                    destination_of(call), "GET /messages/{id}/lineage maps the message again");
}

Result<Reply> reply_of(const Call& call) {
  TRY(const MessageId id, message_id(call));
  TRY(JournalReader * reader, call.gateway->journal_reader());
  TRY(MessageSummary summary, reader->summary(id));
  add_answers(*reader, summary);
  TRY(const std::uint64_t attempt, call.number("attempt", 0, UINT32_MAX));
  if (attempt != 0) {
    TRY(const auto attempts, reader->attempts(id, destination_of(call)));
    for (const Attempt& one : attempts)
      if (one.number == attempt) return body_page(call, one.reply);
  } else {
    for (const DestinationState& one : summary.destinations)
      if (one.destination == destination_of(call) && !one.ending.reply.empty())
        return body_page(call, one.ending.reply);
  }
  return base::fail(ErrorCode::content_absent, "no answer of it is kept", destination_of(call));
}

Result<Reply> timeline(const Call& call) {
  TRY(const MessageId id, message_id(call));
  TRY(JournalReader * reader, call.gateway->journal_reader());
  TRY(const WhyFacts facts, gather_why(*reader, id, call.gateway->clock().wall()));
  return json_reply(print_timeline(facts));
}

Result<Reply> trace(const Call& call) {
  TRY(const MessageId id, message_id(call));
  TRY(JournalReader * reader, call.gateway->journal_reader());
  TRY(const auto related, trace_message(*reader, id));
  return json_reply(print_trace(id, related));
}

std::vector<QueueFacts> queue_facts(const Gateway& gateway) {
  std::vector<QueueFacts> out;
  for (const auto& channel : gateway.channels())
    for (const auto& queue : channel->queues()) {
      const QueueStatus status = queue->status();
      QueueFacts one;
      one.destination = channel->definition().name + "/" + queue->name();
      one.blocked = status.blocked;
      one.paused = status.paused;
      one.closed = status.closed;
      one.head = status.head;
      one.pending = status.pending;
      one.next_try_ms = status.next_try_ms;
      one.last_error = status.last_error;
      if (const auto held = holds_of_destination(gateway.holds(), channel->definition().name, queue->name()); !held.empty()) {
        one.held = held.front().text;
        one.resume = held.front().command;
      }
      out.push_back(std::move(one));
    }
  return out;
}

using SiteWork = Result<Reply> (*)(const Call&, std::shared_ptr<const channels::Site>);

/// Work on the reader's thread that looks at the site of now.
Task<Result<Reply>> on_reader(Call call, SiteWork work) {
  Gateway* gateway = call.gateway;
  base::Completion<Result<Reply>> done(gateway->executor());
  auto site = gateway->shared_site();
  gateway->reader_executor().post([call = std::move(call), site, work, done] { done.set(work(call, site)); });
  Result<Reply> reply = co_await done;
  co_return reply;
}

Task<Result<Reply>> segments_route(Call call) {
  return on_reader(std::move(call), segments);
}
Task<Result<Reply>> tree_route(Call call) {
  return on_reader(std::move(call), tree);
}

Result<Reply> tell_why(const Call& call, const channels::Site& site, std::vector<QueueFacts> queues) {
  TRY(const MessageId id, message_id(call));
  TRY(JournalReader * reader, call.gateway->journal_reader());
  TRY(WhyFacts facts, gather_why(*reader, id, call.gateway->clock().wall()));
  facts.running_hash = site.hash;
  facts.channel = find_channel(site, facts.summary.channel);
  facts.queues = std::move(queues);
  return json_reply(print_why_json(id, explain_state(facts)));
}

Task<Result<Reply>> why(Call call) {
  Gateway* gateway = call.gateway;
  base::Completion<Result<Reply>> done(gateway->executor());
  auto site = gateway->shared_site();
  auto queues = queue_facts(*gateway);
  gateway->reader_executor().post([call = std::move(call), site, queues = std::move(queues), done] {
    done.set(tell_why(call, *site, queues));
  });
  Result<Reply> reply = co_await done;
  co_return reply;
}

Result<std::string> lineage_of(const Call& call, const StoredMessage& stored, const channels::Site& site) {
  const NewMessage& message = stored.message;
  const channels::ChannelDefinition* channel = find_channel(site, message.channel);
  if (channel == nullptr)
    return base::fail(ErrorCode::no_such_thing, "the site of today has no such channel", message.channel);
  const auto maps = maps_of(*channel, message.kind);
  if (maps.empty())
    return base::fail(ErrorCode::content_absent, "its channel has no map for this message", message.channel);
  LineageRequest request;
  request.program = maps.front().second;
  for (const auto& [name, program] : maps) {
    request.maps.push_back(name);
    if (call.value("map") == name) request.program = program;
  }
  request.kind = message.kind;
  request.text = message.body;
  request.channel = message.channel;
  request.received = message.received;
  request.lookups = message.lookups;
  request.path = call.value("path");
  request.from = call.value("from");
  return print_lineage(site, nullptr, request);
}

Task<Result<Reply>> lineage(Call call) {
  Gateway* gateway = call.gateway;
  AdminService* admin = call.admin;
  auto site = gateway->shared_site();
  base::Completion<Result<StoredMessage>> read(gateway->executor());
  gateway->reader_executor().post([call, read] { read.set(read_message(call)); });
  const Result<StoredMessage> stored = co_await read;
  if (!stored) co_return base::fail(stored.error());
  std::function<Result<std::string>()> work = [call = std::move(call), site, stored = *stored] {
    return lineage_of(call, stored, *site);
  };
  auto working = admin->compute(std::move(work));
  Result<std::string> text = co_await std::move(working);
  if (!text) co_return base::fail(text.error());
  co_return json_reply(std::move(*text));
}

constexpr ParameterSpec kSegments[] = {{"offset", "integer", "first segment or line, from 0"},
                                       {"limit", "integer", "most of them (500; at most 2,000)"}};
constexpr ParameterSpec kPage[] = {{"offset", "integer", "first byte"},
                                   {"limit", "integer", "most bytes (64 kB; at most 256 kB)"}};
constexpr ParameterSpec kReply[] = {
    {"offset", "integer", "first byte"},
    {"limit", "integer", "most bytes (64 kB; at most 256 kB)"},
    {"attempt", "integer", "of this failed attempt; without it the answer that ended it, or the last one"}};
constexpr ParameterSpec kLineage[] = {
    {"map", "string", "one of the channel's maps; without it the first"},
    {"path", "string", "only this place of the result: Patient.birthDate, PID-5"},
    {"from", "string", "only what this source gave: PID-8, PID-3[2].4"}};
constexpr ErrorCode kErrors[] = {ErrorCode::message_not_found, ErrorCode::corrupt_record,
                                 ErrorCode::content_absent};

constexpr RouteSpec kRoutes[] = {
    {.method = "GET",
     .path = "/messages/{id}/segments",
     .right = AdminRight::phi_view,
     .summary = "its segments and fields with names and meanings",
     .parameters = kSegments,
     .answer = "{kind: string, version?: string, structure?: string, delimiters?: string, total?: integer, "
               "next?: integer, "
               "segments?: [{n: integer, id: string, name?: string, offset: integer, length: integer, "
               "fields: [{path: string, "
               "n: integer, name?: string, datatype?: string, table?: string, meaning?: string, offset: "
               "integer, length: "
               "integer, raw: string, text: string, cut?: boolean, components?: [{path: string, name?: "
               "string, datatype?: "
               "string, table?: string, meaning?: string, offset: integer, length: integer, text: string, "
               "cut?: boolean}]}]}], "
               "findings?: [@Finding], json?: any, lines?: [string]}",
     .errors = kErrors,
     .recorded = Recorded::before,
     .action = "message.view",
     .task = segments_route},
    {.method = "GET",
     .path = "/messages/{id}/tree",
     .right = AdminRight::phi_view,
     .summary = "its groups and segments as the standard nests them",
     .answer = "{structure?: string, items: [{segment?: integer, id?: string, unplaced?: boolean, group?: "
               "string, items?: [any]}]}",
     .errors = kErrors,
     .recorded = Recorded::before,
     .action = "message.view",
     .task = tree_route},
    {.method = "GET",
     .path = "/messages/{id}/outputs",
     .right = AdminRight::view,
     .summary = "what each destination got and answered, without content",
     .answer = "{outputs: [{destination: string, state: string, attempts: integer, in_doubt: boolean, code?: "
               "string, detail?: "
               "string, updated?: time, sent: {available: boolean, from: string, size?: integer, sha256?: "
               "string, why?: string, "
               "sent_sha256?: string}, reply: {available: boolean, size: integer}, tries: [{n: integer, at: "
               "time, code?: "
               "string, detail?: string, ms: integer, in_doubt: boolean, reply_size: integer}]}]}",
     .errors = kErrors,
     .on_reader = true,
     .run = outputs},
    {.method = "GET",
     .path = "/messages/{id}/outputs/{channel}/{destination}/sent",
     .right = AdminRight::phi_view,
     .summary = "the bytes that were sent, or wait to be",
     .parameters = kPage,
     .answer = "@Body",
     .errors = kErrors,
     .recorded = Recorded::before,
     .action = "message.view",
     .on_reader = true,
     .run = sent},
    {.method = "GET",
     .path = "/messages/{id}/outputs/{channel}/{destination}/reply",
     .right = AdminRight::phi_view,
     .summary = "the bytes that were answered",
     .parameters = kReply,
     .answer = "@Body",
     .errors = kErrors,
     .recorded = Recorded::before,
     .action = "message.view",
     .on_reader = true,
     .run = reply_of},
    {.method = "GET",
     .path = "/messages/{id}/timeline",
     .right = AdminRight::view,
     .summary = "what happened to it, in order",
     .answer = "{events: [{at: time, what: string, destination?: string, text: string, code?: string, ms?: "
               "integer}]}",
     .errors = kErrors,
     .on_reader = true,
     .run = timeline},
    {.method = "GET",
     .path = "/messages/{id}/lineage",
     .right = AdminRight::phi_view,
     .summary = "where each value of its result came from, by which rule, and what was not read",
     .parameters = kLineage,
     .answer = "@Lineage",
     .errors = kErrors,
     .recorded = Recorded::before,
     .action = "message.view",
     .task = lineage},
    {.method = "GET",
     .path = "/messages/{id}/why",
     .right = AdminRight::view,
     .summary = "in plain words: where it is, why, what happens next, what a human can do",
     .answer = "{id: integer, state: string, since: time, text: [string], steps: [{what: string, text: "
               "string, place?: string}], "
               "doing: string, next?: string, next_try?: time, can: [{text: string, command?: string, "
               "action?: string}]}",
     .errors = kErrors,
     .task = why},
    {.method = "GET",
     .path = "/messages/{id}/trace",
     .right = AdminRight::view,
     .summary = "the messages it was made of, and those made of it",
     .answer = "{root: integer, messages: [@Message]}",
     .errors = kErrors,
     .on_reader = true,
     .run = trace},
};

}  // namespace

const RouteGroup& message_story_routes() {
  static const RouteGroup group{"message story", "one message in all its forms", kRoutes};
  return group;
}

}  // namespace kiln::engine
