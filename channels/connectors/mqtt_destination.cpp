// Publishes messages to an MQTT server (QoS 1): sent when the server has confirmed.

#include "channels/connectors/detail/common.h"
#include "channels/connectors/detail/mqtt_options.h"

namespace kiln::channels {

namespace {

using base::ErrorCode;
using Kind = SendOutcome::Kind;

constexpr FieldSpec kOptions[] = {
    detail::kMqttHost,
    detail::kMqttPort,
    detail::kMqttClient,
    detail::kMqttUser,
    detail::kMqttPassword,
    {.name = "topic",
     .type = FieldType::name_template,
     .summary = "where messages are published; ${…} may use the message",
     .required = true},
    {.name = "retain",
     .type = FieldType::boolean,
     .summary = "the server keeps the last message for those who subscribe later",
     .default_value = "false"},
    detail::kMqttTimeout,
    kTlsClient,
    detail::kInsecureLogin,
};
constexpr ConnectorExample kExamples[] = {
    {"{ host \"broker.example.org\"; port 8883; topic \"adt/${MSH-9.2}\"; user \"kiln\"; password env(\"MQTT_PASSWORD\"); tls "
     "{ ca cred(\"broker-ca.crt\") } }"},
    {"{ host \"127.0.0.1\"; topic \"adt\"; retain true }"},
    {"{ host \"broker.example.org\"; topic \"adt\"; user \"kiln\"; password env(\"MQTT_PASSWORD\"); insecure accept_risk }"},
    {"{ host \"broker.example.org\"; topic \"adt\"; user \"kiln\"; password env(\"MQTT_PASSWORD\") }", false},
    {"{ host \"127.0.0.1\" }", false},
    {"{ topic \"adt\" }", false},
};

class MqttDestination final : public Destination {
 public:
  MqttDestination(const Options& options, const Surroundings& around)
      : options_(options), around_(around), idle_(around.network.executor()) {}

  base::Status start() override {
    stopping_ = false;
    if (!options_.has("tls")) return {};
    auto tls = TlsSettings::client(options_.block("tls"), around_.env, around_.clock, around_.channel);
    if (!tls) return detail::option_error("tls", tls.error());
    tls_ = std::move(*tls);
    return {};
  }

  base::Task<SendOutcome> send(Outgoing message) override {
    sending_ = true;
    auto attempting = attempt(std::move(message));
    SendOutcome outcome = co_await std::move(attempting);
    const bool sent = outcome.kind == Kind::sent;
    if (sent) ++status_.messages;
    status_.last_error = outcome.detail;
    status_.state = sent ? ConnectorStatus::State::up : ConnectorStatus::State::down;
    if (!sent && client_) client_->close();
    sending_ = false;
    idle_.notify();
    co_return outcome;
  }

  base::Task<void> stop() override {
    stopping_ = true;
    if (client_) client_->close();
    while (sending_) {
      auto wait = idle_.wait(std::chrono::nanoseconds(-1));
      co_await wait;
    }
    if (client_) client_->close();
    client_ = nullptr;
    status_.state = ConnectorStatus::State::down;
  }
  ConnectorStatus status() const override {
    ConnectorStatus out = status_;
    out.connections = client_ && client_->is_open() ? 1 : 0;
    return out;
  }

 private:
  base::Task<SendOutcome> attempt(Outgoing message) {
    std::string topic(message.rendered_option("topic"));
    if (!is_mqtt_topic(topic))
      co_return SendOutcome::failed(Kind::bad, {ErrorCode::cannot_deliver, "the topic cannot be published to", "", ""});
    if (!client_ || !client_->is_open()) {
      MqttServer server = detail::mqtt_server(options_, around_, tls_, "-" + message.destination);
      server.clean_session = true;  // what is not confirmed is published again from the queue
      const auto fresh = MqttClient::make(around_.network, std::move(server));
      client_ = fresh;
      auto connecting = fresh->connect(nullptr, nullptr);
      const base::Status connected = co_await std::move(connecting);
      if (!connected) co_return SendOutcome::failed(Kind::retry, connected.error());
      ++status_.connections_total;
    }
    if (stopping_) co_return SendOutcome::failed(Kind::retry, {ErrorCode::cancelled, "stopped", "", ""});
    const auto client = client_;
    auto publishing = client->publish(std::move(topic), message.csv_header + message.bytes, options_.flag("retain"), message.in_doubt);
    const base::Status published = co_await std::move(publishing);
    if (!published) co_return SendOutcome::failed(Kind::in_doubt, published.error());
    co_return SendOutcome::sent();
  }

  Options options_;
  Surroundings around_;
  std::shared_ptr<TlsSettings> tls_;
  std::shared_ptr<MqttClient> client_;
  base::Event idle_;
  bool sending_ = false, stopping_ = false;
  ConnectorStatus status_;
};

std::vector<OptionProblem> check(const Options& options) {
  std::vector<OptionProblem> out;
  detail::check_mqtt_login(options, out);
  return out;
}

std::unique_ptr<Destination> make(const Options& options, const Surroundings& around) {
  return std::make_unique<MqttDestination>(options, around);
}

}  // namespace

const ConnectorSpec& mqtt_destination_spec() {
  static const ConnectorSpec spec{.name = "mqtt",
                                  .role = ConnectorRole::destination,
                                  .summary = "publishes messages to an MQTT server",
                                  .content = {.hl7 = true, .fhir = true, .csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .check = &check,
                                  .make_destination = &make};
  return spec;
}

}  // namespace kiln::channels
