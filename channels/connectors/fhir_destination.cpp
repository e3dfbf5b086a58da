// FHIR resources and Bundles: into the built-in store, or with `url` to another server.

#include "channels/connectors/detail/common.h"
#include "channels/connectors/detail/http_remote.h"
#include "channels/connectors/detail/remote_fhir.h"

namespace kiln::channels {

namespace {

using Kind = SendOutcome::Kind;

constexpr const char* kMatchWords[] = {"none", "create", "update"};
constexpr FieldSpec kOptions[] = {
    {.name = "url",
     .type = FieldType::string,
     .summary = "base of a remote server; without: the built-in store"},
    detail::kBearerToken,
    detail::kBasicUser,
    detail::kBasicPassword,
    detail::kOAuth,
    {.name = "match_identifier",
     .type = FieldType::word,
     .summary = "a single resource by its first identifier: create it unless the server has it (If-None-Exist), or "
                "update the one that the server has",
     .default_value = "none",
     .words = kMatchWords},
    {.name = "if_match",
     .type = FieldType::boolean,
     .summary = "an update says which version it is of (meta.versionId): refused when somebody was faster",
     .default_value = "false"},
    detail::kRequestTimeout,
    kTlsClient,
    detail::kInsecureLogin,
};
constexpr ConnectorExample kExamples[] = {
    {"{ }"},
    {"{ url \"https://fhir.example.org/r4\"; token env(\"FHIR_TOKEN\"); timeout 10s; retry 20 backoff 1s..5m "
     "then quarantine }"},
    {"{ url \"https://fhir.example.org/r4\"; match_identifier create; tls { ca cred(\"fhir-ca.crt\"); cert "
     "cred(\"kiln.crt\"); key cred(\"kiln.key\") } }"},
    {"{ url \"https://fhir.example.org/r4\"; oauth { token_url \"https://fhir.example.org/token\"; client_id \"kiln\"; key "
     "cred(\"fhir.key\"); key_id \"2026\" } }"},
    {"{ url \"https://fhir.example.org/r4\"; oauth { client_id \"kiln\"; key cred(\"fhir.key\") } }", false},
    {"{ url \"http://fhir.example.org/r4\"; token env(\"FHIR_TOKEN\") }", false},
    {"{ url \"https://fhir.example.org/r4\"; oauth { token_url \"http://fhir.example.org/token\"; client_id \"kiln\"; key "
     "cred(\"fhir.key\") } }",
     false},
    {"{ url \"https://fhir.example.org/r4\"; user \"kiln\" }", false},
    {"{ url \"ftp://fhir.example.org\" }", false},
    {"{ token \"abc\" }", false},
};

std::vector<OptionProblem> check(const Options& options) {
  return detail::check_remote(options, "https://host:port/base");
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
    auto remote = detail::open_remote(options_, around_);
    if (!remote) return base::fail(remote.error());
    client_ = std::move(remote->client);
    oauth_ = std::move(remote->oauth);
    path_ = remote->path;
    const std::string match = options_.text("match_identifier");
    writing_.match = match == "create"   ? detail::FhirWriting::Match::create
                     : match == "update" ? detail::FhirWriting::Match::update
                                         : detail::FhirWriting::Match::none;
    writing_.if_match = options_.flag("if_match");
    return {};
  }
  base::Task<SendOutcome> send(Outgoing message) override;
  base::Task<void> stop() override {
    while (sending_) {
      client_->close();
      if (oauth_) oauth_->close();
      auto wait = idle_.wait(std::chrono::milliseconds(10));
      co_await wait;
    }
    if (client_) client_->close();
    status_.state = ConnectorStatus::State::down;
  }
  ConnectorStatus status() const override { return status_; }

 private:
  base::Task<SendOutcome> attempt(base::HttpRequest request, std::uint64_t msg_id);

  Options options_;
  Surroundings around_;
  std::unique_ptr<HttpClient> client_;
  std::unique_ptr<OAuthClient> oauth_;  ///< null: no tokens are fetched
  std::string path_;
  detail::FhirWriting writing_;
  detail::BatchProgress progress_;  ///< of the message that was last sent
  base::Event idle_;
  bool sending_ = false;
  ConnectorStatus status_;
};

base::Task<SendOutcome> RemoteDestination::send(Outgoing message) {
  if (progress_.msg_id != message.msg_id) progress_ = {};
  std::string body = detail::remaining_batch(message.bytes, progress_);
  auto request = detail::fhir_request(path_, std::move(body), writing_);
  if (!request) co_return SendOutcome::failed(Kind::bad, request.error());
  detail::authorize(request->headers, options_);
  if (!message.traceparent.empty()) request->headers.set("traceparent", message.traceparent);
  sending_ = true;
  auto attempting = attempt(std::move(*request), message.msg_id);
  SendOutcome outcome = co_await std::move(attempting);
  sending_ = false;
  idle_.notify();
  if (outcome.kind == Kind::sent) ++status_.messages;
  status_.last_error = outcome.detail;
  status_.state = outcome.kind == Kind::sent ? ConnectorStatus::State::up : ConnectorStatus::State::down;
  co_return outcome;
}

base::Task<SendOutcome> RemoteDestination::attempt(base::HttpRequest request, std::uint64_t msg_id) {
  HttpExchange exchange;
  // A token that the server does not take any more is replaced once; a refused request was not carried out.
  for (bool again = oauth_ != nullptr;; again = false) {
    if (oauth_) {
      auto asking = oauth_->token();
      const auto token = co_await std::move(asking);
      if (!token) co_return SendOutcome::failed(Kind::retry, token.error());
      request.headers.set("Authorization", "Bearer " + *token);
    }
    auto sending = client_->send(request, options_.number("timeout"));
    exchange = co_await std::move(sending);
    if (!again || !exchange.response || exchange.response->status != 401) break;
    oauth_->forget();
  }
  if (exchange.response)
    co_return detail::judge_fhir_answer(*exchange.response, around_.clock.wall(), msg_id, progress_);
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
