// HTTP, sending: one POST is one message. Of HL7 v2 the body of the answer is its acknowledgement (hl7v2.md §12); FHIR JSON and
// CSV are taken when the status is 2xx.

#include "channels/connectors/detail/common.h"
#include "channels/connectors/detail/hl7_answer.h"
#include "channels/connectors/detail/hl7_http.h"
#include "channels/connectors/detail/http_remote.h"

namespace kiln::channels {

namespace {

using base::ErrorCode;
using Kind = SendOutcome::Kind;

constexpr const char* kEncodingWords[] = {"er7", "xml"};
constexpr const char* kUntilWords[] = {"ack", "status"};

constexpr FieldSpec kOptions[] = {
    {.name = "url", .type = FieldType::string, .summary = "where messages are posted", .required = true},
    detail::kBearerToken,
    detail::kBasicUser,
    detail::kBasicPassword,
    {.name = "encoding",
     .type = FieldType::word,
     .summary = "delimiters (application/hl7-v2) or v2.xml (application/hl7-v2+xml)",
     .default_value = "er7",
     .words = kEncodingWords},
    {.name = "until",
     .type = FieldType::word,
     .summary = "what ends a delivery: the acknowledgement in the body, or a status of 2xx",
     .default_value = "ack",
     .words = kUntilWords},
    detail::kRequestTimeout,
    kTlsClient,
    detail::kInsecureLogin,
};
constexpr ConnectorExample kExamples[] = {
    {"{ url \"http://pas.example.org:8081/hl7\" }"},
    {"{ url \"https://pas.example.org/hl7\"; encoding xml; until status; token env(\"PAS_TOKEN\"); timeout "
     "10s; "
     "nak AR quarantine }"},
    {"{ url \"https://pas.example.org/hl7\"; user \"kiln\"; password file(\"/run/secrets/pas\"); tls { ca cred(\"pas-ca.crt\"); "
     "cert cred(\"kiln.crt\"); key cred(\"kiln.key\") } }"},
    {"{ url \"http://pas.example.org/hl7\"; tls { ca cred(\"pas-ca.crt\") } }", false},
    {"{ url \"mllp://pas.example.org\" }", false},
    {"{ url \"http://pas.example.org/hl7\"; token env(\"PAS_TOKEN\"); insecure accept_risk }"},
    {"{ url \"http://pas.example.org/hl7\"; token env(\"PAS_TOKEN\") }", false},
    {"{ url \"http://pas.example.org/hl7\"; user \"kiln\"; password env(\"PAS_PASSWORD\") }", false},
    {"{ url \"https://pas.example.org/hl7\"; token \"abc\" }", false},
    {"{ }", false},
};

std::vector<OptionProblem> check(const Options& options) {
  return detail::check_remote(options, "https://host:port/path");
}

class HttpDestination final : public Destination {
 public:
  HttpDestination(const Options& options, const Surroundings& around)
      : options_(options),
        around_(around),
        encoding_(options.text("encoding") == "xml" ? detail::Hl7Encoding::xml : detail::Hl7Encoding::er7),
        idle_(around.network.executor()) {}

