#include "engine/control.h"

#include "engine/admin/message_json.h"
#include "engine/base/json.h"
#include "engine/gateway.h"

namespace kiln::engine {

using base::ErrorCode;
using base::Result;
using base::Status;
using base::Task;

namespace {

ChannelRuntime* find_runtime(Gateway& gateway, const std::string& name) {
  for (const auto& channel : gateway.channels())
    if (channel->definition().name == name) return channel.get();
  return nullptr;
}

/// Durable when it ends.
Task<Status> hold(Gateway* gateway, std::string subject, HoldState state, Operator who) {
  base::Completion<Status> kept(gateway->executor());
  gateway->holds().set(subject, state, who.name, who.reason,
                       [kept](Status status) { kept.set(std::move(status)); });
  Status status = co_await kept;
  co_return status;
}

std::string state_of(const ChannelRuntime& channel) {
  return std::string("{\"state\":\"") + name_of(channel.state()) + "\"}";
}

const char* state_of(const DeliveryQueue& queue) {
  const QueueStatus status = queue.status();
  return status.paused ? "paused" : status.blocked ? "blocked" : "running";
}

void write_queue(base::JsonWriter& json, const DeliveryQueue& queue) {
  const QueueStatus status = queue.status();
  json.begin_object().member("name", queue.name()).member("state", state_of(queue));
  json.key("pending").integer(static_cast<std::int64_t>(status.pending));
  json.key("blocked_messages").integer(static_cast<std::int64_t>(status.blocked_messages));
  if (!status.last_error.empty()) json.member("last_failure", status.last_error);
  json.end_object();
}

void write_channel(base::JsonWriter& json, const ChannelRuntime& channel, const Holds& holds) {
  const std::string& name = channel.definition().name;
  json.begin_object().member("name", name).member("state", name_of(channel.state()));
  json.member("source", channel.definition().source->name);
  const channels::ConnectorStatus source = channel.source_status();
  if (source.port != 0) json.key("port").integer(source.port);
  std::uint64_t pending = 0;
  for (const auto& queue : channel.queues()) pending += queue->status().pending;
  json.key("pending").integer(static_cast<std::int64_t>(pending)).key("destinations").begin_array();
  for (const auto& queue : channel.queues()) write_queue(json, *queue);
  json.end_array().key("held").begin_array();
  for (const auto& [subject, hold] : holds.all()) {
    const std::string target = subject.substr(subject.find(':') + 1);
    if (target != name && !target.starts_with(name + "/")) continue;
    json.begin_object().member("what", subject).member("state", name_of(hold.state)).member("by", hold.by);
    json.member("since", print_time(hold.since));
    if (!hold.reason.empty()) json.member("reason", hold.reason);
    json.end_object();
  }
  json.end_array().end_object();
}

}  // namespace

std::string list_channels(Gateway& gateway) {
  base::JsonWriter json;
  json.begin_object().key("channels").begin_array();
  for (const auto& channel : gateway.channels()) write_channel(json, *channel, gateway.holds());
  return json.end_array().end_object().take();
}

Task<Result<std::string>> control_channel(Gateway* gateway, std::string channel, std::string action,
                                          Operator who) {
  ChannelRuntime* runtime = find_runtime(*gateway, channel);
  if (runtime == nullptr)
    co_return base::fail(ErrorCode::channel_not_found, {}, channel, "`kiln channel list` names them");
  Status done;
  if (action == "start") {
    if (runtime->state() == ChannelState::stopped || runtime->state() == ChannelState::draining)
      done = runtime->start_intake();
    if (done) {
      auto holding = hold(gateway, "source:" + channel, HoldState::running, who);
      done = co_await std::move(holding);
    }
  } else if (action == "stop" || action == "drain") {
    auto holding = hold(gateway, "source:" + channel, HoldState::stopped, who);
    done = co_await std::move(holding);
    if (done) {
      auto stopping = runtime->stop_intake(action == "drain");
      done = co_await std::move(stopping);
    }
  } else if (action == "pause" || action == "resume") {
    const bool paused = action == "pause";
    auto holding = hold(gateway, "channel:" + channel, paused ? HoldState::paused : HoldState::running, who);
    done = co_await std::move(holding);
    if (done) runtime->pause_deliveries(paused);
    if (done && !paused) {
      auto resuming = runtime->resume_links();
      const Result<std::size_t> links = co_await std::move(resuming);
      if (!links) co_return base::fail(links.error());
      co_return std::string("{\"state\":\"") + name_of(runtime->state()) +
          "\",\"resumed\":" + std::to_string(*links) + "}";
    }
  } else if (action == "pause-source" || action == "resume-source") {
    const bool paused = action == "pause-source";
    auto holding = hold(gateway, "source:" + channel, paused ? HoldState::paused : HoldState::running, who);
    done = co_await std::move(holding);
    if (done) runtime->hold_source(paused);
  } else {
    co_return base::fail(ErrorCode::bad_value, "a channel cannot `" + action + "`", channel,
                         "start, stop, pause, resume, drain, pause-source or resume-source");
  }
  if (!done) {
    base::Error error = done.error();
    error.place = channel + (error.place.empty() ? "" : ", " + error.place);
    co_return base::fail(std::move(error));
  }
  co_return state_of(*runtime);
}

Task<Result<std::string>> control_destination(Gateway* gateway, std::string channel, std::string destination,
                                              std::string action, Operator who) {
  const std::string address = channel + "/" + destination;
  ChannelRuntime* runtime = find_runtime(*gateway, channel);
  DeliveryQueue* queue = runtime == nullptr ? nullptr : runtime->find_queue(destination);
  if (queue == nullptr)
    co_return base::fail(ErrorCode::destination_not_found, {}, address, "`kiln channel list` names them");
  if (action == "skip") co_return "{\"skipped\":" + std::to_string(queue->set_aside_blocked()) + "}";
  if (action == "retry-now") {
    queue->retry_now();
  } else if (action == "pause" || action == "resume") {
    const bool paused = action == "pause";
    auto holding =
        hold(gateway, "destination:" + address, paused ? HoldState::paused : HoldState::running, who);
    const Status kept = co_await std::move(holding);
    if (!kept) co_return base::fail(kept.error());
    runtime->pause_destination(destination, paused);
    queue = runtime->find_queue(destination);
    if (!paused && queue != nullptr) queue->resume();
  } else {
    co_return base::fail(ErrorCode::bad_value, "a destination cannot `" + action + "`", address,
                         "pause, resume, retry-now or skip");
  }
  queue = runtime->find_queue(destination);
  const char* state = queue == nullptr ? "running" : state_of(*queue);
  co_return std::string("{\"resumed\":true,\"state\":\"") + state + "\"}";
}

}  // namespace kiln::engine
