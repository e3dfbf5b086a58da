// The console's listener: TLS or loopback, where requests may come from, static files, headers.

#include "channels/definition.h"
#include "channels/net/tls.h"
#include "engine/admin/console_pages.h"
#include "engine/admin/service.h"
#include "engine/base/log.h"
#include "engine/base/text.h"
#include "engine/gateway.h"
#include "engine/limits.h"

namespace kiln::engine {
namespace {

using base::Error;
using base::ErrorCode;
using base::HttpRequest;
using base::HttpResponse;
using base::Result;
using base::Status;
using base::Task;

constexpr std::size_t kBodyBeforeLogin = 64u << 10;

/// security.md D3: on every answer of the console's listener.
void add_headers(HttpResponse& response, bool secure) {
  response.headers.set(
      "Content-Security-Policy",
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
      "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  response.headers.set("X-Content-Type-Options", "nosniff");
  response.headers.set("X-Frame-Options", "DENY");
  response.headers.set("Referrer-Policy", "no-referrer");
  response.headers.set("Cross-Origin-Opener-Policy", "same-origin");
  response.headers.set("Cross-Origin-Resource-Policy", "same-origin");
  if (secure) response.headers.set("Strict-Transport-Security", "max-age=31536000");
}

HttpResponse plain_error(const Error& error) {
  Reply reply = error_reply(error);
  HttpResponse out;
  out.status = reply.status;
  out.headers = std::move(reply.headers);
  out.headers.set("Content-Type", reply.type);
  out.headers.set("Cache-Control", "no-store");
  out.body = std::move(reply.body);
  return out;
}

struct Address {
  std::string host;
  std::uint16_t port = 0;
};

Address parse_address(const std::string& text) {
  const auto colon = text.rfind(':');
  Address out{text.substr(0, colon), static_cast<std::uint16_t>(std::stoul(text.substr(colon + 1)))};
  if (out.host.starts_with('[')) out.host = out.host.substr(1, out.host.size() - 2);
  return out;
}

bool is_any_address(const std::string& host) {
  return host == "0.0.0.0" || host == "::";
}

Result<std::shared_ptr<const channels::TlsContext>> tls_context(const channels::Options& console) {
  const channels::Options& tls = console.block("tls");
  channels::TlsOptions options;
  options.certificate = tls.text("cert");
  options.key = tls.text("key");
  options.only_13 = tls.text("min") == "1.3";
  auto context = channels::TlsContext::server(options);
  if (context) return context;
  Error error = std::move(context).error();
  error.place = "console { tls { … } }";
  return base::fail(std::move(error));
}

/// What a browser may write as Host for this listener. A name of somebody else's that points here is none
/// (DNS rebinding).
std::set<std::string> own_hosts(const Address& address, std::uint16_t port,
                                const channels::Options& console) {
  std::vector<std::string> names = {"127.0.0.1", "localhost", "[::1]"};
  if (!is_any_address(address.host))
    names.push_back(address.host.find(':') == std::string::npos ? address.host : "[" + address.host + "]");
  if (const auto* given = console.all("host"))
    for (const auto& one : *given) names.push_back(base::lower_ascii(one.text));
  std::set<std::string> out;
  // Behind a proxy its port counts: `host` says it, or it is that of http or https.
  if (const auto* given = console.all("host"); given != nullptr && console.has("proxy"))
    for (const auto& one : *given) out.insert(base::lower_ascii(one.text));
  for (const std::string& name : names) {
    out.insert(name + ":" + std::to_string(port));
    if (port == 80 || port == 443) out.insert(name);
  }
  return out;
}

}  // namespace

Status AdminService::listen() {
  const channels::Options& server = parts_.gateway->site().server;
  if (!server.has("console")) return {};
  const channels::Options& console = server.block("console");
  const Address address = parse_address(console.text("listen"));
  channels::HttpListen listen;
  if (console.has("tls")) {
    TRY(auto context, tls_context(console));
    listen = channels::listen_tls(*parts_.net, address.host, address.port, std::move(context));
  } else {
    listen = [net = parts_.net, address](base::Network::OnAccept on_accept) {
      return net->listen(address.host, address.port, std::move(on_accept));
    };
  }
  channels::HttpLimits limits;
  limits.body_bytes = engine::limits::kAdminBodyBytesMax;
  limits.clock = parts_.clock;
  limits.connections = engine::limits::kAdminConnectionsMax;
  proxy_ = proxy_header(console);
  // Behind a proxy everybody comes from one address.
  limits.connections_per_address =
      proxy_ == ProxyHeader::none ? engine::limits::kAdminConnectionsPerAddressMax : engine::limits::kAdminConnectionsMax;
  limits.gate = [this](const HttpRequest& head, const channels::HttpPeer&) { return check_size(head); };
  limits.refusal = [](int status, const std::string& why) {
    HttpResponse out = plain_error(Error{ErrorCode::bad_value, why, {}, {}});
    out.status = status;
    add_headers(out, false);
    return out;
  };
  auto handler = [this](HttpRequest request, channels::HttpPeer peer) {
    return handle_console(std::move(request), std::move(peer));
  };
  TRY(console_, channels::HttpServer::start(*parts_.net, std::move(listen),
                                            channels::HttpPeerHandler(handler), limits));
  hosts_ = own_hosts(address, console_->port(), console);
  parts_.say("  console: " + std::string(console.has("tls") ? "https://" : "http://") +
             (is_any_address(address.host) ? std::string("localhost") : address.host) + ":" +
             std::to_string(console_->port()) + "/console/");
  say_bootstrap();
  return {};
}

/// Printed once, for the terminal or the service's journal; it is of no use after 15 minutes or the first
/// account.
void AdminService::say_bootstrap() {
  const channels::Options& console = parts_.gateway->site().server.block("console");
  const std::string hash =
      console.has("bootstrap") ? std::string(base::trim(console.text("bootstrap"))) : std::string();
  work_.post([this, hash, say = parts_.say] {
    if (!logins_->accounts().all().empty()) return;
    if (!hash.empty()) {
      Account first;
      first.user = first.name = "admin";
      first.role = "owner";
      first.phi_view = true;
      first.password_hash = hash;
      first.created = parts_.clock->wall();
      if (!logins_->accounts().keep(std::move(first)))
        base::log(base::LogLevel::error, "first-account-not-kept");
      return;
    }
    const auto token = logins_->make_bootstrap_token();
    if (token && !token->empty())
      say("  no account yet: open the console and make the first one with this one-time token (15 "
          "minutes): " +
          *token);
  });
}

std::optional<Error> AdminService::check_origin(const HttpRequest& request, bool secure) const {
  const std::string host = base::lower_ascii(request.headers.get("host"));
  if (!hosts_.contains(host))
    return Error{ErrorCode::origin_refused, {}, {}, "name it in kiln.conf: console { host \"NAME\" }"};
  const std::string_view origin = request.headers.get("origin");
  if (!origin.empty() && base::lower_ascii(origin) != (secure ? "https://" : "http://") + host)
    return Error{ErrorCode::origin_refused, {}, {}, {}};
  // What another site's page asks for is never meant for the API, not even to read.
  const std::string_view site = request.headers.get("sec-fetch-site");
  if (!site.empty() && site != "same-origin" && site != "none" && request.path().starts_with("/api"))
    return Error{ErrorCode::origin_refused, {}, {}, {}};
  return std::nullopt;
}

/// Who shows neither cookie nor token sends a login at most.
std::optional<HttpResponse> AdminService::check_size(const HttpRequest& head) const {
  const bool login = head.path() == "/api/v1/session" || head.path() == "/api/v1/setup";
  if (!login && (head.headers.has("authorization") || head.headers.has("cookie"))) return std::nullopt;
  const std::string length(head.headers.get("content-length"));
  const bool small = length.empty()
                         ? !head.headers.has("transfer-encoding")
                         : length.size() < 7 && std::strtoul(length.c_str(), nullptr, 10) <= kBodyBeforeLogin;
  if (small) return std::nullopt;
  HttpResponse out = plain_error(Error{ErrorCode::login_needed, {}, {}, {}});
  add_headers(out, false);
  return out;
}

Task<HttpResponse> AdminService::handle_console(HttpRequest request, channels::HttpPeer peer) {
  const ForwardedClient client = forwarded_client(request, proxy_);
  if (!client.address.empty()) request.peer = client.address;
  peer.encrypted = peer.encrypted || client.encrypted;
  const bool secure = peer.encrypted;
  HttpResponse response;
  const auto foreign = check_origin(request, secure);
  const std::string path(request.path());
  // Health is for everybody, figures are for those who may look at the dashboard.
  std::optional<Error> refused;
  if (!foreign && path == "/metrics") {
    auto asking = identify(request);
    const Result<Caller> caller = co_await std::move(asking);
    if (!caller)
      refused = caller.error();
    else if (!caller->rights.has(AdminRight::view))
      refused = Error{caller->is_known() ? ErrorCode::right_missing : ErrorCode::login_needed, {}, {}, {}};
  }
  auto more = !foreign && !refused && extra ? extra(request) : std::nullopt;
  if (refused) {
    response = plain_error(*refused);
  } else if (foreign) {
    response = plain_error(*foreign);
  } else if (path == "/api/v1" || path.starts_with("/api/v1/")) {
    auto handling = handle_api(std::move(request), std::move(peer), false);
    response = co_await std::move(handling);
  } else if (more) {
    response = std::move(*more);
  } else {
    response = console_page(request);
  }
  add_headers(response, secure);
  co_return response;
}

}  // namespace kiln::engine