  base::Status start() override {
    auto remote = detail::open_remote(options_, around_);
    if (!remote) return base::fail(remote.error());
    client_ = std::move(remote->client);
    path_ = remote->path.empty() ? "/" : remote->path;
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
  base::HttpRequest request_for(std::string bytes, ContentKind kind) const;
  base::Task<SendOutcome> attempt(base::HttpRequest request, std::string control_id, ContentKind kind);
  SendOutcome judge(const base::HttpResponse& response, const std::string& control_id) const;

  Options options_;
  Surroundings around_;
  detail::Hl7Encoding encoding_;
  std::unique_ptr<HttpClient> client_;
  std::string path_;
  base::Event idle_;
  bool sending_ = false;
  ConnectorStatus status_;
};

base::HttpRequest HttpDestination::request_for(std::string bytes, ContentKind kind) const {
  base::HttpRequest request;
  request.method = "POST";
  request.target = path_;
  if (kind != ContentKind::hl7) {
    request.headers.add("Content-Type", kind == ContentKind::fhir ? "application/fhir+json" : "text/csv; charset=utf-8");
    detail::authorize(request.headers, options_);
    request.body = std::move(bytes);
    return request;
  }
  const bool xml = encoding_ == detail::Hl7Encoding::xml;
  // The character set of delimited messages is what MSH-18 says.
  request.headers.add("Content-Type", xml ? "application/hl7-v2+xml; charset=utf-8" : "application/hl7-v2");
  request.headers.add("Accept", xml ? "application/hl7-v2+xml" : "application/hl7-v2");
  detail::authorize(request.headers, options_);
  request.body = detail::hl7_to_body(std::move(bytes), encoding_);
  return request;
}

base::Task<SendOutcome> HttpDestination::send(Outgoing message) {
  sending_ = true;
  base::HttpRequest request = request_for(message.csv_header + message.bytes, message.kind);
  if (!message.traceparent.empty()) request.headers.set("traceparent", message.traceparent);
  auto attempting = attempt(std::move(request), std::move(message.control_id), message.kind);
  SendOutcome outcome = co_await std::move(attempting);
  sending_ = false;
  idle_.notify();
  const bool sent = outcome.kind == Kind::sent;
  if (sent) ++status_.messages;
  status_.last_error = outcome.detail;
  status_.state =
      sent || outcome.kind == Kind::negative ? ConnectorStatus::State::up : ConnectorStatus::State::down;
  co_return outcome;
}

base::Task<SendOutcome> HttpDestination::attempt(base::HttpRequest request, std::string control_id,
                                               ContentKind kind) {
  auto sending = client_->send(std::move(request), options_.number("timeout"));
  HttpExchange exchange = co_await std::move(sending);
  if (exchange.response && kind != ContentKind::hl7) co_return detail::judge_status(*exchange.response, around_.clock.wall());
  if (exchange.response) co_return judge(*exchange.response, control_id);
  const Kind failure = exchange.request_sent ? Kind::in_doubt : Kind::retry;
  co_return SendOutcome::failed(failure, exchange.response.error());
}

/// An acknowledgement of this very message counts whatever the status: servers differ in how they tell AE and
/// AR. Without one, a status of 2xx is an answer that cannot be read, unless the channel says it is enough.
SendOutcome HttpDestination::judge(const base::HttpResponse& response, const std::string& control_id) const {
  if (response.status == 503) return detail::judge_status(response, around_.clock.wall());  // not stored, whatever the body says
  const auto type = detail::hl7_encoding(response.headers.get("content-type"), true);
  if (type && !response.body.empty()) {
    const auto answer = detail::hl7_from_body(response.body, *type);
    if (answer) {
      SendOutcome out = detail::judge_acknowledgement(*answer, control_id);
      if (out.kind == Kind::sent || out.kind == Kind::negative) return out;
      if (out.error == ErrorCode::ack_foreign && response.status < 300) return out;
    }
  }
  const bool good = response.status >= 200 && response.status < 300;
  if (!good || options_.text("until") == "status" || response.status == 204) return detail::judge_status(response, around_.clock.wall());
  SendOutcome out = SendOutcome::failed(
      Kind::in_doubt,
      base::Error{ErrorCode::answer_unreadable, "the answer holds no acknowledgement", "", ""});
  out.code = std::to_string(response.status);
  out.reply = response.body.substr(0, detail::kHttpReplyBytesMax);
  return out;
}

std::unique_ptr<Destination> make(const Options& options, const Surroundings& around) {
  return std::make_unique<HttpDestination>(options, around);
}

}  // namespace

const ConnectorSpec& http_destination_spec() {
  static const ConnectorSpec spec{
      .name = "http",
      .role = ConnectorRole::destination,
      .summary = "posts messages, and reads the acknowledgement in the answer to HL7 v2",
      .content = {.hl7 = true, .fhir = true, .csv = true},
      .options = kOptions,
      .examples = kExamples,
      .check = &check,
      .make_destination = &make};
  return spec;
}

}  // namespace kiln::channels
