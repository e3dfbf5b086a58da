// HTTP, listening: one POST is one message. Of HL7 v2 the answer is its acknowledgement (hl7v2.md §12); FHIR JSON and CSV are
// answered by the status.

#include "channels/connectors/detail/common.h"
#include "channels/connectors/detail/hl7_http.h"
#include "channels/connectors/detail/http_body.h"
#include "channels/connectors/detail/listener_options.h"
#include "channels/connectors/detail/mllp_batch.h"
#include "channels/connectors/detail/sender_rule.h"
#include "channels/connectors/detail/split.h"
#include "channels/net/http_client.h"
#include "channels/net/http_server.h"
#include "engine/base/text.h"
#include "hl7/message.h"

namespace kiln::channels {

namespace {

namespace limits = base::limits;

constexpr const char* kContentWords[] = {"hl7", "fhir", "csv"};
constexpr const char* kStatusWords[] = {"always_200", "by_ack"};
using detail::plain_response;

constexpr FieldSpec kOptions[] = {
    detail::kPort,
    detail::kBind,
    {.name = "path", .type = FieldType::string, .summary = "path of the address", .default_value = "\"/\""},
    {.name = "content",
     .type = FieldType::word,
     .summary = "what bodies hold: application/hl7-v2 or its XML, also a batch; application/fhir+json, application/fhir+xml or "
                "application/json with one resource; text/csv",
     .default_value = "hl7",
     .words = kContentWords},
    detail::kSplitOption,
    detail::kDelimiterOption,
    {.name = "token", .type = FieldType::secret, .summary = "bearer token that each request must show"},
    {.name = "user", .type = FieldType::string, .summary = "name that each request must show (basic authentication)"},
    {.name = "password", .type = FieldType::secret, .summary = "password of that name"},
    kTlsListener,
    detail::kInsecure,
    detail::kCharset,
    detail::kTimezone,
    detail::kMaxMessage,
    detail::kConnections,
    {.name = "plain_text",
     .type = FieldType::boolean,
     .summary = "take bodies of type text/plain too",
     .default_value = "false"},
    {.name = "http_status",
     .type = FieldType::word,
     .summary = "status of a stored message: 200, or 422 for AE and CE, 400 for AR and CR",
     .default_value = "always_200",
     .words = kStatusWords},
    detail::kOnStoreFailure,
    detail::kSequenceNumbers,
    detail::kFragments,
    detail::kValidateOption,
};
constexpr ConnectorExample kExamples[] = {
    {"{ port 8081 }"},
    {"{ port 8081; path \"/hl7\"; http_status by_ack; charset default \"8859/1\"; max_message 4MB }"},
    {"{ port 8081; bind \"0.0.0.0\"; insecure accept_risk; plain_text true }"},
    {"{ port 8443; tls { cert file(\"/etc/kiln/hl7.crt\"); key file(\"/etc/kiln/hl7.key\"); client_ca "
     "file(\"/etc/kiln/partners.crt\"); client required; allow \"DNS:his.example.org\" as \"HIS\" } }"},
    {"{ port 8081; path \"/webhook\"; content fhir; token env(\"WEBHOOK_TOKEN\") }"},
    {"{ port 8081; path \"/census\"; content csv; user \"ward\"; password file(\"/run/secrets/ward\") }"},
    {"{ port 8081; path \"/results\"; content fhir; split entries }"},
    {"{ port 8081; user \"ward\" }", false},
    {"{ port 8081; split rows }", false},
    {"{ port 8081; path \"hl7\" }", false},
    {"{ path \"/hl7\" }", false},
};

ContentKind content_of(const Options& options) {
  const std::string content = options.text("content");
  return content == "fhir" ? ContentKind::fhir : content == "csv" ? ContentKind::csv : ContentKind::hl7;
}

std::vector<OptionProblem> check(const Options& options) {
  std::vector<OptionProblem> out = detail::check_split(options, content_of(options));
  if (options.has("user") != options.has("password"))
    out.push_back({base::ErrorCode::E0905, options.has("user") ? "user" : "password", "`user` and `password` belong together",
                   "password env(\"X\")"});
  const auto* path = options.find("path");
  if (path != nullptr && path->resolved && !path->text.starts_with('/'))
    out.push_back({base::ErrorCode::E0917, "path", "a path starts with /", "\"/" + path->text + "\""});
  return out;
}

class HttpSource final : public Source, public std::enable_shared_from_this<HttpSource> {
 public:
  HttpSource(const Options& options, const Surroundings& around)
      : options_(options), around_(around), senders_(options), content_(content_of(options)) {}

