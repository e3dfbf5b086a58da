// The disk of the engine: what it holds, retention, backup.

#include <cstdlib>

#include "engine/admin/message_json.h"
#include "engine/admin/route.h"
#include "engine/gateway.h"
#include "engine/journal/master_key.h"
#include "engine/vault/keeper.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;
using base::Task;
using Work = std::function<Result<std::string>(Keeper&)>;

/// Runs it where blocking work on files belongs.
Task<Result<Reply>> on_files(Gateway* gateway, Work work) {
  base::Completion<Result<std::string>> answered(gateway->executor());
  Keeper& keeper = gateway->keeper();
  keeper.work().post([&keeper, answered, work = std::move(work)] { answered.set(work(keeper)); });
  Result<std::string> done = co_await answered;
  if (!done) co_return base::fail(done.error());
  co_return json_reply(std::move(*done));
}

/// What the keeper says, and which key closes new files, when the last backup and proof of the journal were.
Result<std::string> print_all(Keeper& keeper, base::Env& env, const std::string& data, const MasterKeyPtr& master) {
  TRY(std::string text, keeper.print_storage());
  base::JsonWriter json;
  json.begin_object();
  if (master) json.member("master_key", master->id());
  if (const auto at = read_done(env, data, kBackupMark)) json.member("backup", print_time(*at));
  if (const auto at = read_done(env, data, kVerifyMark)) json.member("verified", print_time(*at));
  json.key("encrypted").boolean(master != nullptr).end_object();
  text.pop_back();  // its closing brace
  return text + "," + json.take().substr(1);
}

Task<Result<Reply>> show(Call call) {
  Gateway* const gateway = call.gateway;
  Work work = [env = &gateway->env(), data = gateway->site().data_folder, master = gateway->master_key()](Keeper& keeper) {
    return print_all(keeper, *env, data, master);
  };
  auto working = on_files(call.gateway, std::move(work));
  Result<Reply> done = co_await std::move(working);
  co_return done;
}

Task<Result<Reply>> prune(Call call) {
  const base::JsonView body = call.body();
  Keeper::PruneRequest request;
  request.dry_run = body["dry_run"].boolean();
  request.confirmed = body["confirm"].boolean();
  if (body["keep_ms"]) {
    const std::string text(body["keep_ms"].text());
    char* end = nullptr;
    request.keep_us = std::strtoll(text.c_str(), &end, 10) * 1000;
    if (text.empty() || *end != '\0' || request.keep_us <= 0)
      co_return base::fail(ErrorCode::bad_value, "a number of milliseconds is wanted", "keep_ms");
  }
  Work work = [request](Keeper& keeper) { return keeper.prune_now(request); };
  auto working = on_files(call.gateway, std::move(work));
  Result<Reply> done = co_await std::move(working);
  co_return done;
}

Task<Result<Reply>> backup(Call call) {
  const std::string folder(call.body()["folder"].text());
  if (folder.empty() || folder[0] != '/')
    co_return base::fail(ErrorCode::bad_value, "`folder` must be an absolute path", "folder");
  Work work = [folder](Keeper& keeper) { return keeper.backup_to(folder); };
  auto working = on_files(call.gateway, std::move(work));
  Result<Reply> done = co_await std::move(working);
  co_return done;
}

constexpr ErrorCode kErrors[] = {ErrorCode::bad_value};

constexpr RouteSpec kRoutes[] = {
    {.method = "GET",
     .path = "/storage",
     .right = AdminRight::view,
     .summary = "day files, what keeps them, free space and when the disk will be full",
     .answer = "{free_bytes: integer, disk_full: string, retention_days: integer, metadata_days: integer, scrub: any, plan: any, encrypted: boolean, master_key?: string, backup?: time, verified?: time}",
     .task = show},
    {.method = "POST",
     .path = "/storage/prune",
     .right = AdminRight::admin,
     .summary = "remove day files that are past their time; never one that holds pending or quarantined messages",
     .body = "{dry_run?: boolean, confirm?: boolean, keep_ms?: integer, reason?: string}",
     .answer = "{*: any}",
     .errors = kErrors,
     .recorded = Recorded::before,
     .action = "storage.prune",
     .task = prune},
    {.method = "POST",
     .path = "/storage/backup",
     .right = AdminRight::admin,
     .summary = "a backup into a new folder, while messages go on",
     .body = "{folder: string, reason?: string}",
     .answer = "{*: any}",
     .errors = kErrors,
     .recorded = Recorded::before,
     .action = "storage.backup",
     .task = backup},
};

}  // namespace

const RouteGroup& storage_routes() {
  static const RouteGroup group{"storage", "retention and backup", kRoutes};
  return group;
}

}  // namespace kiln::engine
