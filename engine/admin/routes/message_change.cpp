// Edit and resend, and export. The original is never changed.

#include <algorithm>

#include "engine/admin/hl7_view.h"
#include "engine/admin/lineage.h"
#include "engine/admin/message_json.h"
#include "engine/admin/message_pages.h"
#include "engine/admin/route.h"
#include "engine/admin/service.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/gateway.h"
#include "engine/site_version.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;
using base::Task;

/// The message as it would be with the body of the request.
struct Edited {
  StoredMessage original, edited;
  ChannelRuntime* channel = nullptr;
};

Task<Result<StoredMessage>> read_stored(Gateway* gateway, MessageId id) {
  base::Completion<Result<StoredMessage>> read(gateway->executor());
  gateway->journal().read_message(id, [read](Result<StoredMessage> stored) { read.set(std::move(stored)); });
  Result<StoredMessage> stored = co_await read;
  co_return stored;
}

/// Editors write line feeds; segments end in CR.
std::string body_of(const Call& call, channels::ContentKind kind) {
  std::string body(call.body()["body"].text());
  if (kind == channels::ContentKind::hl7 && body.find('\r') == std::string::npos)
    std::ranges::replace(body, '\n', '\r');
  return body;
}

Task<Result<Edited>> edit(Call call) {
  const Result<MessageId> id = message_id(call);
  if (!id) co_return base::fail(id.error());
  if (call.body()["body"].text().empty())
    co_return base::fail(ErrorCode::bad_value, "the body is empty", "body");
  auto reading = read_stored(call.gateway, *id);
  Result<StoredMessage> stored = co_await std::move(reading);
  if (!stored) co_return base::fail(stored.error());
  Edited out;
  for (const auto& channel : call.gateway->channels())
    if (channel->definition().name == stored->message.channel) out.channel = channel.get();
  if (out.channel == nullptr)
    co_return base::fail(ErrorCode::not_as_it_was, "the site of today has no such channel",
                         stored->message.channel);
  out.edited = *stored;
  out.original = std::move(*stored);
  NewMessage& message = out.edited.message;
  out.edited.id = 0;  // not a replay: the body is another one
  message.edited_from = *id;
  message.replay_of = 0;
  message.lookups.clear();
  message.body = body_of(call, message.kind);
  const channels::Site& site = call.gateway->site();
  const Opened opened = open_message(site, out.channel->definition(), message);
  if (opened) identify(out.channel->definition(), {}, opened, message);
  co_return out;
}

void write_outcome(base::JsonWriter& json, const ReplayOutcome& outcome) {
  json.member("verdict", outcome.verdict);
  if (!outcome.reason.empty()) json.member("reason", outcome.reason);
  json.key("outputs").begin_array();
  for (const auto& part : outcome.outputs) {
    json.begin_object().member("destination", part.destination);
    json.key("bytes")
        .integer(static_cast<std::int64_t>(part.bytes))
        .member("sha256", part.sha256)
        .end_object();
  }
  json.end_array();
}

LineageRequest lineage_request(const StoredMessage& stored, const mappings::Program& program) {
  LineageRequest out;
  out.program = program;
  out.kind = stored.message.kind;
  out.text = stored.message.body;
  out.channel = stored.message.channel;
  out.received = stored.message.received;
  out.lookups = stored.message.lookups;
  return out;
}

/// The parser's view of the edited body, and what the first map makes of it that it did not make before.
Result<std::string> look_at(const Edited& edited, const channels::Site& site, const ReplayOutcome& outcome) {
  base::JsonWriter json;
  json.begin_object();
  bool readable = true;
  if (edited.edited.message.kind == channels::ContentKind::hl7) {
    const auto parsed = hl7::Message::parse(edited.edited.message.body);
    readable = parsed.has_value();
    json.key("findings").begin_array();
    if (parsed) {
      const auto view = base::parse_json(print_hl7_segments(*parsed, 0, 0));
      if (view)
        for (const base::JsonView finding : view->root()["findings"]) json.value(finding);
    } else {
      json.begin_object().member("severity", "error").member("code", parsed.error().info().code);
      json.member("text", parsed.error().text.empty() ? parsed.error().info().text : parsed.error().text)
          .end_object();
    }
    json.end_array();
  }
  json.key("ok").boolean(readable && outcome.verdict == "accepted");
  write_outcome(json, outcome);
  const channels::ChannelDefinition* channel = find_channel(site, edited.edited.message.channel);
  const auto maps = channel == nullptr ? std::vector<std::pair<std::string, mappings::Program>>()
                                       : maps_of(*channel, edited.edited.message.kind);
  if (readable && !maps.empty()) {
    const auto before = lineage_request(edited.original, maps.front().second);
    const auto after = lineage_request(edited.edited, maps.front().second);
    const base::Status compared = write_difference(json, site, before, after);
    if (!compared) json.key("diff").begin_array().end_array();
  }
  return json.end_object().take();
}

