#include "engine/admin/status_json.h"

#include "engine/admin/message_json.h"
#include "engine/gateway.h"
#include "engine/version.h"

namespace kiln::engine {
namespace {

void counter(base::JsonWriter& json, const char* name, std::uint64_t value) {
  json.key(name).integer(static_cast<std::int64_t>(value));
}

void write_connector(base::JsonWriter& json, const channels::ConnectorStatus& status) {
  static constexpr const char* kStates[] = {"down", "connecting", "up", "paused"};
  json.member("state", kStates[static_cast<std::size_t>(status.state)]);
  counter(json, "connections", status.connections);
  if (status.port != 0) counter(json, "port", status.port);
  if (!status.last_error.empty()) json.member("last_error", status.last_error);
}

void write_queue(base::JsonWriter& json, const DeliveryQueue& queue) {
  const QueueStatus status = queue.status();
  json.begin_object().member("name", queue.name());
  counter(json, "pending", status.pending);
  counter(json, "sent", status.sent);
  counter(json, "quarantined", status.quarantined);
  counter(json, "retries", status.retries);
  json.key("blocked").boolean(status.blocked);
  if (status.head != 0) {
    counter(json, "head", status.head);
    counter(json, "head_attempts", status.head_attempts);
  }
  if (status.next_try_ms >= 0) json.key("next_try_ms").integer(status.next_try_ms);
  if (!status.last_error.empty()) json.member("last_failure", status.last_error);
  json.key("connector").begin_object();
  write_connector(json, queue.connector_status());
  json.end_object().end_object();
}

void write_channel(base::JsonWriter& json, const ChannelRuntime& channel) {
  const ChannelCounters& counters = channel.counters();
  json.begin_object()
      .member("name", channel.definition().name)
      .member("kind", channel.definition().source->name);
  json.key("source").begin_object();
  write_connector(json, channel.source_status());
  json.end_object();
  counter(json, "received", counters.received);
  counter(json, "accepted", counters.accepted);
  counter(json, "rejected", counters.rejected);
  counter(json, "filtered", counters.filtered);
  counter(json, "quarantined", counters.quarantined);
  counter(json, "duplicates", counters.duplicates);
  counter(json, "not_stored", counters.not_stored);
  counter(json, "unframed", counters.unframed);
  counter(json, "replayed", counters.replayed);
  if (counters.last_received.micros != 0) json.member("last_received", print_time(counters.last_received));
  json.key("links").begin_array();
  for (const auto& [name, link] : channel.links()) {
    json.begin_object().member("name", name);
    json.key("last").integer(link.state.last).key("frozen").boolean(link.state.frozen).end_object();
  }
  json.end_array();
  json.key("notes").begin_object();
  for (const auto& [code, count] : channel.coverage().codes()) counter(json, code.c_str(), count);
  json.end_object();
  json.key("destinations").begin_array();
  for (const auto& queue : channel.queues()) write_queue(json, *queue);
  json.end_array().end_object();
}

}  // namespace

std::string print_status(const Gateway& gateway) {
  base::JsonWriter json;
  json.begin_object()
      .member("version", kVersion)
      .member("fhir", gateway.fhir_url())
      .member("config", gateway.site().hash);
  json.key("channels").begin_array();
  for (const auto& channel : gateway.channels()) write_channel(json, *channel);
  json.end_array().end_object();
  return json.take();
}

}  // namespace kiln::engine