  base::Status start(Intake& intake) override {
    intake_ = &intake;
    HttpLimits http;
    http.body_bytes = static_cast<std::size_t>(options_.number("max_message"));
    http.connections = static_cast<std::size_t>(options_.number("connections"));
    http.clock = &around_.clock;
    http.gate = [self = weak_from_this()](const base::HttpRequest& head, const HttpPeer&) {
      const auto alive = self.lock();
      return alive ? alive->check_login(head) : std::nullopt;
    };
    const auto handler = [self = shared_from_this()](base::HttpRequest request, HttpPeer peer) {
      return handle(self, std::move(request), std::move(peer));
    };
    auto listen = detail::listen_as_asked(options_, around_);
    if (!listen) return detail::option_error("tls", listen.error());
    auto server = HttpServer::start(around_.network, std::move(*listen), HttpPeerHandler(handler), http);
    if (!server) return detail::option_error("port", server.error());
    server_ = std::move(*server);
    status_.state = ConnectorStatus::State::up;
    status_.port = server_->port();
    return {};
  }

  base::Task<void> stop() override;

  ConnectorStatus status() const override {
    ConnectorStatus out = status_;
    if (!server_) return out;
    const HttpServerStatus http = server_->status();
    out.connections = http.connections;
    out.connections_total = http.connections_total;
    out.refused_connections = http.refused_connections;
    return out;
  }

 private:
  static base::Task<base::HttpResponse> handle(std::shared_ptr<HttpSource> self, base::HttpRequest request,
                                               HttpPeer peer);
  static base::Task<base::HttpResponse> deny(std::shared_ptr<HttpSource> self, std::string message, std::string peer,
                                             std::string content_type);
  static base::Task<base::HttpResponse> report_unreadable(std::shared_ptr<HttpSource> self, std::string body,
                                                          std::string peer, std::string why);
  std::optional<base::HttpResponse> check_login(const base::HttpRequest& head) const;
  std::optional<base::HttpResponse> refusal(const base::HttpRequest& request) const;
  bool takes_type(std::string_view content_type) const;
  static base::Task<base::HttpResponse> take_other(std::shared_ptr<HttpSource> self, base::HttpRequest request);
  static base::Task<base::HttpResponse> take_batch(std::shared_ptr<HttpSource> self, Inbound whole, std::string content_type);
  base::HttpResponse respond(Answer answer, bool has_header, detail::Hl7Encoding encoding,
                             std::string content_type) const;

