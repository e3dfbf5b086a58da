#include "engine/admin/replay.h"

namespace kiln::engine {

base::Task<base::Result<std::string>> replay_messages(Gateway& gateway, ReplayRequest request) {
  ReplaySpec spec;
  spec.query = std::move(request.query);
  spec.to = std::move(request.to);
  spec.channel = std::move(request.channel);
  spec.include_sent = request.include_sent;
  spec.allow_stale = request.allow_stale;
  spec.as_sent = request.as_sent;
  spec.fresh_lookups = request.fresh_lookups;
  auto replaying = gateway.replays().run_now(std::move(spec), std::move(request.by), std::move(request.reason),
                                             request.dry_run, request.with_diff, request.limit);
  base::Result<std::string> done = co_await std::move(replaying);
  co_return done;
}

}  // namespace kiln::engine
