// HL7 v2 over HTTP, sending: one POST is one message, the body of the answer its acknowledgement (hl7v2.md
// §12).

#include <charconv>

#include "channels/connectors/detail/common.h"
#include "channels/connectors/detail/hl7_answer.h"
#include "channels/connectors/detail/hl7_http.h"
#include "channels/net/http_client.h"

namespace kiln::channels {

namespace {

using base::ErrorCode;
using Kind = SendOutcome::Kind;

constexpr std::int64_t kRetryAfterMaxSeconds = 3'600;
constexpr std::size_t kReplyBytesMax = 64u << 10;  ///< of an answer kept for the journal
constexpr const char* kEncodingWords[] = {"er7", "xml"};
constexpr const char* kUntilWords[] = {"ack", "status"};

constexpr FieldSpec kTls[] = {
    {.name = "ca",
     .type = FieldType::secret,
     .summary = "authorities that may sign the server's certificate"},
    {.name = "cert", .type = FieldType::secret, .summary = "own certificate chain (PEM)"},
    {.name = "key", .type = FieldType::secret, .summary = "own private key (PEM)"},
};
constexpr FieldSpec kOptions[] = {
    {.name = "url", .type = FieldType::string, .summary = "where messages are posted", .required = true},
    {.name = "token", .type = FieldType::secret, .summary = "bearer token"},
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
    {.name = "timeout",
     .type = FieldType::duration,
     .summary = "time for one request",
     .default_value = "30s",
     .min = 10},
    {.name = "tls", .type = FieldType::block, .summary = "encryption", .fields = kTls, .later = true},
};
constexpr ConnectorExample kExamples[] = {
    {"{ url \"http://pas.example.org:8081/hl7\" }"},
    {"{ url \"http://pas.example.org/hl7\"; encoding xml; until status; token env(\"PAS_TOKEN\"); timeout "
     "10s; "
     "nak AR quarantine }"},
    {"{ url \"mllp://pas.example.org\" }", false},
    {"{ url \"http://pas.example.org/hl7\"; token \"abc\" }", false},
    {"{ }", false},
};

std::vector<OptionProblem> check(const Options& options) {
  const auto* url = options.find("url");
  if (url == nullptr || !url->resolved) return {};
  const auto parsed = HttpUrl::parse(url->text);
  if (parsed && parsed->https)
    return {{ErrorCode::E0915, "url", "https", "http inside a protected net"}};
  if (parsed) return {};
  return {{ErrorCode::E0917, "url", parsed.error().text, "http://host:port/path"}};
}

std::optional<std::int64_t> retry_after_ms(std::string_view text) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds < 0) return std::nullopt;
  return std::min(seconds, kRetryAfterMaxSeconds) * 1000;
}

/// By the status alone: 2xx sent, 408, 429 and 5xx retry, anything else bad.
SendOutcome judge_status(const base::HttpResponse& response) {
  const int status = response.status;
  SendOutcome out;
  if (status >= 200 && status < 300) {
    out = SendOutcome::sent(std::to_string(status));
  } else {
    const bool transient = status == 408 || status == 429 || status >= 500;
    out = SendOutcome::failed(transient ? Kind::retry : Kind::bad,
                              base::Error{transient ? ErrorCode::peer_unavailable : ErrorCode::cannot_deliver,
                                          "the server answered " + std::to_string(status), "", ""});
    out.code = std::to_string(status);
    out.retry_after_ms = retry_after_ms(response.headers.get("retry-after"));
  }
  out.reply = response.body.substr(0, kReplyBytesMax);
  return out;
}

class HttpDestination final : public Destination {
 public:
  HttpDestination(const Options& options, const Surroundings& around)
      : options_(options),
        around_(around),
        encoding_(options.text("encoding") == "xml" ? detail::Hl7Encoding::xml : detail::Hl7Encoding::er7),
        idle_(around.network.executor()) {}

  base::Status start() override {
    const auto url = HttpUrl::parse(options_.text("url"));
    if (!url) return detail::option_error("url", url.error());
    if (url->https)
      return base::fail(ErrorCode::E0915, "option url: https is not in this version", "",
                        "use http inside a protected net");
    client_ = std::make_unique<HttpClient>(around_.network, url->host, url->port);
    path_ = url->path.empty() ? "/" : url->path;
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
  base::HttpRequest request_for(std::string bytes) const;
  base::Task<SendOutcome> attempt(base::HttpRequest request, std::string control_id);
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

base::HttpRequest HttpDestination::request_for(std::string bytes) const {
  base::HttpRequest request;
  request.method = "POST";
  request.target = path_;
  const bool xml = encoding_ == detail::Hl7Encoding::xml;
  // The character set of delimited messages is what MSH-18 says.
  request.headers.add("Content-Type", xml ? "application/hl7-v2+xml; charset=utf-8" : "application/hl7-v2");
  request.headers.add("Accept", xml ? "application/hl7-v2+xml" : "application/hl7-v2");
  const std::string token = options_.text("token");
  if (!token.empty()) request.headers.add("Authorization", "Bearer " + token);
  request.body = detail::hl7_to_body(std::move(bytes), encoding_);
  return request;
}

base::Task<SendOutcome> HttpDestination::send(Outgoing message) {
  sending_ = true;
  base::HttpRequest request = request_for(std::move(message.bytes));
  auto attempting = attempt(std::move(request), std::move(message.control_id));
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

base::Task<SendOutcome> HttpDestination::attempt(base::HttpRequest request, std::string control_id) {
  auto sending = client_->send(std::move(request), options_.number("timeout"));
  HttpExchange exchange = co_await std::move(sending);
  if (exchange.response) co_return judge(*exchange.response, control_id);
  const Kind kind = exchange.request_sent ? Kind::in_doubt : Kind::retry;
  co_return SendOutcome::failed(kind, exchange.response.error());
}

/// An acknowledgement of this very message counts whatever the status: servers differ in how they tell AE and
/// AR. Without one, a status of 2xx is an answer that cannot be read, unless the channel says it is enough.
SendOutcome HttpDestination::judge(const base::HttpResponse& response, const std::string& control_id) const {
  if (response.status == 503) return judge_status(response);  // not stored, whatever the body says
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
  if (!good || options_.text("until") == "status" || response.status == 204) return judge_status(response);
  SendOutcome out = SendOutcome::failed(
      Kind::in_doubt,
      base::Error{ErrorCode::answer_unreadable, "the answer holds no acknowledgement", "", ""});
  out.code = std::to_string(response.status);
  out.reply = response.body.substr(0, kReplyBytesMax);
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
      .summary = "posts HL7 v2 messages and reads the acknowledgement in the answer",
      .content = {.hl7 = true},
      .options = kOptions,
      .examples = kExamples,
      .check = &check,
      .make_destination = &make};
  return spec;
}

}  // namespace kiln::channels