  Options options_;
  Surroundings around_;
  detail::SenderRule senders_;
  ContentKind content_;
  Intake* intake_ = nullptr;
  std::unique_ptr<HttpServer> server_;
  ConnectorStatus status_;
};

/// Before the body is read. Compared by hash, so that the time tells nothing of what is right.
std::optional<base::HttpResponse> HttpSource::check_login(const base::HttpRequest& head) const {
  const bool token = options_.has("token"), user = options_.has("user");
  if (!token && !user) return std::nullopt;
  const std::string shown = base::sha256(head.headers.get("authorization"));
  if (token && shown == base::sha256("Bearer " + options_.text("token"))) return std::nullopt;
  if (user && shown == base::sha256(basic_authorization(options_.text("user"), options_.text("password")))) return std::nullopt;
  base::HttpResponse response = plain_response(401, "name and password, or a token, are needed\n");
  if (token) response.headers.add("WWW-Authenticate", "Bearer");
  if (user) response.headers.add("WWW-Authenticate", "Basic realm=\"kiln\"");
  return response;
}

bool HttpSource::takes_type(std::string_view content_type) const {
  if (content_ == ContentKind::hl7) return detail::hl7_encoding(content_type, options_.flag("plain_text")).has_value();
  return detail::takes_media_type(content_, content_type);
}

/// FHIR and CSV: the status is the answer.
base::Task<base::HttpResponse> HttpSource::take_other(std::shared_ptr<HttpSource> self, base::HttpRequest request) {
  const std::string peer = request.peer;
  std::string head = request.body.substr(0, limits::kMllpGarbageMax);
  auto body = detail::read_http_body(std::move(request), self->options_, self->content_, self->around_.clock.wall());
  if (!body || body->messages.empty()) {
    const std::string why = body ? "there is no message\n" : body.error().message() + "\n";
    auto reporting = report_unreadable(self, std::move(head), peer, body ? "no message in the body" : "the body is not readable");
    auto response = co_await std::move(reporting);
    response.body = why;
    co_return std::move(response);
  }
  for (std::string& note : body->notes) {
    auto reporting = report_unreadable(self, {}, peer, std::move(note));
    co_await std::move(reporting);
  }
  const std::size_t expected = body->messages.size();
  const bool is_split = detail::split_of(self->options_) != detail::Split::none;
  self->status_.messages += expected;
  auto accepting = detail::accept_in_steps(self->intake_, &self->around_.network.executor(), std::move(body->messages), false);
  const std::vector<Answer> answers = co_await std::move(accepting);
  co_return detail::answer_http_body(answers, expected, is_split);
}

/// A batch of HL7: one answer in an envelope like its own.
base::Task<base::HttpResponse> HttpSource::take_batch(std::shared_ptr<HttpSource> self, Inbound whole, std::string content_type) {
  const hl7::Batch batch = hl7::split_batch(whole.bytes);
  std::vector<Unframed> notes = detail::batch_notes(whole, batch);
  for (Unframed& what : notes) {
    ++self->status_.unframed;
    auto reporting = self->intake_->report(std::move(what));
    co_await std::move(reporting);
  }
  self->status_.messages += batch.messages.size();
  auto accepting = detail::accept_in_steps(self->intake_, &self->around_.network.executor(), detail::batch_messages(whole, batch), true);
  std::vector<Answer> answers = co_await std::move(accepting);
  Answer all;
  all.taken = Taken::stored;
  if (answers.size() < batch.messages.size()) all.taken = Taken::not_stored;
  for (const Answer& one : answers) {
    all.taken = std::max(all.taken, one.taken);
    all.close = all.close || one.close;
  }
  answers.resize(batch.messages.size());
  all.reply = detail::batch_answer(whole, batch, std::move(answers), false);
  const bool refused = all.taken == Taken::refused;
  base::HttpResponse response = self->respond(std::move(all), true, detail::Hl7Encoding::er7, std::move(content_type));
  if (refused && response.status == 200 && self->options_.text("http_status") == "by_ack") response.status = 422;
  co_return response;
}

/// What can be said without looking at the body.
std::optional<base::HttpResponse> HttpSource::refusal(const base::HttpRequest& request) const {
  if (request.path() != options_.text("path")) return plain_response(404, "there is nothing at this address\n");
  if (request.method != "POST") {
    base::HttpResponse response = plain_response(405, "messages are sent with POST\n");
    response.headers.add("Allow", "POST");
    return response;
  }
  if (!takes_type(request.headers.get("content-type")))
    return plain_response(415, content_ == ContentKind::hl7    ? "the body of a message is application/hl7-v2 or application/hl7-v2+xml\n"
                      : content_ == ContentKind::fhir ? "the body of a message is application/fhir+json or application/fhir+xml\n"
                                                      : "the body of a message is text/csv\n");
  if (request.body.empty()) return plain_response(400, "there is no message\n");
  return std::nullopt;
}

base::Task<base::HttpResponse> HttpSource::report_unreadable(std::shared_ptr<HttpSource> self,
                                                             std::string body, std::string peer,
                                                             std::string why) {
  Unframed what;
  what.kind = Unframed::Kind::garbage;
  what.bytes = body.size();
  what.head = body.substr(0, limits::kMllpGarbageMax);
  what.peer = std::move(peer);
  what.detail = why;
  what.received_at = self->around_.clock.wall();
  ++self->status_.unframed;
  self->status_.last_error = why;
  auto reporting = self->intake_->report(std::move(what));
  co_await std::move(reporting);
  co_return plain_response(400, "the body is no v2.xml message\n");
}

/// A message whose MSH-3 the certificate of its sender does not stand for: 403 with an AR, never processed.
base::Task<base::HttpResponse> HttpSource::deny(std::shared_ptr<HttpSource> self, std::string message,
                                                std::string peer, std::string content_type) {
  const detail::Hl7Encoding encoding = *detail::hl7_encoding(content_type, true);
  Unframed what;
  what.kind = Unframed::Kind::refused_sender;
  what.bytes = message.size();
  what.head = message.substr(0, limits::kMllpGarbageMax);
  what.peer = std::move(peer);
  what.detail = base::error_info(base::ErrorCode::sender_not_allowed).text;
  what.received_at = self->around_.clock.wall();
  ++self->status_.unframed;
  self->status_.last_error = what.detail;
  auto reporting = self->intake_->report(std::move(what));
  Answer answer = co_await std::move(reporting);
  base::HttpResponse response = plain_response(403, "the certificate may not send as this application\n");
  if (answer.reply.empty()) co_return response;
  response.headers.set("Content-Type", content_type);
  response.body = detail::hl7_to_body(std::move(answer.reply), encoding);
  co_return response;
}

base::Task<base::HttpResponse> HttpSource::handle(std::shared_ptr<HttpSource> self, base::HttpRequest request,
                                                  HttpPeer peer) {
  auto refused = self->refusal(request);
  if (refused) co_return std::move(*refused);
  if (const auto seconds = self->intake_->closed_seconds())
    co_return detail::later_response("messages are taken at other hours\n", *seconds);
  while (!self->intake_->has_room()) {
    auto room = self->intake_->room();
    co_await std::move(room);
  }
  // Who gave up while nothing was taken sends it again: it is not stored twice.
  if (peer.is_gone && peer.is_gone()) co_return plain_response(503, "nobody waits for the answer\n");
  if (self->content_ != ContentKind::hl7) {
    // No MSH-3 to compare: the certificate must be one of those that are named at all.
    if (self->senders_.restricts() && self->senders_.names_for(peer.certificate, peer.alternative_names).empty())
      co_return plain_response(403, "the certificate may not send here\n");
    auto taking = take_other(self, std::move(request));
    auto response = co_await std::move(taking);
    co_return std::move(response);
  }
  std::string content_type(request.headers.get("content-type"));
  const auto encoding = *detail::hl7_encoding(content_type, true);
  auto bytes = detail::hl7_from_body(request.body, encoding);
  if (!bytes) {
    auto reporting = report_unreadable(self, std::move(request.body), std::move(request.peer),
                                       base::error_info(bytes.error().code).text);
    auto response = co_await std::move(reporting);
    co_return std::move(response);
  }
  std::string denied;
  if (self->senders_.restricts())
    denied = detail::first_denied(*bytes, self->senders_.names_for(peer.certificate, peer.alternative_names));
  if (!denied.empty()) {
    auto denying = deny(self, std::move(denied), std::move(request.peer), std::move(content_type));
    auto response = co_await std::move(denying);
    co_return std::move(response);
  }
  Inbound message;
  message.bytes = std::move(*bytes);
  message.kind = ContentKind::hl7;
  message.peer = std::move(request.peer);
  message.received_at = self->around_.clock.wall();
  message.traceparent = request.headers.get("traceparent");
  if (detail::is_batch(message.bytes)) {
    auto taking = take_batch(self, std::move(message), std::move(content_type));
    auto response = co_await std::move(taking);
    co_return std::move(response);
  }
  const auto parsed = hl7::Message::parse(message.bytes);
  const bool has_header = parsed || parsed.error().code != base::ErrorCode::no_header;
  ++self->status_.messages;
  auto accepting = self->intake_->accept(std::move(message));
  Answer answer = co_await std::move(accepting);
  co_return self->respond(std::move(answer), has_header, encoding, std::move(content_type));
}

base::HttpResponse HttpSource::respond(Answer answer, bool has_header, detail::Hl7Encoding encoding,
                                       std::string content_type) const {
  base::HttpResponse response;
  if (const std::size_t at = answer.reply.find(kReplySeparator); at != answer.reply.npos)
    answer.reply.erase(0, at + kReplySeparator.size());  // one answer fits here: the last says more
  if (answer.taken == Taken::not_stored || answer.close) {  // asked again, it is told what became of it
    response.status = 503;
    response.headers.add("Retry-After", std::to_string(detail::kHttpRetrySeconds));
  } else if (!has_header) {
    response.status = 400;
  } else if (answer.reply.empty()) {
    response.status = 204;  // the sender wants no acknowledgement (MSH-15)
  } else if (options_.text("http_status") == "by_ack") {
    response.status = detail::status_of_acknowledgement(answer.reply);
  }
  if (answer.reply.empty()) return response;
  response.headers.add("Content-Type", std::move(content_type));
  response.body = detail::hl7_to_body(std::move(answer.reply), encoding);
  return response;
}

base::Task<void> HttpSource::stop() {
  const auto self = shared_from_this();
  if (server_) {
    auto stopping = server_->stop();
    co_await std::move(stopping);
    server_ = nullptr;
  }
  status_.state = ConnectorStatus::State::down;
  status_.port = 0;
}

std::unique_ptr<Source> make(const Options& options, const Surroundings& around) {
  return std::make_unique<detail::SharedSource<HttpSource>>(std::make_shared<HttpSource>(options, around));
}

}  // namespace

const ConnectorSpec& http_source_spec() {
  static const ConnectorSpec spec{.name = "http",
                                  .role = ConnectorRole::source,
                                  .summary = "listens for messages as bodies of HTTP requests",
                                  .content = {.hl7 = true, .fhir = true, .csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .check = &check,
                                  .make_source = &make,
                                  .listens_on = &detail::listens_on};
  return spec;
}

}  // namespace kiln::channels
