// One of the two files that include Beast: the parser of answers.
#include "channels/net/http_client.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <algorithm>
#include <charconv>
#include <ctime>

#include "channels/net/detail/http_text.h"
#include "engine/base/text.h"

namespace kiln::channels {

namespace {

namespace http = boost::beast::http;
using Parser = http::response_parser<http::string_body>;

constexpr std::size_t kReadBytes = 16u << 10;

std::string print_request(const base::HttpRequest& request, const std::string& host) {
  std::string out = request.method + ' ' + request.target + " HTTP/1.1\r\n";
  detail::append_header(out, "Host", host);
  for (const auto& [name, value] : request.headers.list())
    if (!detail::is_framing_header(name) && !base::equals_ignore_case(name, "host"))
      detail::append_header(out, name, value);
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT" ||
      request.method == "PATCH")
    detail::append_header(out, "Content-Length", std::to_string(request.body.size()));
  out += "\r\n";
  out += request.body;
  return out;
}

base::HttpResponse take_response(Parser& parser) {
  auto message = parser.release();
  base::HttpResponse out;
  out.status = static_cast<int>(message.result_int());
  for (const auto& field : message)
    out.headers.add(std::string(field.name_string()), std::string(field.value()));
  out.body = std::move(message.body());
  return out;
}

bool is_safe(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

base::Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0)
    return base::fail(base::ErrorCode::bad_value, "the port of the URL is not a number from 1 to 65535");
  return port;
}

base::Task<base::Result<base::StreamPtr>> connect_to(base::Network* network, std::string host,
                                                     std::uint16_t port, std::int64_t timeout_ms) {
  auto connecting = network->connect(std::move(host), port, timeout_ms);
  auto stream = co_await std::move(connecting);
  co_return stream;
}

base::Task<base::Result<base::StreamPtr>> connect_encrypted(base::Network* network, std::string host, std::uint16_t port,
                                                            TlsContexts contexts, std::int64_t timeout_ms) {
  std::shared_ptr<const TlsContext> context;
  if (contexts) {
    context = contexts();
  } else {
    auto system = system_tls();
    if (!system) co_return base::fail(system.error());
    context = *system;
  }
  auto connecting = connect_tls(network, std::move(host), port, timeout_ms, std::move(context));
  auto stream = co_await std::move(connecting);
  co_return stream;
}

/// What the Host field says.
std::string host_field(const std::string& host, std::uint16_t port, std::uint16_t usual) {
  std::string out = host.find(':') != std::string::npos ? "[" + host + "]" : host;
  if (port != usual) out += ":" + std::to_string(port);
  return out;
}

constexpr std::int64_t kRetryAfterMaxMs = 3'600'000;

}  // namespace

