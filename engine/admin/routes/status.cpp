// How the site is: status, live events, history, coverage, certificates.

#include "engine/admin/coverage_json.h"
#include "engine/admin/events.h"
#include "engine/admin/message_json.h"
#include "engine/admin/route.h"
#include "engine/admin/service.h"
#include "engine/admin/status_json.h"
#include "engine/gateway.h"

namespace kiln::engine {
namespace {

using base::Result;
using base::Task;

/// The journal is asked first what it holds open: who looks right after a message was set aside is told of it.
Task<Result<Reply>> status(Call call) {
  auto looking = call.gateway->observer().look_at_open_books();
  co_await std::move(looking);
  co_return json_reply(print_status(*call.gateway));
}

Result<Reply> events(const Call& call) {
  AdminEvents* events = &call.admin->events();
  TRY(const auto client, events->open(call.caller));
  Reply out;
  out.type = "text/event-stream";
  out.stream = [events, client] { return AdminEvents::next(events, client); };
  out.stream_ended = [events, client] { events->close(client); };
  return out;
}

Result<Reply> history(const Call& call) {
  constexpr std::uint64_t kMinutesMax = 1'440;
  TRY(const std::uint64_t minutes, call.number("minutes", 60, kMinutesMax));
  return json_reply(call.admin->history().print(std::string(call.value("channel")), static_cast<std::int64_t>(minutes)));
}

Result<Reply> coverage(const Call& call) { return json_reply(print_coverage(call.gateway->channels())); }

Task<Result<Reply>> reindex(Call call) {
  auto asking = call.gateway->fhir().parameters_state();
  const auto states = co_await std::move(asking);
  if (!states) co_return base::fail(states.error());
  base::JsonWriter out;
  out.begin_array();
  for (const fhir::ReindexState& one : *states) {
    out.begin_object().member("type", one.type).member("code", one.code).key("done").integer(one.done);
    out.key("last").integer(one.last).key("ready").boolean(one.ready).end_object();
  }
  co_return json_reply(out.end_array().take());
}

Result<Reply> certificates(const Call& call) {
  const base::WallTime now = call.admin->clock().wall();
  base::JsonWriter json;
  json.begin_object().key("certificates").begin_array();
  for (const CertificateInfo& one : call.admin->certificates()) {
    json.begin_object().member("where", one.where).member("subject", one.subject).member("issuer", one.issuer);
    json.member("from", print_time(one.from)).member("expires", print_time(one.expires));
    json.key("days").integer((one.expires.micros - now.micros) / 86'400'000'000).end_object();
  }
  return json_reply(json.end_array().end_object().take());
}

constexpr ParameterSpec kHistory[] = {{"channel", "string", "one channel; without it all"},
                                      {"minutes", "integer", "how far back, at most a day; beyond 60 by the minute"}};
constexpr base::ErrorCode kFull[] = {base::ErrorCode::too_many_clients};

constexpr RouteSpec kRoutes[] = {
    {.method = "GET",
     .path = "/status",
     .right = AdminRight::view,
     .summary = "channels, queues, problems, disk and certificates",
     .answer = "{version: string, fhir: string, config: string, now: time, started: time, uptime_seconds: integer, "
               "totals: {*: integer}, disk: {free_bytes: integer, total_bytes: integer, full_at?: time}, "
               "scrub?: {file?: string, at: integer, records: integer, damaged: integer, last_full?: time}, "
               "certificates: [{where: string, subject: string, expires: time, days: integer}], insecure: [string], "
               "verdict: {level: \"ok\"|\"warn\"|\"bad\", text: string}, problems: [{level: string, channel?: string, "
               "destination?: string, text: string, doing: string, can: string, command?: string, waiting: integer}], "
               "channels: [{name: string, kind: string, state: string, source: {*: any}, received: integer, sent: integer, "
               "pending: integer, rate: {m1: number, m5: number, m15: number}, config: string, links: [any], "
               "notes: {*: integer}, destinations: [{name: string, state: string, pending: integer, sent: integer, "
               "rejected: integer, expired: integer, quarantined: integer, retries: integer, blocked: boolean, connector: {*: any}, *: any}], *: any}]}",
     .task = status},
    {.method = "GET",
     .path = "/events",
     .right = AdminRight::view,
     .summary = "server-sent events: `status` first, then `delta` each second, `alert`, `bye`",
     .media = "text/event-stream",
     .errors = kFull,
     .run = events},
    {.method = "GET",
     .path = "/history",
     .right = AdminRight::view,
     .summary = "counters by step, for sparklines; since the start",
     .parameters = kHistory,
     .answer = "{step_seconds: integer, from?: time, channels: {*: {received: [integer], sent: [integer]}}}",
     .run = history},
    {.method = "GET",
     .path = "/coverage",
     .right = AdminRight::view,
     .summary = "which fields the maps read, and what they had to say",
     .answer = "{channels: [any]}",
     .run = coverage},
    {.method = "GET",
     .path = "/reindex",
     .right = AdminRight::view,
     .summary = "how far search parameters are that were added to the store",
     .answer = "[{type: string, code: string, done: integer, last: integer, ready: boolean}]",
     .task = reindex},
    {.method = "GET",
     .path = "/certificates",
     .right = AdminRight::view,
     .summary = "certificates that the site shows",
     .answer = "{certificates: [{where: string, subject: string, issuer: string, from: time, expires: time, days: integer}]}",
     .run = certificates},
};

}  // namespace

const RouteGroup& status_routes() {
  static const RouteGroup group{"status", "how the site is", kRoutes};
  return group;
}

}  // namespace kiln::engine
