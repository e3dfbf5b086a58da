// Channels and destinations: let them go on.

#include "engine/admin/route.h"
#include "engine/gateway.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;
using base::Task;

Result<Reply> resume_destination(const Call& call) {
  for (const auto& channel : call.gateway->channels()) {
    if (channel->definition().name != call.value("channel")) continue;
    DeliveryQueue* queue = channel->find_queue(call.value("destination"));
    if (queue == nullptr) continue;
    queue->resume();
    return json_reply("{\"resumed\":true}");
  }
  return base::fail(ErrorCode::no_such_thing, "there is no such destination",
                    std::string(call.value("channel")) + "/" + std::string(call.value("destination")));
}

Task<Result<Reply>> resume_channel(Call call) {
  for (const auto& channel : call.gateway->channels()) {
    if (channel->definition().name != call.value("channel")) continue;
    auto resuming = channel->resume_links();
    const Result<std::size_t> links = co_await std::move(resuming);
    if (!links) co_return base::fail(links.error());
    co_return json_reply("{\"resumed\":" + std::to_string(*links) + "}");
  }
  co_return base::fail(ErrorCode::no_such_thing, "there is no such channel", std::string(call.value("channel")));
}

constexpr ErrorCode kErrors[] = {ErrorCode::no_such_thing};

constexpr RouteSpec kRoutes[] = {
    {.method = "POST",
     .path = "/channels/{channel}/resume",
     .right = AdminRight::operate,
     .summary = "frozen numbered links go on with the next number that comes",
     .body = "{reason?: string}",
     .answer = "{resumed: integer}",
     .errors = kErrors,
     .recorded = Recorded::after,
     .action = "channel.resume",
     .task = resume_channel},
    {.method = "POST",
     .path = "/destinations/{channel}/{destination}/resume",
     .right = AdminRight::operate,
     .summary = "a blocked destination tries its first message now",
     .body = "{reason?: string}",
     .answer = "{resumed: boolean}",
     .errors = kErrors,
     .recorded = Recorded::after,
     .action = "destination.resume",
     .run = resume_destination},
};

}  // namespace

const RouteGroup& channels_spec() {
  static const RouteGroup group{"channels", "channels and destinations", kRoutes};
  return group;
}

}  // namespace kiln::engine