Task<Result<Reply>> check(Call call) {
  AdminService* admin = call.admin;
  auto site = call.gateway->shared_site();
  auto editing = edit(std::move(call));
  Result<Edited> edited = co_await std::move(editing);
  if (!edited) co_return base::fail(edited.error());
  auto replaying = edited->channel->replay(edited->edited, {}, true);
  const Result<ReplayOutcome> outcome = co_await std::move(replaying);
  if (!outcome) co_return base::fail(outcome.error());
  std::function<Result<std::string>()> work = [edited = std::move(*edited), outcome = *outcome, site] {
    return look_at(edited, *site, outcome);
  };
  auto working = admin->compute(std::move(work));
  Result<std::string> text = co_await std::move(working);
  if (!text) co_return base::fail(text.error());
  co_return json_reply(std::move(*text));
}

std::vector<std::string> destinations_of(const Call& call) {
  std::vector<std::string> out;
  for (const base::JsonView name : call.body()["to"]) out.emplace_back(name.text());
  if (std::ranges::find(out, "all") != out.end()) out.clear();
  return out;
}

/// A name that the channel does not have would send the message nowhere. Takes CHANNEL/NAME too, and leaves NAME.
base::Status check_destinations(const channels::ChannelDefinition& channel, std::vector<std::string>& names) {
  for (std::string& name : names) {
    if (name.starts_with(channel.name + "/")) name.erase(0, channel.name.size() + 1);
    const auto has = [&name](const channels::DestinationDefinition& one) { return one.name == name; };
    if (std::ranges::any_of(channel.destinations, has)) continue;
    std::string there;
    for (const auto& one : channel.destinations) there += (there.empty() ? "" : ", ") + one.name;
    return base::fail(ErrorCode::destination_not_found, {}, name, channel.name + " has " + there + "; `all`: wherever the maps send it");
  }
  return {};
}

/// What was set aside of the original has become the edited message.
void release(Gateway* gateway, const MessageSummary& original, MessageId now, const Caller& caller,
             const std::string& reason) {
  for (const DestinationState& one : original.destinations) {
    if (one.pending || one.ending.state != DeliveryState::quarantined) continue;
    QuarantineNote note = one.note.value_or(QuarantineNote());
    note.resolution = Resolution::released;
    note.released_as = now;
    note.by = caller.user;
    note.reason = reason;
    note.changed = gateway->clock().wall();
    gateway->journal().note_quarantine(original.id, one.destination, std::move(note),
                                       [](const base::Status&) {});
  }
}

Task<Result<Reply>> resend(Call call) {
  const Result<std::string> reason = call.text("reason");
  if (!reason) co_return base::fail(reason.error());
  if (call.body()["to"].size() == 0)
    co_return base::fail(ErrorCode::bad_value, "where it goes must be said", "to",
                         "destination names, or \"all\"");
  auto editing = edit(call);
  Result<Edited> edited = co_await std::move(editing);
  if (!edited) co_return base::fail(edited.error());
  std::vector<std::string> to = destinations_of(call);
  const base::Status known = check_destinations(edited->channel->definition(), to);
  if (!known) co_return base::fail(known.error());
  auto replaying = edited->channel->replay(edited->edited, std::move(to), false);
  const Result<ReplayOutcome> outcome = co_await std::move(replaying);
  if (!outcome) co_return base::fail(outcome.error());
  if (call.body()["replaces"].boolean()) {
    Gateway* gateway = call.gateway;
    const MessageId id = edited->original.id;
    base::Completion<Result<MessageSummary>> read(gateway->executor());
    gateway->reader_executor().post([gateway, id, read] {
      auto reader = gateway->journal_reader();
      read.set(reader ? (*reader)->summary(id) : Result<MessageSummary>(base::fail(reader.error())));
    });
    const Result<MessageSummary> summary = co_await read;
    if (summary) release(gateway, *summary, outcome->id, call.caller, *reason);
  }
  base::JsonWriter json;
  json.begin_object().key("new_id").integer(static_cast<std::int64_t>(outcome->id));
  write_outcome(json, *outcome);
  co_return json_reply(json.end_object().take());
}

