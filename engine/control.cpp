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

/// The commands that take away what holds a channel, or one of its destinations; empty: nothing does.
std::vector<std::string> ways_on(const Holds& holds, const std::string& channel, const std::string& destination = {}) {
  std::vector<std::string> out;
  const Hold* source = holds.find("source:" + channel);
  if (destination.empty() && source != nullptr && source->state == HoldState::stopped) out.push_back("kiln channel start " + channel);
  const bool reading = holds.find("reading:" + channel) != nullptr || (source != nullptr && source->state == HoldState::paused);
  if (destination.empty() && reading) out.push_back("kiln channel resume " + channel + " --source");
  if (holds.find("channel:" + channel) != nullptr) out.push_back("kiln channel resume " + channel);
  if (!destination.empty() && holds.find("destination:" + channel + "/" + destination) != nullptr)
    out.push_back("kiln destination resume " + channel + "/" + destination);
  return out;
}

void write_ways_on(base::JsonWriter& json, const std::vector<std::string>& ways) {
  if (ways.empty()) return;
  json.key("held").begin_array();
  for (const std::string& way : ways) json.string(way);
  json.end_array();
}

std::string state_of(Gateway& gateway, const ChannelRuntime& channel, const std::string& action, std::optional<std::size_t> links = {}) {
  base::JsonWriter json;
  json.begin_object().member("state", name_of(channel.state()));
  if (links) json.key("resumed").integer(static_cast<std::int64_t>(*links));
  // Who lets one thing go on is told what else holds it.
  if (action == "resume" || action == "start" || action == "resume-source")
    write_ways_on(json, ways_on(gateway.holds(), channel.definition().name));
  return json.end_object().take();
}

const char* state_of(const DeliveryQueue& queue) {
  const QueueStatus status = queue.status();
  if (status.paused || status.blocked) return status.paused ? "paused" : "blocked";
  return status.closed.empty() ? "running" : "closed";
}

void write_queue(base::JsonWriter& json, const DeliveryQueue& queue) {
  const QueueStatus status = queue.status();
  json.begin_object().member("name", queue.name()).member("state", state_of(queue));
  json.key("pending").integer(static_cast<std::int64_t>(status.pending));
  json.key("blocked_messages").integer(static_cast<std::int64_t>(status.blocked_messages));
  if (!status.closed.empty()) json.member("hours", status.closed);
  if (!status.last_error.empty()) json.member("last_failure", status.last_error);
  json.end_object();
}

