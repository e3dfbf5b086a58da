// Messages of an MQTT server (QoS 1, kept session): confirmed when they are durable, so what was not comes again.

#include "channels/connectors/detail/loop_source.h"
#include "channels/connectors/detail/mqtt_options.h"
#include "channels/detail/validation.h"

namespace kiln::channels {

namespace {

using base::ErrorCode;

constexpr const char* kContentWords[] = {"hl7", "fhir", "csv"};
constexpr FieldSpec kOptions[] = {
    detail::kMqttHost,
    detail::kMqttPort,
    detail::kMqttClient,
    detail::kMqttUser,
    detail::kMqttPassword,
    {.name = "topic",
     .type = FieldType::string,
     .summary = "what is subscribed to; `+` and `#` as usual",
     .required = true,
     .repeated = true},
    {.name = "content",
     .type = FieldType::word,
     .summary = "what a message holds; hl7 is known by MSH-10 when it comes twice, others are taken twice",
     .default_value = "hl7",
     .words = kContentWords},
    {.name = "charset",
     .type = FieldType::string,
     .summary = "character set when MSH-18 is empty",
     .lead = "default"},
    {.name = "timezone",
     .type = FieldType::string,
     .summary = "IANA zone of times without offset; default: the server's"},
    {.name = "max_message",
     .type = FieldType::size,
     .summary = "a larger one ends the connection",
     .default_value = "16MB",
     .min = 1024,
     .max = std::int64_t{1} << 28},
    {.name = "reconnect",
     .type = FieldType::duration,
     .summary = "pause before the next attempt",
     .default_value = "5s",
     .min = 10},
    detail::kMqttTimeout,
    kTlsClient,
    detail::kInsecureLogin,
    detail::kValidateOption,
};
constexpr ConnectorExample kExamples[] = {
    {"{ host \"broker.example.org\"; port 8883; topic \"ward/+/monitor\"; user \"kiln\"; password env(\"MQTT_PASSWORD\"); tls "
     "{ ca cred(\"broker-ca.crt\") } }"},
    {"{ host \"127.0.0.1\"; topic \"lab/results\"; topic \"lab/orders\"; content fhir; client \"kiln-lab\" }"},
    {"{ host \"broker.example.org\"; topic \"lab\"; user \"kiln\"; password env(\"MQTT_PASSWORD\") }", false},
    {"{ host \"127.0.0.1\"; topic \"lab/#/x\" }", false},
    {"{ host \"127.0.0.1\" }", false},
};

class MqttSource final : public detail::LoopSource {
 public:
  MqttSource(const Options& options, const Surroundings& around) : LoopSource(options, around) {
    const std::string content = options.text("content");
    content_ = content == "fhir" ? ContentKind::fhir : content == "csv" ? ContentKind::csv : ContentKind::hl7;
  }
  ConnectorStatus status() const override {
    ConnectorStatus out = status_;
    out.connections = client_ && client_->is_open() ? 1 : 0;
    return out;
  }

 private:
  base::Status prepare() override {
    if (!options_.has("tls")) return {};
    auto tls = TlsSettings::client(options_.block("tls"), around_.env, around_.clock, around_.channel);
    if (!tls) return detail::option_error("tls", tls.error());
    tls_ = std::move(*tls);
    return {};
  }

  /// Messages under way are confirmed before the connection goes.
  base::Task<void> settle() override {
    while (accepting_ != 0) {
      auto wait = changed_.wait(std::chrono::nanoseconds(-1));
      co_await wait;
    }
    if (client_) client_->close();
    changed_.notify();
  }

  std::shared_ptr<MqttSource> me() { return std::static_pointer_cast<MqttSource>(shared_from_this()); }