// ---- export ----

struct ExportState {
  Gateway* gateway = nullptr;
  Query query;
  MessageId after = 0;
  std::size_t left = 0;
};

/// The next messages as NDJSON, at most some megabytes; in order of their numbers.
std::string export_page(ExportState& state) {
  constexpr std::size_t kPage = 200, kBytesMax = 4u << 20;
  std::string out;
  auto reader = state.gateway->journal_reader();
  if (!reader) return out;
  SearchOptions options;
  options.oldest_first = true;
  options.after = state.after;
  options.limit = std::min(kPage, state.left);
  const auto found = (*reader)->search(state.query, options);
  if (!found) return out;
  for (const MessageSummary& summary : *found) {
    if (out.size() > kBytesMax) break;
    state.after = summary.id;
    --state.left;
    const auto stored = (*reader)->message(summary.id);
    base::JsonWriter json;
    write_summary(json, summary);
    std::string line = json.take();
    line.pop_back();  // its closing brace
    if (stored)
      line += ",\"body_base64\":\"" + base::base64_encode(stored->message.body) + "\"}\n";
    else
      line += std::string(",\"error\":\"") + stored.error().info().code + "\"}\n";
    out += line;
  }
  return out;
}

Task<std::string> next_export(std::shared_ptr<ExportState> state) {
  if (state->left == 0) co_return std::string();
  base::Completion<std::string> read(state->gateway->executor());
  state->gateway->reader_executor().post([state, read] { read.set(export_page(*state)); });
  std::string page = co_await read;
  co_return page;
}

Result<Reply> export_messages(const Call& call) {
  constexpr std::uint64_t kMost = 1'000'000;
  TRY(const std::uint64_t limit, call.number("limit", 10'000, kMost));
  auto state = std::make_shared<ExportState>();
  TRY(state->query, parse_query_text(call.value("q"), call.gateway->clock().wall()));
  state->gateway = call.gateway;
  state->left = limit;
  Reply out;
  out.type = "application/x-ndjson";
  out.headers.set("Content-Disposition", "attachment; filename=\"kiln-messages.ndjson\"");
  out.stream = [state] { return next_export(state); };
  return out;
}

constexpr ParameterSpec kExport[] = {{"q", "string", "which messages; none: all"},
                                     {"limit", "integer", "most messages (10,000; at most 1,000,000)"}};
constexpr ErrorCode kErrors[] = {ErrorCode::message_not_found, ErrorCode::not_as_it_was};
constexpr ErrorCode kExportErrors[] = {ErrorCode::query_syntax};

constexpr RouteSpec kRoutes[] = {
    {.method = "POST",
     .path = "/messages/{id}/check",
     .right = AdminRight::replay,
     .summary = "what would become of the message with another body; nothing is stored",
     .body = "{body: string}",
     .answer =
         "{ok: boolean, verdict: string, reason?: string, findings?: [@Finding], outcome?: string, outputs: "
         "[{destination: string, bytes: integer, sha256: string}], diff?: [{path: string, before?: string, "
         "after?: string}]}",
     .errors = kErrors,
     .also = AdminRight::phi_view,
     .recorded = Recorded::before,
     .action = "message.check",
     .task = check},
    {.method = "POST",
     .path = "/messages/{id}/resend",
     .right = AdminRight::replay,
     .summary = "send it with another body, as a new message that names the original",
     .body = "{body: string, reason: string, to: [string], replaces?: boolean}",
     .answer = "{new_id: integer, verdict: string, reason?: string, outputs: [{destination: string, bytes: "
               "integer, sha256: "
               "string}]}",
     .errors = kErrors,
     .also = AdminRight::phi_view,
     .recorded = Recorded::before,
     .action = "message.resend",
     .task = resend},
    {.method = "GET",
     .path = "/export",
     .right = AdminRight::phi_view,
     .summary = "messages with their bytes, one JSON object a line, oldest first",
     .parameters = kExport,
     .media = "application/x-ndjson",
     .errors = kExportErrors,
     .recorded = Recorded::before,
     .action = "message.export",
     .run = export_messages},
};

}  // namespace

const RouteGroup& message_change_routes() {
  static const RouteGroup group{"message change", "edit and resend, export", kRoutes};
  return group;
}

}  // namespace kiln::engine