void write_channel(base::JsonWriter& json, const ChannelRuntime& channel, const Holds& holds) {
  const std::string& name = channel.definition().name;
  json.begin_object().member("name", name).member("state", name_of(channel.state()));
  json.member("source", channel.definition().source->name);
  const channels::ConnectorStatus source = channel.source_status();
  if (source.port != 0) json.key("port").integer(source.port);
  if (const std::string closed = channel.closed(); !closed.empty()) json.member("hours", closed);
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

namespace {

Result<std::string> no_channel(const std::string& channel) {
  return base::fail(ErrorCode::channel_not_found, {}, channel, "`kiln channel list` names them");
}

/// The subject of an action and what it becomes; no subject: there is no such action.
struct Wish {
  std::string subject;
  HoldState state = HoldState::running;
};
Wish wish_of(const std::string& channel, const std::string& action) {
  if (action == "start") return {"source:" + channel, HoldState::running};
  if (action == "stop" || action == "drain") return {"source:" + channel, HoldState::stopped};
  if (action == "pause") return {"channel:" + channel, HoldState::paused};
  if (action == "resume") return {"channel:" + channel, HoldState::running};
  if (action == "pause-source") return {"reading:" + channel, HoldState::paused};
  if (action == "resume-source") return {"reading:" + channel, HoldState::running};
  return {};
}

/// A source that was paused before it had a subject of its own is let go under the old one, too.
Task<Status> hold_as_wished(Gateway* gateway, std::string channel, Wish wish, Operator who) {
  const Hold* old = gateway->holds().find("source:" + channel);
  const bool lets_go_old = wish.subject == "reading:" + channel && wish.state == HoldState::running && old != nullptr &&
                           old->state == HoldState::paused;
  const bool keeps_old = wish.subject == "source:" + channel && old != nullptr && old->state == HoldState::paused;
  if (keeps_old) {
    auto keeping = hold(gateway, "reading:" + channel, HoldState::paused, who);
    const Status kept = co_await std::move(keeping);
    if (!kept) co_return kept;
  }
  if (lets_go_old) {
    auto letting_go = hold(gateway, "source:" + channel, HoldState::running, who);
    const Status gone = co_await std::move(letting_go);
    if (!gone) co_return gone;
  }
  auto holding = hold(gateway, wish.subject, wish.state, std::move(who));
  Status status = co_await std::move(holding);
  co_return status;
}

/// What is durable is done. The answer has "resumed" when numbered links go on.
Task<Result<std::string>> obey(Gateway* gateway, ChannelRuntime* runtime, std::string action) {
  const ChannelRuntime::Use use(runtime);
  if (action == "stop" || action == "drain") {
    auto stopping = runtime->stop_intake(action == "drain");
    const Status stopped = co_await std::move(stopping);
    if (!stopped) co_return base::fail(stopped.error());
  }
  if (action == "pause" || action == "resume") runtime->pause_deliveries(action == "pause");
  if (action == "pause-source" || action == "resume-source") runtime->hold_source(action == "pause-source");
  if (action == "resume") {
    auto resuming = runtime->resume_links();
    const Result<std::size_t> links = co_await std::move(resuming);
    if (!links) co_return base::fail(links.error());
    co_return state_of(*gateway, *runtime, action, *links);
  }
  co_return state_of(*gateway, *runtime, action);
}

}  // namespace

Task<Result<std::string>> control_channel(Gateway* gateway, std::string channel, std::string action,
                                          Operator who) {
  ChannelRuntime* runtime = find_runtime(*gateway, channel);
  if (runtime == nullptr) co_return no_channel(channel);
  Wish wish = wish_of(channel, action);
  if (wish.subject.empty())
    co_return base::fail(ErrorCode::bad_value, "a channel cannot `" + action + "`", channel,
                         "start, stop, pause, resume, drain, pause-source or resume-source");
  Result<std::string> answer = std::string();
  // A listener that cannot be opened stays stopped; else the record comes first.
  const bool is_closed = runtime->state() == ChannelState::stopped || runtime->state() == ChannelState::draining;
  if (action == "start" && is_closed) {
    const Status opened = runtime->start_intake();
    if (!opened) answer = base::fail(opened.error());
  }
  if (answer) {
    auto holding = hold_as_wished(gateway, channel, std::move(wish), std::move(who));
    const Status held = co_await std::move(holding);
    if (!held) answer = base::fail(held.error());
  }
  if (answer) {
    runtime = find_runtime(*gateway, channel);  // a reload may have taken it out, or put another in its place
    if (runtime == nullptr) co_return no_channel(channel);
    auto obeying = obey(gateway, runtime, action);
    answer = co_await std::move(obeying);
  }
  if (answer) co_return answer;
  base::Error error = answer.error();
  error.place = channel + (error.place.empty() ? "" : ", " + error.place);
  co_return base::fail(std::move(error));
}

Task<Result<std::string>> control_destination(Gateway* gateway, std::string channel, std::string destination,
                                              std::string action, Operator who) {
  const std::string address = channel + "/" + destination;
  ChannelRuntime* runtime = find_runtime(*gateway, channel);
  DeliveryQueue* queue = runtime == nullptr ? nullptr : runtime->find_queue(destination);
  if (queue == nullptr && action == "skip") {
    auto setting_aside = set_aside_stranded(gateway, channel, destination);
    Result<std::string> done = co_await std::move(setting_aside);
    co_return done;
  }
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
    runtime = find_runtime(*gateway, channel);
    if (runtime == nullptr) co_return no_channel(channel);
    runtime->pause_destination(destination, paused);
    queue = runtime->find_queue(destination);
    if (!paused && queue != nullptr) queue->resume();
  } else {
    co_return base::fail(ErrorCode::bad_value, "a destination cannot `" + action + "`", address,
                         "pause, resume, retry-now or skip");
  }
  queue = runtime->find_queue(destination);
  const char* state = queue == nullptr ? "running" : state_of(*queue);
  base::JsonWriter json;
  json.begin_object().key("resumed").boolean(action != "pause").member("state", state);
  if (action == "resume") write_ways_on(json, ways_on(gateway->holds(), channel, destination));
  co_return json.end_object().take();
}

}  // namespace kiln::engine
