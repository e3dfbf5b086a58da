// Every connector: what it listens on or sends to, how many connections are open, how many were refused.

#include "engine/admin/route.h"
#include "engine/gateway.h"

namespace kiln::engine {
namespace {

using base::Result;

void number(base::JsonWriter& json, const char* name, std::uint64_t value) {
  json.key(name).integer(static_cast<std::int64_t>(value));
}

void write_status(base::JsonWriter& json, const channels::ConnectorStatus& status) {
  static constexpr const char* kStates[] = {"down", "connecting", "up", "paused"};
  json.member("state", kStates[static_cast<std::size_t>(status.state)]);
  number(json, "open", status.connections);
  number(json, "opened", status.connections_total);
  number(json, "refused", status.refused_connections);
  number(json, "unframed", status.unframed);
  number(json, "messages", status.messages);
  if (!status.last_error.empty()) json.member("last_error", status.last_error);
  json.end_object();
}

/// "10.0.0.7:2575", a URL, or empty: never a secret.
std::string receiver_of(const channels::ChannelDefinition& channel, const std::string& name) {
  for (const channels::DestinationDefinition& destination : channel.destinations) {
    if (destination.name != name) continue;
    const auto text = [&destination](const char* option) {
      const channels::FieldSpec* field = channels::find_field(destination.options.fields(), option);
      if (field == nullptr || !destination.options.has(option)) return std::string();
      if (field->type == channels::FieldType::integer) return std::to_string(destination.options.number(option));
      return field->type == channels::FieldType::secret ? std::string() : destination.options.text(option);
    };
    if (const std::string url = text("url"); !url.empty()) return url;
    const std::string host = text("host"), port = text("port");
    return host.empty() ? std::string(destination.connector->name) : port.empty() ? host : host + ":" + port;
  }
  return {};
}

Result<Reply> list(const Call& call) {
  base::JsonWriter json;
  json.begin_object().key("connections").begin_array();
  for (const auto& channel : call.gateway->channels()) {
    const channels::ChannelDefinition& definition = channel->definition();
    const channels::ConnectorStatus source = channel->source_status();
    std::string listener = definition.source->name;
    if (source.port != 0) listener += " port " + std::to_string(source.port);
    json.begin_object().member("channel", definition.name).member("listener", listener).member("peer", "any sender");
    write_status(json, source);
    for (const auto& queue : channel->queues()) {
      json.begin_object().member("channel", definition.name).member("destination", queue->name());
      json.member("peer", receiver_of(definition, queue->name()));
      write_status(json, queue->connector_status());
    }
  }
  return json_reply(json.end_array().end_object().take());
}

constexpr RouteSpec kRoutes[] = {
    {.method = "GET",
     .path = "/connections",
     .right = AdminRight::view,
     .summary = "what every connector listens on or sends to, and its connections",
     .answer = "{connections: [{channel: string, destination?: string, listener?: string, peer: string, state: string, open: "
               "integer, opened: integer, refused: integer, unframed: integer, messages: integer, last_error?: string}]}",
     .run = list},
};

}  // namespace

const RouteGroup& connections_routes() {
  static const RouteGroup group{"connections", "connections", kRoutes};
  return group;
}

}  // namespace kiln::engine
