#pragma once
// What the `mqtt` source and destination share: how the server is reached.

#include "channels/connector.h"
#include "channels/connectors/detail/common.h"
#include "channels/net/mqtt_client.h"
#include "channels/tls_fields.h"
#include "channels/tls_settings.h"

namespace kiln::channels::detail {

inline constexpr FieldSpec kMqttHost{
    .name = "host", .type = FieldType::string, .summary = "name or IP address of the server", .required = true};
inline constexpr FieldSpec kMqttPort{.name = "port",
                                     .type = FieldType::integer,
                                     .summary = "TCP port; 8883 is usual with `tls`",
                                     .default_value = "1883",
                                     .min = 1,
                                     .max = 65535};
inline constexpr FieldSpec kMqttClient{
    .name = "client", .type = FieldType::string, .summary = "client id; default: kiln- and the channel's name"};
inline constexpr FieldSpec kMqttUser{.name = "user", .type = FieldType::string, .summary = "account"};
inline constexpr FieldSpec kMqttPassword{.name = "password", .type = FieldType::secret, .summary = "its password"};
inline constexpr FieldSpec kMqttTimeout{.name = "timeout",
                                        .type = FieldType::duration,
                                        .summary = "wait for the connection and for each answer",
                                        .default_value = "10s",
                                        .min = 100};

/// A password does not go over the network in plain text.
inline void check_mqtt_login(const Options& options, std::vector<OptionProblem>& out) {
  const auto* host = options.find("host");
  const bool beyond = host != nullptr && host->resolved && !is_this_machine(host->text);
  if (beyond && options.has("password") && !options.has("tls") && !options.has("insecure"))
    out.push_back({base::ErrorCode::E0910, "host", "a password is not sent without encryption",
                   "`tls { … }`, or insecure accept_risk"});
}

/// Where a client connects to. `suffix` tells two connections of one channel from each other.
inline MqttServer mqtt_server(const Options& options, const Surroundings& around, const std::shared_ptr<TlsSettings>& tls,
                              const std::string& suffix) {
  MqttServer out;
  out.host = options.text("host");
  out.port = static_cast<std::uint16_t>(options.number("port"));
  out.encrypted = options.has("tls");
  if (tls) out.tls = tls->contexts();
  out.client_id = options.has("client") ? options.text("client") : "kiln-" + around.channel + suffix;
  out.user = options.text("user");
  out.password = options.text("password");
  out.timeout_ms = options.number("timeout");
  return out;
}

}  // namespace kiln::channels::detail
