// Replay of messages that a query finds.

#include "engine/admin/replay.h"
#include "engine/admin/route.h"

namespace kiln::engine {
namespace {

using base::Result;
using base::Task;

Result<ReplayRequest> read_request(const Call& call) {
  const base::JsonView root = call.body();
  ReplayRequest request;
  request.query = root["query"].text();
  for (const base::JsonView name : root["to"]) request.to.emplace_back(name.text());
  request.dry_run = root["dry_run"].boolean();
  request.fresh_lookups = root["fresh_lookups"].boolean();
  if (root["limit"]) {
    const std::string text(root["limit"].text());
    char* end = nullptr;
    request.limit = std::strtoull(text.c_str(), &end, 10);
    if (text.empty() || *end != '\0') return base::fail(base::ErrorCode::bad_value, "a number is wanted", "limit");
  }
  return request;
}

Task<Result<Reply>> replay(Call call) {
  Result<ReplayRequest> wanted = read_request(call);
  if (!wanted) co_return base::fail(wanted.error());
  auto replaying = replay_messages(*call.gateway, std::move(*wanted));
  Result<std::string> done = co_await std::move(replaying);
  if (!done) co_return base::fail(done.error());
  co_return json_reply(std::move(*done));
}

constexpr base::ErrorCode kErrors[] = {base::ErrorCode::query_syntax, base::ErrorCode::limit_exceeded};

constexpr RouteSpec kRoutes[] = {
    {.method = "POST",
     .path = "/replay",
     .right = AdminRight::replay,
     .summary = "send messages through their channel again, in their order; or say what that would do",
     .body = "{query: string, to?: [string], dry_run?: boolean, fresh_lookups?: boolean, limit?: integer, reason?: string}",
     .answer = "{dry_run: boolean, matched: integer, replayed: integer, skipped: integer, failed: integer, messages: [{id: "
               "integer, channel: string, type: string, new_id?: integer, verdict?: string, reason?: string, skipped?: string, "
               "error?: string, outputs?: [{destination: string, bytes: integer, sha256: string}]}]}",
     .errors = kErrors,
     .recorded = Recorded::before,
     .action = "message.replay",
     .task = replay},
};

}  // namespace

const RouteGroup& replay_spec() {
  static const RouteGroup group{"replay", "replay", kRoutes};
  return group;
}

}  // namespace kiln::engine