std::optional<std::int64_t> retry_after_ms(std::string_view value, base::WallTime now) {
  const std::string text(base::trim(value));
  std::int64_t ms = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
  if (error == std::errc() && end == text.data() + text.size()) {
    if (ms < 0) return std::nullopt;
    return std::min(ms, kRetryAfterMaxMs / 1'000) * 1'000;
  }
  for (const char* form : {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"}) {
    std::tm parts{};
    const char* rest = ::strptime(text.c_str(), form, &parts);
    if (rest == nullptr || *rest != '\0') continue;
    ms = static_cast<std::int64_t>(::timegm(&parts)) * 1'000 - now.micros / 1'000;
    return std::clamp<std::int64_t>(ms, 0, kRetryAfterMaxMs);
  }
  return std::nullopt;
}

std::string basic_authorization(std::string_view user, std::string_view password) {
  return "Basic " + base::base64_encode(std::string(user) + ':' + std::string(password));
}

base::Result<std::shared_ptr<const TlsContext>> system_tls() {
  static const base::Result<std::shared_ptr<const TlsContext>> context = TlsContext::client({});
  return context;
}

base::Result<HttpUrl> HttpUrl::parse(std::string_view text) {
  HttpUrl out;
  if (text.starts_with("https://")) {
    out.https = true;
    out.port = 443;
    text.remove_prefix(8);
  } else if (text.starts_with("http://")) {
    text.remove_prefix(7);
  } else {
    return base::fail(base::ErrorCode::bad_value, "the URL must start with http:// or https://");
  }
  const auto slash = text.find('/');
  std::string_view authority = text.substr(0, slash);
  if (slash != std::string_view::npos) out.path = std::string(text.substr(slash));
  while (out.path.ends_with('/')) out.path.pop_back();
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= 0x20 || c == '@' || c == '\\' || c == '#' || c == '?')
      return base::fail(base::ErrorCode::bad_value, "the URL may hold host, port and path only");
  if (authority.starts_with('[')) {
    const auto bracket = authority.find(']');
    if (bracket == std::string_view::npos)
      return base::fail(base::ErrorCode::bad_value, "the URL has an unclosed [");
    out.host = std::string(authority.substr(1, bracket - 1));
    authority.remove_prefix(bracket + 1);
  } else {
    const auto colon = authority.find(':');
    out.host = std::string(authority.substr(0, colon));
    authority.remove_prefix(colon == std::string_view::npos ? authority.size() : colon);
  }
  if (out.host.empty()) return base::fail(base::ErrorCode::bad_value, "the URL has no host");
  if (authority.empty()) return out;
  if (!authority.starts_with(':')) return base::fail(base::ErrorCode::bad_value, "the URL has no valid port");
  TRY(out.port, parse_port(authority.substr(1)));
  return out;
}

struct HttpClient::Impl {
  Impl(base::Network& n, HttpConnect c, std::string h)
      : executor(n.executor()), connect(std::move(c)), host(std::move(h)) {}

  static base::Task<HttpExchange> exchange(std::shared_ptr<Impl> self, std::string text, bool head);
  static base::Task<HttpExchange> send(std::shared_ptr<Impl> self, base::HttpRequest request,
                                       std::int64_t timeout_ms);
  static base::Task<base::Status> open(std::shared_ptr<Impl> self, std::int64_t timeout_ms);
  static base::Task<base::Status> read_answer(std::shared_ptr<Impl> self, std::shared_ptr<Parser> parser);

  void close_stream() {
    if (stream) stream->close();
    stream = nullptr;
    buffer.clear();
  }

  base::TimerExecutor& executor;
  HttpConnect connect;
  std::string host;
  base::StreamPtr stream;
  std::string buffer;
  std::size_t body_max = base::limits::kMessageBytesMax;
  bool closed = false, timed_out = false;
  bool answer_begun = false;  ///< a byte of the answer has come
};

base::Task<base::Status> HttpClient::Impl::open(std::shared_ptr<Impl> self, std::int64_t timeout_ms) {
  auto connecting = self->connect(timeout_ms);
  auto opened = co_await std::move(connecting);
  if (!opened) co_return base::fail(opened.error());
  self->stream = std::move(*opened);
  if (self->closed || self->timed_out) self->stream->close();
  co_return base::Status();
}

base::Task<base::Status> HttpClient::Impl::read_answer(std::shared_ptr<Impl> self,
                                                       std::shared_ptr<Parser> parser) {
  const base::StreamPtr stream = self->stream;
  std::string& buffer = self->buffer;
  bool fresh = !buffer.empty();
  while (!parser->is_done()) {
    while (fresh && !buffer.empty() && !parser->is_done()) {
      boost::system::error_code error;
      const std::size_t used = parser->put(boost::asio::buffer(buffer), error);
      if (error == http::error::need_more) error = {};
      if (error == http::error::body_limit || error == http::error::header_limit)
        co_return base::fail(base::ErrorCode::limit_exceeded, "the answer is too large");
      if (error) co_return base::fail(base::ErrorCode::http_protocol, "the answer is not valid HTTP");
      buffer.erase(0, used);
      if (used == 0) break;
    }
    if (parser->is_done()) break;
    const std::size_t have = buffer.size();
    buffer.resize(have + kReadBytes);
    const auto got = co_await stream->read_some(buffer.data() + have, kReadBytes, -1);
    buffer.resize(have + got.value_or(0));
    if (!got) co_return base::fail(got.error());
    fresh = true;
    if (*got != 0) self->answer_begun = true;
    if (*got != 0) continue;
    boost::system::error_code error;
    if (self->answer_begun) parser->put_eof(error);
    if (!self->answer_begun || error || !parser->is_done())
      co_return base::fail(base::ErrorCode::connection_closed,
                           "the connection was closed before the answer was complete");
  }
  co_return base::Status();
}

base::Task<HttpExchange> HttpClient::Impl::exchange(std::shared_ptr<Impl> self, std::string text, bool head) {
  HttpExchange out;
  self->answer_begun = false;
  const base::StreamPtr stream = self->stream;
  const auto written = co_await stream->write_all(std::move(text), -1);
  out.request_sent = true;  // as far as can be known: a part may have arrived
  if (!written) {
    out.response = base::fail(written.error());
    co_return out;
  }
  std::shared_ptr<Parser> parser;
  bool informational = true;
  while (informational) {
    parser = std::make_shared<Parser>();
    parser->eager(true);
    parser->header_limit(static_cast<std::uint32_t>(base::limits::kHttpHeaderBytesMax));
    parser->body_limit(self->body_max);
    if (head) parser->skip(true);
    auto reading = read_answer(self, parser);
    const auto read = co_await std::move(reading);
    if (!read) {
      out.response = base::fail(read.error());
      co_return out;
    }
    informational = parser->get().result_int() / 100 == 1;
  }
  if (!parser->keep_alive() || !self->buffer.empty()) self->close_stream();
  out.response = take_response(*parser);
  co_return out;
}

base::Task<HttpExchange> HttpClient::Impl::send(std::shared_ptr<Impl> self, base::HttpRequest request,
                                                std::int64_t timeout_ms) {
  self->closed = self->timed_out = false;
  const std::weak_ptr<Impl> weak = self;
  auto expire = [weak] {
    const auto client = weak.lock();
    if (!client) return;
    client->timed_out = true;
    if (client->stream) client->stream->close();
  };
  const base::TimerId timer = self->executor.post_after(std::chrono::milliseconds(timeout_ms), expire);
  HttpExchange out;
  // A second round only replaces a kept connection that turned out to be dead.
  for (bool kept = self->stream != nullptr;; kept = false) {
    if (!self->stream) {
      auto opening = open(self, timeout_ms);
      const auto opened = co_await std::move(opening);
      if (!opened) {
        out = HttpExchange();
        out.response = base::fail(opened.error());
        break;
      }
    }
    std::string text = print_request(request, self->host);
    auto exchanging = exchange(self, std::move(text), request.method == "HEAD");
    out = co_await std::move(exchanging);
    if (out.response) break;
    self->close_stream();
    if (!kept || self->closed || self->timed_out || self->answer_begun || !is_safe(request.method)) break;
  }
  self->executor.cancel(timer);
  if (!out.response && self->timed_out)
    out.response = base::fail(base::ErrorCode::timeout, "no complete answer in time");
  co_return out;
}

HttpClient::HttpClient(base::Network& network, std::string host, std::uint16_t port) {
  std::string header = host_field(host, port, 80);
  auto connect = [net = &network, host, port](std::int64_t timeout_ms) {
    return connect_to(net, host, port, timeout_ms);
  };
  impl_ = std::make_shared<Impl>(network, HttpConnect(connect), std::move(header));
}

HttpClient::HttpClient(base::Network& network, const HttpUrl& url, TlsContexts contexts) {
  std::string header = host_field(url.host, url.port, url.https ? 443 : 80);
  auto plain = [net = &network, host = url.host, port = url.port](std::int64_t timeout_ms) {
    return connect_to(net, host, port, timeout_ms);
  };
  auto encrypted = [net = &network, host = url.host, port = url.port, contexts = std::move(contexts)](std::int64_t timeout_ms) {
    return connect_encrypted(net, host, port, contexts, timeout_ms);
  };
  impl_ = std::make_shared<Impl>(network, url.https ? HttpConnect(std::move(encrypted)) : HttpConnect(std::move(plain)),
                                 std::move(header));
}

HttpClient::HttpClient(base::Network& network, HttpConnect connect, std::string host_header)
    : impl_(std::make_shared<Impl>(network, std::move(connect), std::move(host_header))) {}

HttpClient::~HttpClient() {
  close();
}

base::Task<HttpExchange> HttpClient::send(base::HttpRequest request, std::int64_t timeout_ms) {
  return Impl::send(impl_, std::move(request), timeout_ms);
}

void HttpClient::set_body_max(std::size_t bytes) {
  impl_->body_max = bytes;
}

void HttpClient::close() {
  impl_->closed = true;
  if (impl_->stream) impl_->stream->close();
}

}  // namespace kiln::channels
