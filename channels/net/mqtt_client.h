#pragma once
// MQTT 3.1.1 over any Stream: one connection, QoS 1, kept session. An own client, since the usual library confirms a
// message before it hands it over: here PUBACK leaves when the caller says so (reliability.md R1).

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "channels/net/tls.h"
#include "engine/base/network.h"

namespace kiln::channels {

struct MqttServer {
  std::string host;
  std::uint16_t port = 1883;
  bool encrypted = false;
  TlsContexts tls;  ///< what an encrypted connection uses; empty: the system's authorities
  std::string client_id;
  std::string user, password;
  bool clean_session = false;
  std::int64_t timeout_ms = 10'000;  ///< to connect, and for each answer
  std::int64_t keep_alive_ms = 30'000;
  std::size_t message_max = 16u << 20;  ///< bytes of a packet; a larger one ends the connection
};

struct MqttMessage {
  std::string topic, payload;
  std::uint16_t id = 0;    ///< to confirm with; 0: needs no confirmation (QoS 0)
  bool duplicate = false;  ///< sent before, and not confirmed then
};

/// On the network's executor. A connection that has ended stays ended: make another client.
class MqttClient : public std::enable_shared_from_this<MqttClient> {
 public:
  using OnMessage = std::function<void(MqttMessage)>;
  using OnEnd = std::function<void(base::Error)>;

  static std::shared_ptr<MqttClient> make(base::Network& network, MqttServer server);
  virtual ~MqttClient() = default;

  /// Connects and logs in; then `on_message` may be called, and `on_end` once. Errors: connect_failed, tls_failed, timeout,
  /// connection_closed, peer_login_refused, peer_unavailable.
  virtual base::Task<base::Status> connect(OnMessage on_message, OnEnd on_end) = 0;
  /// Asks for QoS 1. Errors: those of the connection; peer_negative when the server refuses a topic.
  virtual base::Task<base::Status> subscribe(std::vector<std::string> topics) = 0;
  /// Confirms a message. After the end of the connection nothing happens: the server sends it again.
  virtual void confirm(std::uint16_t id) = 0;
  /// Sends with QoS 1 and waits for the confirmation. One at a time. `duplicate`: it may have arrived before. Errors: those
  /// of the connection; after one of them it is not known whether the server has it.
  virtual base::Task<base::Status> publish(std::string topic, std::string payload, bool retain, bool duplicate) = 0;
  /// Bids the server good-bye and closes. Idempotent.
  virtual void close() = 0;
  virtual bool is_open() const = 0;
};

/// True for a topic that may be published to: not empty, no wildcard, no NUL, at most 65,535 bytes.
bool is_mqtt_topic(std::string_view text);
/// True for a filter that may be subscribed to: `+` and `#` as whole steps, `#` last.
bool is_mqtt_filter(std::string_view text);

}  // namespace kiln::channels
