// Versions of the site: compare, apply, go back.

#include "engine/admin/operator.h"
#include "engine/admin/route.h"
#include "engine/gateway.h"
#include "engine/reload.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;
using base::Task;

Task<Result<Reply>> diff(Call call) {
  auto working = call.gateway->reloads().diff();
  Result<std::string> done = co_await std::move(working);
  if (!done) co_return base::fail(done.error());
  co_return json_reply(std::move(*done));
}

Task<Result<Reply>> history(Call call) {
  auto working = call.gateway->reloads().history();
  Result<std::string> done = co_await std::move(working);
  if (!done) co_return base::fail(done.error());
  co_return json_reply(std::move(*done));
}

Task<Result<Reply>> change(Call call, std::string version) {
  const Operator who = operator_of(call);
  ReloadRequest wanted;
  wanted.version = std::move(version);
  wanted.dry_run = call.body()["dry_run"].boolean();
  wanted.by = who.name;
  wanted.reason = who.reason;
  auto working = call.gateway->reloads().reload(std::move(wanted));
  Result<std::string> done = co_await std::move(working);
  if (!done) co_return base::fail(done.error());
  co_return json_reply(std::move(*done));
}

Task<Result<Reply>> apply(Call call) {
  auto working = change(std::move(call), {});
  Result<Reply> done = co_await std::move(working);
  co_return done;
}

Task<Result<Reply>> roll_back(Call call) {
  std::string version(call.body()["version"].text());
  if (version.empty())
    co_return base::fail(ErrorCode::bad_value, "which version?", "version", "`kiln history` lists them");
  auto working = change(std::move(call), std::move(version));
  Result<Reply> done = co_await std::move(working);
  co_return done;
}

constexpr ErrorCode kErrors[] = {ErrorCode::reload_running, ErrorCode::site_invalid, ErrorCode::restart_needed,
                                 ErrorCode::config_version_not_found, ErrorCode::bad_value};
constexpr const char* kApplied =
    "{applied: boolean, config: string, same: boolean, effects: [string], restart: [string], left: [string]}";

constexpr RouteSpec kRoutes[] = {
    {.method = "GET",
     .path = "/config/diff",
     .right = AdminRight::configure,
     .summary = "the files on disk against what runs",
     .answer = "{running: string, disk: string, same: boolean, effects: [string], restart: [string], files: [{path: string, "
               "change: string, diff: string}]}",
     .errors = kErrors,
     .task = diff},
    {.method = "GET",
     .path = "/config/history",
     .right = AdminRight::view,
     .summary = "every version that was applied, the newest first",
     .answer = "{versions: [{version: integer, hash: string, at: time, by: string, reason?: string, changes: [string], current: boolean}]}",
     .task = history},
    {.method = "POST",
     .path = "/config/apply",
     .right = AdminRight::configure,
     .summary = "check the files on disk and let the running engine use them; or say what that would do",
     .body = "{dry_run?: boolean, reason?: string, by?: string}",
     .answer = kApplied,
     .errors = kErrors,
     .recorded = Recorded::before,
     .action = "config.apply",
     .task = apply},
    {.method = "POST",
     .path = "/config/rollback",
     .right = AdminRight::configure,
     .summary = "use a version that was applied before",
     .body = "{version: string, dry_run?: boolean, reason?: string, by?: string}",
     .answer = kApplied,
     .errors = kErrors,
     .recorded = Recorded::before,
     .action = "config.rollback",
     .task = roll_back},
};

}  // namespace

const RouteGroup& config_routes() {
  static const RouteGroup group{"config", "versions of the site", kRoutes};
  return group;
}

}  // namespace kiln::engine
