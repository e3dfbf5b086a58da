// FHIR resources and Bundles: into the built-in store, or with `url` to another server.

#include "channels/connectors/detail/common.h"
#include "channels/connectors/detail/remote_fhir.h"
#include "channels/net/http_client.h"

namespace kiln::channels {

namespace {

using Kind = SendOutcome::Kind;

constexpr FieldSpec kOptions[] = {
    {.name = "url",
     .type = FieldType::string,
     .summary = "base of a remote server; without: the built-in store"},
    {.name = "token", .type = FieldType::secret, .summary = "bearer token for the remote server"},
    {.name = "timeout",
     .type = FieldType::duration,
     .summary = "time for one request to the remote server",
     .default_value = "30s",
     .min = 10},
    kTlsClient,
};
constexpr ConnectorExample kExamples[] = {
    {"{ }"},
    {"{ url \"http://fhir.example.org/r4\"; token env(\"FHIR_TOKEN\"); timeout 10s; retry 20 backoff 1s..5m "
     "then quarantine }"},
    {"{ url \"ftp://fhir.example.org\" }", false},
    {"{ token \"abc\" }", false},
};

std::vector<OptionProblem> check(const Options& options) {
  const auto* url = options.find("url");
  if (url == nullptr || !url->resolved) return {};
  const auto parsed = HttpUrl::parse(url->text);
  if (parsed && parsed->https)
    return {{base::ErrorCode::E0915, "url", "https", "http inside a protected net"}};
  if (parsed) return {};
  return {{base::ErrorCode::E0917, "url", parsed.error().text, "http://host:port/base"}};
}

/// The built-in store.
class StoreDestination final : public Destination {
 public:
  explicit StoreDestination(const Surroundings& around)
      : sink_(around.sink), idle_(around.network.executor()) {}

  base::Status start() override {
    if (sink_ == nullptr)
      return base::fail(base::ErrorCode::channel_option,
                        "destination fhir: this engine has no built-in store");
    status_.state = ConnectorStatus::State::up;
    return {};
  }
  std::size_t batch_max() const override { return base::limits::kDeliveryBatchMax; }
  std::int64_t gather_ms() const override { return base::limits::kGatherMs; }

  base::Task<SendOutcome> send(Outgoing message) override {
    std::vector<Outgoing> messages;
    messages.push_back(std::move(message));
    auto sending = send_batch(std::move(messages));
    auto outcomes = co_await std::move(sending);
    co_return std::move(outcomes.front());
  }
  base::Task<std::vector<SendOutcome>> send_batch(std::vector<Outgoing> messages) override {
    sending_ = true;
    auto applying = sink_->apply_batch(std::move(messages));
    auto outcomes = co_await std::move(applying);
    for (const SendOutcome& outcome : outcomes) {
      if (outcome.kind == Kind::sent) ++status_.messages;
      status_.last_error = outcome.detail;
    }
    sending_ = false;
    idle_.notify();
    co_return outcomes;
  }
  base::Task<void> stop() override {
    while (sending_) {
      auto wait = idle_.wait(std::chrono::nanoseconds(-1));
      co_await wait;
    }
    status_.state = ConnectorStatus::State::down;
  }
  ConnectorStatus status() const override { return status_; }

 private:
  FhirSink* sink_;
  base::Event idle_;
  bool sending_ = false;
  ConnectorStatus status_;
};

/// Another server.
class RemoteDestination final : public Destination {
 public:
  RemoteDestination(const Options& options, const Surroundings& around)
      : options_(options), around_(around), idle_(around.network.executor()) {}

  base::Status start() override {
    const auto url = HttpUrl::parse(options_.text("url"));
    if (!url) return detail::option_error("url", url.error());
    if (url->https)
      return base::fail(base::ErrorCode::E0915, "option url: https is not in this version", "",
                        "use http inside a protected net");
    client_ = std::make_unique<HttpClient>(around_.network, url->host, url->port);
    path_ = url->path;
    return {};
  }
  base::Task<SendOutcome> send(Outgoing message) override;
  base::Task<void> stop() override {
    if (client_) client_->close();
    while (sending_) {
      auto wait = idle_.wait(std::chrono::milliseconds(10));
      co_await wait;
      if (client_) client_->close();
    }
    status_.state = ConnectorStatus::State::down;
  }
  ConnectorStatus status() const override { return status_; }

 private:
  base::Task<SendOutcome> attempt(base::HttpRequest request);

  Options options_;
  Surroundings around_;
  std::unique_ptr<HttpClient> client_;
  std::string path_;
  base::Event idle_;
  bool sending_ = false;
  ConnectorStatus status_;
};

base::Task<SendOutcome> RemoteDestination::send(Outgoing message) {
  auto request = detail::fhir_request(path_, std::move(message.bytes));
  if (!request) co_return SendOutcome::failed(Kind::bad, request.error());
  const std::string token = options_.text("token");
  if (!token.empty()) request->headers.add("Authorization", "Bearer " + token);
  sending_ = true;
  auto attempting = attempt(std::move(*request));
  SendOutcome outcome = co_await std::move(attempting);
  sending_ = false;
  idle_.notify();
  if (outcome.kind == Kind::sent) ++status_.messages;
  status_.last_error = outcome.detail;
  status_.state = outcome.kind == Kind::sent ? ConnectorStatus::State::up : ConnectorStatus::State::down;
  co_return outcome;
}

base::Task<SendOutcome> RemoteDestination::attempt(base::HttpRequest request) {
  auto sending = client_->send(std::move(request), options_.number("timeout"));
  HttpExchange exchange = co_await std::move(sending);
  if (exchange.response) co_return detail::judge_fhir_answer(*exchange.response);
  const Kind kind = exchange.request_sent ? Kind::in_doubt : Kind::retry;
  co_return SendOutcome::failed(kind, exchange.response.error());
}

std::unique_ptr<Destination> make(const Options& options, const Surroundings& around) {
  if (options.text("url").empty()) return std::make_unique<StoreDestination>(around);
  return std::make_unique<RemoteDestination>(options, around);
}

}  // namespace

const ConnectorSpec& fhir_destination_spec() {
  static const ConnectorSpec spec{
      .name = "fhir",
      .role = ConnectorRole::destination,
      .summary = "writes FHIR resources to the built-in store or to another server",
      .content = {.fhir = true},
      .options = kOptions,
      .examples = kExamples,
      .check = &check,
      .make_destination = &make};
  return spec;
}

}  // namespace kiln::channels
