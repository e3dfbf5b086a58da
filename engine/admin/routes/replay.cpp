// Replay of messages that a query finds: at once, or as a journaled job.

#include "engine/admin/operator.h"
#include "engine/admin/query_rights.h"
#include "engine/admin/replay.h"
#include "engine/admin/route.h"

namespace kiln::engine {
namespace {

using base::Result;
using base::Task;

Result<ReplayRequest> read_request(const Call& call) {
  const base::JsonView root = call.body();
  TRY_VOID(check_query(call, root["query"].text()));
  ReplayRequest request;
  request.query = root["query"].text();
  for (const base::JsonView name : root["to"]) request.to.emplace_back(name.text());
  request.dry_run = root["dry_run"].boolean();
  request.fresh_lookups = root["fresh_lookups"].boolean();
  request.channel = root["channel"].text();
  request.include_sent = root["include_sent"].boolean();
  request.allow_stale = root["allow_stale"].boolean();
  request.as_sent = root["as_sent"].boolean();
  request.with_diff = root["diff"].boolean();
  const Operator who = operator_of(call);
  request.by = who.name;
  request.reason = who.reason;
  if (root["limit"]) {
    const std::string text(root["limit"].text());
    char* end = nullptr;
    request.limit = std::strtoull(text.c_str(), &end, 10);
    if (text.empty() || *end != '\0') return base::fail(base::ErrorCode::bad_value, "a number is wanted", "limit");
  }
  return request;
}

Task<Result<Reply>> replay(Call call) {
  if (call.body()["diff"].boolean() && !call.caller.rights.has(AdminRight::phi_view))
    co_return base::fail(base::ErrorCode::right_missing, {}, {}, "`diff` shows content: it needs the right `phi.view`");
  Result<ReplayRequest> wanted = read_request(call);
  if (!wanted) co_return base::fail(wanted.error());
  auto replaying = replay_messages(*call.gateway, std::move(*wanted));
  Result<std::string> done = co_await std::move(replaying);
  if (!done) co_return base::fail(done.error());
  co_return json_reply(std::move(*done));
}

Task<Result<Reply>> begin_job(Call call) {
  Result<ReplaySpec> spec = read_spec(call.request.body.empty() ? std::string("{}") : call.request.body);
  if (!spec) co_return base::fail(spec.error());
  const base::Status allowed = check_query(call, spec->query);
  if (!allowed) co_return base::fail(allowed.error());
  const Operator who = operator_of(call);
  auto working = call.gateway->replays().create(std::move(*spec), who.name, who.reason);
  Result<std::string> done = co_await std::move(working);
  if (!done) co_return base::fail(done.error());
  co_return json_reply(shown_jobs(call.caller, std::move(*done)));
}

Task<Result<Reply>> list_jobs(Call call) {
  auto working = call.gateway->replays().list();
  Result<std::string> done = co_await std::move(working);
  if (!done) co_return base::fail(done.error());
  co_return json_reply(shown_jobs(call.caller, std::move(*done)));
}

Result<JobId> job_of(const Call& call) {
  const std::string text(call.value("job"));
  char* end = nullptr;
  const JobId id = std::strtoull(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0') return base::fail(base::ErrorCode::job_not_found, {}, text);
  return id;
}

Task<Result<Reply>> show_job(Call call) {
  const Result<JobId> id = job_of(call);
  if (!id) co_return base::fail(id.error());
  auto working = call.gateway->replays().show(*id);
  Result<std::string> done = co_await std::move(working);
  if (!done) co_return base::fail(done.error());
  co_return json_reply(shown_jobs(call.caller, std::move(*done)));
}

Task<Result<Reply>> control_job(Call call) {
  const Result<JobId> id = job_of(call);
  if (!id) co_return base::fail(id.error());
  const std::string action(call.value("action"));
  auto working = call.gateway->replays().control(*id, action);
  Result<std::string> done = co_await std::move(working);
  if (!done) co_return base::fail(done.error());
  co_return json_reply(shown_jobs(call.caller, std::move(*done)));
}

constexpr base::ErrorCode kErrors[] = {base::ErrorCode::query_syntax, base::ErrorCode::limit_exceeded,
                                       base::ErrorCode::replay_sent, base::ErrorCode::replay_stale,
                                       base::ErrorCode::channel_not_found, base::ErrorCode::destination_not_found};
constexpr base::ErrorCode kJobErrors[] = {base::ErrorCode::job_not_found, base::ErrorCode::state_conflict,
                                          base::ErrorCode::bad_value};
constexpr const char* kJob =
    "{id: integer, query: string, by: string, reason?: string, created: time, state: string, total: integer, done: integer, "
    "failed: integer, skipped: integer, rate: integer, eta_seconds?: integer, detail?: string}";

constexpr RouteSpec kRoutes[] = {
    {.method = "POST",
     .path = "/replay",
     .right = AdminRight::replay,
     .summary = "send messages through their channel again, in their order; or say what that would do",
     .body = "{query: string, to?: [string], channel?: string, dry_run?: boolean, diff?: boolean, include_sent?: boolean, "
             "allow_stale?: boolean, as_sent?: boolean, fresh_lookups?: boolean, rate?: integer, limit?: integer, confirm?: integer, "
             "reason?: string, by?: string}",
     .answer = "{dry_run: boolean, job?: integer, matched: integer, replayed: integer, skipped: integer, failed: integer, messages: [{id: "
               "integer, channel: string, type: string, new_id?: integer, verdict?: string, reason?: string, skipped?: string, "
               "error?: string, outputs?: [{destination: string, bytes: integer, sha256: string, compared?: string, paths?: [string], "
               "diff?: string}]}], already_sent?: integer, earlier_replays?: integer, refused?: string, stale?: integer, stale_complete?: boolean, outputs?: {same: integer, "
               "changed: integer, new: integer, gone: integer, unknown: integer}, paths?: {*: integer}}",
     .errors = kErrors,
     .recorded = Recorded::before,
     .action = "message.replay",
     .task = replay},
    {.method = "GET",
     .path = "/replay/jobs",
     .right = AdminRight::view,
     .summary = "replay jobs, the newest first",
     .answer = "{jobs: [any]}",
     .task = list_jobs},
    {.method = "POST",
     .path = "/replay/jobs",
     .right = AdminRight::replay,
     .summary = "begin a job: journaled, at a rate, in original order; goes on after a restart",
     .body = "{query: string, to?: [string], channel?: string, rate?: number, include_sent?: boolean, allow_stale?: boolean, "
             "as_sent?: boolean, fresh_lookups?: boolean, reason?: string, by?: string}",
     .answer = kJob,
     .errors = kErrors,
     .recorded = Recorded::before,
     .action = "replay.begin",
     .task = begin_job},
    {.method = "GET",
     .path = "/replay/jobs/{job}",
     .right = AdminRight::view,
     .summary = "how far a job is",
     .answer = kJob,
     .errors = kJobErrors,
     .task = show_job},
    {.method = "POST",
     .path = "/replay/jobs/{job}/{action}",
     .right = AdminRight::replay,
     .summary = "pause, resume or cancel a job",
     .body = "{reason?: string, by?: string}",
     .answer = kJob,
     .errors = kJobErrors,
     .recorded = Recorded::before,
     .action = "replay.control",
     .task = control_job},
};

}  // namespace

const RouteGroup& replay_routes() {
  static const RouteGroup group{"replay", "replay", kRoutes};
  return group;
}

}  // namespace kiln::engine
