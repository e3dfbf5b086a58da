// HL7 v2 over HTTP, listening: one POST is one message, the answer is its acknowledgement (hl7v2.md §12).

#include "channels/connectors/detail/common.h"
#include "channels/connectors/detail/hl7_http.h"
#include "channels/connectors/detail/listener_options.h"
#include "channels/connectors/detail/sender_rule.h"
#include "channels/net/http_server.h"
#include "hl7/message.h"

namespace kiln::channels {

namespace {

namespace limits = base::limits;

constexpr const char* kStatusWords[] = {"always_200", "by_ack"};
constexpr const char* kRetryAfterSeconds = "10";

constexpr FieldSpec kOptions[] = {
    detail::kPort,
    detail::kBind,
    {.name = "path", .type = FieldType::string, .summary = "path of the address", .default_value = "\"/\""},
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
    {"{ port 8081; path \"hl7\" }", false},
    {"{ path \"/hl7\" }", false},
};

std::vector<OptionProblem> check(const Options& options) {
  const auto* path = options.find("path");
  if (path == nullptr || !path->resolved || path->text.starts_with('/')) return {};
  return {{base::ErrorCode::E0917, "path", "a path starts with /", "\"/" + path->text + "\""}};
}

base::HttpResponse plain(int status, const char* text) {
  base::HttpResponse response;
  response.status = status;
  response.headers.add("Content-Type", "text/plain; charset=utf-8");
  response.body = text;
  return response;
}

class HttpSource final : public Source, public std::enable_shared_from_this<HttpSource> {
 public:
  HttpSource(const Options& options, const Surroundings& around)
      : options_(options), around_(around), senders_(options) {}

  base::Status start(Intake& intake) override {
    intake_ = &intake;
    HttpLimits http;
    http.body_bytes = static_cast<std::size_t>(options_.number("max_message"));
    http.connections = static_cast<std::size_t>(options_.number("connections"));
    http.clock = &around_.clock;
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
                                                          std::string peer, const char* why);
  std::optional<base::HttpResponse> refusal(const base::HttpRequest& request) const;
  base::HttpResponse respond(Answer answer, bool has_header, detail::Hl7Encoding encoding,
                             std::string content_type) const;

  Options options_;
  Surroundings around_;
  detail::SenderRule senders_;
  Intake* intake_ = nullptr;
  std::unique_ptr<HttpServer> server_;
  ConnectorStatus status_;
};

/// What can be said without looking at the body.
std::optional<base::HttpResponse> HttpSource::refusal(const base::HttpRequest& request) const {
  if (request.path() != options_.text("path")) return plain(404, "there is nothing at this address\n");
  if (request.method != "POST") {
    base::HttpResponse response = plain(405, "messages are sent with POST\n");
    response.headers.add("Allow", "POST");
    return response;
  }
  if (!detail::hl7_encoding(request.headers.get("content-type"), options_.flag("plain_text")))
    return plain(415, "the body of a message is application/hl7-v2 or application/hl7-v2+xml\n");
  if (request.body.empty()) return plain(400, "there is no message\n");
  return std::nullopt;
}

base::Task<base::HttpResponse> HttpSource::report_unreadable(std::shared_ptr<HttpSource> self,
                                                             std::string body, std::string peer,
                                                             const char* why) {
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
  co_return plain(400, "the body is no v2.xml message\n");
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
  base::HttpResponse response = plain(403, "the certificate may not send as this application\n");
  if (answer.reply.empty()) co_return response;
  response.headers.set("Content-Type", content_type);
  response.body = detail::hl7_to_body(std::move(answer.reply), encoding);
  co_return response;
}

base::Task<base::HttpResponse> HttpSource::handle(std::shared_ptr<HttpSource> self, base::HttpRequest request,
                                                  HttpPeer peer) {
  auto refused = self->refusal(request);
  if (refused) co_return std::move(*refused);
  while (!self->intake_->has_room()) {
    auto room = self->intake_->room();
    co_await std::move(room);
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
  if (self->senders_.restricts() &&
      !detail::may_send(*bytes, self->senders_.names_for(peer.certificate, peer.alternative_names))) {
    auto denying = deny(self, std::move(*bytes), std::move(request.peer), std::move(content_type));
    auto response = co_await std::move(denying);
    co_return std::move(response);
  }
  Inbound message;
  message.bytes = std::move(*bytes);
  message.kind = ContentKind::hl7;
  message.peer = std::move(request.peer);
  message.received_at = self->around_.clock.wall();
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
  if (answer.taken == Taken::not_stored) {
    response.status = 503;
    response.headers.add("Retry-After", kRetryAfterSeconds);
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
                                  .summary = "listens for HL7 v2 messages as bodies of HTTP requests",
                                  .content = {.hl7 = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .check = &check,
                                  .make_source = &make,
                                  .listens_on = &detail::listens_on};
  return spec;
}

}  // namespace kiln::channels