  /// In order of arrival: the next is given before the first is answered, so that one commit may hold several.
  static base::Task<void> take(std::shared_ptr<MqttSource> self, std::shared_ptr<MqttClient> client, MqttMessage message) {
    ++self->accepting_;
    Inbound in;
    in.bytes = std::move(message.payload);
    in.kind = self->content_;
    in.peer = "mqtt";
    in.name = std::move(message.topic);
    in.received_at = self->around_.clock.wall();
    auto accepting = self->intake_->accept(std::move(in));
    const Answer answer = co_await std::move(accepting);
    if (answer.taken == Taken::not_stored) {
      self->status_.last_error = "a message was not stored; the server sends it again";
      self->again_ = true;
    } else {
      ++self->status_.messages;
      client->confirm(message.id);
    }
    --self->accepting_;
    self->changed_.notify();
  }

  base::Task<base::Status> connect() {
    MqttServer server = detail::mqtt_server(options_, around_, tls_, "");
    server.message_max = static_cast<std::size_t>(options_.number("max_message"));
    const auto client = MqttClient::make(around_.network, std::move(server));
    client_ = client;
    const std::weak_ptr<MqttSource> weak = me();
    const std::weak_ptr<MqttClient> weak_client = client;
    MqttClient::OnMessage on_message = [weak, weak_client](MqttMessage message) {
      const auto source = weak.lock();
      const auto from = weak_client.lock();
      if (source && from && !source->stopping()) base::spawn(take(source, from, std::move(message)));
    };
    MqttClient::OnEnd on_end = [weak](const base::Error& why) {
      const auto source = weak.lock();
      if (!source) return;
      source->status_.last_error = why.message();
      source->changed_.notify();
    };
    auto connecting = client->connect(std::move(on_message), std::move(on_end));
    base::Status done = co_await std::move(connecting);
    if (!done) co_return done;
    ++status_.connections_total;
    std::vector<std::string> topics;
    for (const OptionValue& topic : *options_.all("topic")) topics.push_back(topic.text);
    auto subscribing = client->subscribe(std::move(topics));
    done = co_await std::move(subscribing);
    co_return done;
  }

  /// One connection, and the pause behind it.
  base::Task<std::int64_t> round() override {
    again_ = false;
    auto connecting = connect();
    const base::Status connected = co_await std::move(connecting);
    if (connected) {
      status_.last_error.clear();
      working();
    } else {
      failing(connected.error());
    }
    while (connected && !stopping() && !again_ && client_->is_open()) {
      auto wait = changed_.wait(std::chrono::nanoseconds(-1));
      co_await wait;
    }
    if (stopping()) co_return 0;
    client_->close();
    const auto until = around_.clock.mono() + std::chrono::milliseconds(options_.number("reconnect"));
    while (!stopping() && around_.clock.mono() < until) {
      auto wait = changed_.wait(until - around_.clock.mono());
      co_await wait;
    }
    co_return 0;
  }

  ContentKind content_ = ContentKind::hl7;
  std::shared_ptr<TlsSettings> tls_;
  std::shared_ptr<MqttClient> client_;
  std::size_t accepting_ = 0;
  bool again_ = false;  ///< the connection is to be made anew, so that the server repeats what was not confirmed
};

std::vector<OptionProblem> check(const Options& options) {
  std::vector<OptionProblem> out;
  detail::check_mqtt_login(options, out);
  const auto* topics = options.all("topic");
  if (topics == nullptr) return out;
  for (const OptionValue& topic : *topics)
    if (topic.resolved && !is_mqtt_filter(topic.text)) {
      out.push_back({ErrorCode::E0917, "topic", "`+` and `#` stand for whole steps, `#` for the last", "\"ward/+/monitor\""});
      break;
    }
  return out;
}

}  // namespace

const ConnectorSpec& mqtt_source_spec() {
  static const ConnectorSpec spec{.name = "mqtt",
                                  .role = ConnectorRole::source,
                                  .summary = "takes messages of topics of an MQTT server",
                                  .content = {.hl7 = true, .fhir = true, .csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .check = &check,
                                  .make_source = &detail::make_looping<MqttSource>};
  return spec;
}

}  // namespace kiln::channels
