// The HTTP side of a running site: listener, login, quotas.

#include "channels/tls_settings.h"
#include "engine/base/log.h"
#include "engine/base/metrics.h"
#include "engine/gateway.h"
#include "fhir/interaction.h"
#include "engine/version.h"

namespace kiln::engine {

using base::Status;
using base::Task;

namespace {

/// Names of the closed list of interactions; static text.
std::string_view interaction_of(const base::HttpRequest& request) {
  const auto target = fhir::below_base(request.target, "/fhir");
  if (!target) return "other";
  fhir::Call call;
  const auto found = fhir::find_interaction(request.method, *target, call);
  return found ? (*found)->name : "unknown";
}

}  // namespace

base::Result<channels::HttpListen> Gateway::fhir_listener() {
  const channels::Options& http = site_->server.block("http");
  const std::string listen = site_->server.block("http").text("listen");
  const std::string address = listen.empty() ? "127.0.0.1:8080" : listen;
  const auto colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  const auto port = static_cast<std::uint16_t>(std::stoul(address.substr(colon + 1)));
  const channels::Options& tls = http.block("tls");
  if (!http.has("tls")) {
    return channels::HttpListen([this, host, port](base::Network::OnAccept on_accept) {
      return net_.listen(host, port, std::move(on_accept));
    });
  }
  auto settings = channels::TlsSettings::listener(tls, env_, clock_, "http");
  if (!settings) {
    base::Error error = std::move(settings).error();
    error.place = "http { tls { … } }";
    return base::fail(std::move(error));
  }
  return channels::listen_tls(net_, host, port, (*settings)->contexts());
}

/// Counted by what the request asks for, also when it is refused.
Task<base::HttpResponse> Gateway::on_http(base::HttpRequest request, channels::HttpPeer peer) {
  const base::MonoTime began = clock_.mono();
  const base::Safe interaction = base::Safe::name(interaction_of(request));
  auto handling = on_fhir(std::move(request), std::move(peer));
  base::HttpResponse response = co_await std::move(handling);
  base::Metrics& all = base::Metrics::process();
  const std::string status = std::to_string(response.status);
  all.histogram(base::Metric::fhir_request_seconds, {interaction}).observe(clock_.mono() - began);
  all.counter(base::Metric::fhir_requests_total, {interaction, base::Safe::name(status)}).add();
  co_return response;
}

Status Gateway::serve_http() {
  auto handler = [this](base::HttpRequest request, channels::HttpPeer peer) {
    return on_http(std::move(request), std::move(peer));
  };
  const channels::Options& quota = site_->server.block("limits").block("http");
  QuotaLimits quotas;
  quotas.under_way = static_cast<std::size_t>(quota.number("requests"));
  quotas.under_way_per_client = static_cast<std::size_t>(quota.number("per_client"));
  quotas.per_second = quota.number("per_second");
  quota_ = std::make_unique<RequestQuota>(quotas, clock_);
  channels::HttpLimits limits;
  limits.gate = [this](const base::HttpRequest& head, const channels::HttpPeer& peer) {
    return check_login(head, peer);
  };
  const channels::Options& fhir_limits = site_->server.block("limits").block("fhir");
  if (fhir_limits.has("body")) limits.body_bytes = static_cast<std::size_t>(fhir_limits.number("body"));
  limits.refusal = [this](int status, const std::string& why) {
    base::HttpResponse response = fhir::refuse(status, why);
    response.headers.set("X-Request-Id", fhir_->next_request_id());
    return response;
  };
  TRY(channels::HttpListen listen, fhir_listener());
  TRY(http_,
      channels::HttpServer::start(net_, std::move(listen), channels::HttpPeerHandler(handler), limits));
  const std::string socket = base::join_path(site_->data_folder, "kiln.sock");
  auto listen_unix = [this, socket](base::Network::OnAccept on_accept) {
    return net_.listen_unix(socket, std::move(on_accept));
  };
  auto control = [this](base::HttpRequest request, channels::HttpPeer peer) {
    return admin_->handle_local(std::move(request), std::move(peer));
  };
  TRY(control_, channels::HttpServer::start(net_, listen_unix, channels::HttpPeerHandler(control)));
  return admin_->listen();
}

Status Gateway::open_admin() {
  AdminService::Parts parts;
  parts.gateway = this;
  parts.net = &net_;
  parts.env = &env_;
  parts.clock = &clock_;
  parts.data_folder = site_->data_folder;
  parts.say = [this](const std::string& line) { say(line); };
  TRY(admin_, AdminService::open(std::move(parts)));
  admin_->extra = [this](const base::HttpRequest& request) { return observer_->answer(request); };
  return {};
}

base::HttpResponse Gateway::refuse(const base::Error& error, const base::HttpRequest& request) const {
  base::HttpResponse response = fhir::refuse(error);
  const std::string_view id = request.headers.get("X-Request-Id");
  response.headers.set("X-Request-Id", fhir::is_request_id(id) ? std::string(id) : fhir_->next_request_id());
  return response;
}

/// Asked before the body is read (security.md L1).
std::optional<base::HttpResponse> Gateway::check_login(const base::HttpRequest& head,
                                                       const channels::HttpPeer& peer) const {
  if (!head.path().starts_with("/fhir")) return std::nullopt;
  const auto principal = access_.identify(head, peer.certificate);
  if (principal) return std::nullopt;
  base::Metrics::process().counter(base::Metric::auth_failures_total, {"fhir"}).add();
  base::log(base::LogLevel::warn, "fhir-login-refused", {});
  return refuse(principal.error(), head);
}

Task<base::HttpResponse> Gateway::on_fhir(base::HttpRequest request, channels::HttpPeer peer) {
  if (request.path() != "/fhir" && !request.path().starts_with("/fhir/")) {
    base::HttpResponse response;
    response.status = 404;
    response.headers.set("Content-Type", "text/plain; charset=UTF-8");
    response.body =
        "Kiln " + std::string(kVersion) + ": the FHIR API is at /fhir (/fhir/metadata describes it)\n";
    co_return response;
  }
  const base::Result<fhir::Principal> principal = access_.identify(request, peer.certificate);
  if (!principal) co_return refuse(principal.error(), request);
  const std::string client =
      principal->name.empty() ? std::string(host_of(request.peer)) : "user " + principal->name;
  if (!quota_->enter(client)) {
    base::Metrics::process().counter(base::Metric::rate_limited_total, {"fhir"}).add();
    co_return refuse(base::Error{base::ErrorCode::fhir_throttled, {}, {}, {}}, request);
  }
  const RequestTrace trace(request.headers.get("traceparent"));
  if (facade_->takes(request)) {
    if (!fhir::is_request_id(request.headers.get("X-Request-Id")))
      request.headers.set("X-Request-Id", fhir_->next_request_id());
    auto handling = facade_->handle(std::move(request), *principal);
    base::HttpResponse response = co_await std::move(handling);
    quota_->leave(client);
    trace.end(response.status);
    co_return response;
  }
  base::Completion<base::HttpResponse> answered(net_.executor());
  auto answer = [answered](base::HttpResponse response) { answered.set(std::move(response)); };
  fhir_->handle(std::move(request), *principal, std::move(answer), std::move(peer.is_gone));
  base::HttpResponse response = co_await answered;
  quota_->leave(client);
  trace.end(response.status);
  co_return response;
}

}  // namespace kiln::engine
