// Channels and destinations: what operators do to them while they run.

#include "engine/admin/operator.h"
#include "engine/admin/route.h"
#include "engine/control.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;
using base::Task;

Result<Reply> list(const Call& call) { return json_reply(list_channels(*call.gateway)); }

Task<Result<Reply>> control_one(Call call) {
  auto working = control_channel(call.gateway, std::string(call.value("channel")), std::string(call.value("action")),
                                 operator_of(call));
  Result<std::string> done = co_await std::move(working);
  if (!done) co_return base::fail(done.error());
  co_return json_reply(std::move(*done));
}

Task<Result<Reply>> control_queue(Call call) {
  auto working = control_destination(call.gateway, std::string(call.value("channel")),
                                     std::string(call.value("destination")), std::string(call.value("action")),
                                     operator_of(call));
  Result<std::string> done = co_await std::move(working);
  if (!done) co_return base::fail(done.error());
  co_return json_reply(std::move(*done));
}

constexpr ErrorCode kChannelErrors[] = {ErrorCode::channel_not_found, ErrorCode::bad_value};
constexpr ErrorCode kDestinationErrors[] = {ErrorCode::destination_not_found, ErrorCode::bad_value};

constexpr RouteSpec kRoutes[] = {
    {.method = "GET",
     .path = "/channels",
     .right = AdminRight::view,
     .summary = "every channel with its state, its destinations and what is held",
     .answer = "{channels: [{name: string, state: string, source: string, port?: integer, pending: integer, destinations: "
               "[{name: string, state: string, pending: integer, blocked_messages: integer, last_failure?: string}], held: [{what: "
               "string, state: string, by: string, since: time, reason?: string}]}]}",
     .run = list},
    {.method = "POST",
     .path = "/channels/{channel}/{action}",
     .right = AdminRight::operate,
     .summary = "start, stop, pause, resume, drain, pause-source or resume-source of a channel; resume also lets frozen "
                "numbered links go on",
     .body = "{reason?: string, by?: string}",
     .answer = "{state: string, resumed?: integer, held?: [string]}",
     .errors = kChannelErrors,
     .recorded = Recorded::before,
     .action = "channel.control",
     .task = control_one},
    {.method = "POST",
     .path = "/destinations/{channel}/{destination}/{action}",
     .right = AdminRight::operate,
     .summary = "pause, resume (also after a block), retry-now or skip (quarantines the blocked messages, or what waits for a destination that the site does not have)",
     .body = "{reason?: string, by?: string}",
     .answer = "{state?: string, resumed?: boolean, skipped?: integer, held?: [string]}",
     .errors = kDestinationErrors,
     .recorded = Recorded::before,
     .action = "destination.control",
     .task = control_queue},
};

}  // namespace

const RouteGroup& channels_routes() {
  static const RouteGroup group{"channels", "channels and destinations", kRoutes};
  return group;
}

}  // namespace kiln::engine
