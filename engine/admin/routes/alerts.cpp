// Alerts: what fires, silence, owner, a test note.

#include "engine/admin/route.h"
#include "engine/base/partial_date.h"
#include "engine/gateway.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;

Result<Reply> list(const Call& call) { return json_reply(call.gateway->observer().alerts()->print()); }

Result<Reply> history(const Call& call) {
  constexpr std::uint64_t kMost = 200;
  TRY(const std::uint64_t limit, call.number("limit", 50, kMost));
  TRY(const std::uint64_t before, call.number("before", 0, INT64_MAX));
  return json_reply(call.gateway->observer().alerts()->print_history(limit, before));
}

Result<Reply> test(const Call& call) {
  return json_reply("{\"routes\":" + std::to_string(call.gateway->observer().alerts()->test()) + "}");
}

Result<Reply> silence(const Call& call) {
  TRY(const std::string until, call.text("until"));
  const auto time = base::PartialDate::parse_fhir(until);
  if (!time || !time->has_time()) return base::fail(ErrorCode::bad_value, "`until` is no time", "until", "2026-11-24T08:00:00Z");
  TRY_VOID(call.gateway->observer().alerts()->silence(std::string(call.value("id")), {time->lowest_micros()}));
  return json_reply("{\"ok\":true}");
}

Result<Reply> own(const Call& call) {
  TRY(std::string owner, call.text("owner"));
  TRY_VOID(call.gateway->observer().alerts()->own(std::string(call.value("id")), std::move(owner)));
  return json_reply("{\"ok\":true}");
}

constexpr ParameterSpec kHistory[] = {{"limit", "integer", "most alerts (50; at most 200)"},
                                      {"before", "integer", "only those with a smaller n: `next` of the page before"}};
constexpr ErrorCode kErrors[] = {ErrorCode::bad_value, ErrorCode::no_such_thing};
constexpr RouteSpec kRoutes[] = {
    {.method = "GET",
     .path = "/alerts",
     .right = AdminRight::view,
     .summary = "what fires now, the newest first, and where notes go",
     .answer = "{alerts: [{id: string, alert: string, subject: string, level: string, state: string, since: time, text: string, "
               "remedy: string, flapping: boolean, owner?: string, runbook?: string, silent_until?: time}], routes: [{name: string, level: string}], "
               "waiting: integer}",
     .run = list},
    {.method = "GET",
     .path = "/alerts/history",
     .right = AdminRight::view,
     .summary = "alerts that fired, the newest first",
     .parameters = kHistory,
     .answer = "{history: [{n: integer, id: string, alert: string, subject: string, level: string, since: time, until?: time, text: "
               "string, owner?: string}], next?: integer}",
     .run = history},
    {.method = "POST",
     .path = "/alerts/test",
     .right = AdminRight::operate,
     .summary = "sends a test note by every route",
     .answer = "{routes: integer}",
     .recorded = Recorded::after,
     .action = "alert.test",
     .run = test},
    {.method = "POST",
     .path = "/alerts/{id}/silence",
     .right = AdminRight::operate,
     .summary = "no notes of this alert until then",
     .body = "{until: time}",
     .answer = "{ok: boolean}",
     .errors = kErrors,
     .recorded = Recorded::after,
     .action = "alert.silence",
     .run = silence},
    {.method = "POST",
     .path = "/alerts/{id}/own",
     .right = AdminRight::operate,
     .summary = "who looks after it",
     .body = "{owner: string}",
     .answer = "{ok: boolean}",
     .errors = kErrors,
     .recorded = Recorded::after,
     .action = "alert.own",
     .run = own},
};

}  // namespace

const RouteGroup& alerts_routes() {
  static const RouteGroup group{"alerts", "what is wrong now", kRoutes};
  return group;
}

}  // namespace kiln::engine
