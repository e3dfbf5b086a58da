// One of the two files that include Beast. Beast parses; the socket, the time limits and the text of answers
// are ours.
#include "channels/net/http_server.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <map>
#include <set>

#include "channels/net/detail/http_text.h"
#include "channels/net/detail/peer_probe.h"
#include "channels/net/tls.h"
#include "engine/base/executor.h"
#include "engine/base/text.h"

namespace kiln::channels {

namespace {

namespace http = boost::beast::http;
using Parser = http::request_parser<http::string_body>;

constexpr std::size_t kReadBytes = 16u << 10;  ///< taken from the socket at once
constexpr std::int64_t kWriteMs = 60'000;      ///< a client that does not read its answer
constexpr std::int64_t kLingerMs = 1'000;  ///< reading on after a refusal, so that it is not lost to a reset
constexpr std::size_t kLingerBytes = 1u << 20;

/// What reading one request came to.
struct Incoming {
  enum class Kind : std::uint8_t { request, closed, refused } kind = Kind::closed;
  int status = 0;  ///< refused
  const char* why = "";
  bool keep_alive = false, knows_chunks = true;
  base::HttpRequest request;
  std::optional<base::HttpResponse> answer;  ///< refused: by the gate
};

Incoming refuse(int status, const char* why) {
  Incoming out;
  out.kind = Incoming::Kind::refused;
  out.status = status;
  out.why = why;
  return out;
}

/// The part of a header block that has come: its size, and what Beast tolerates and RFC 9112 does not.
std::optional<Incoming> check_unparsed_head(std::string_view buffer, const HttpLimits& limits) {
  const std::string_view head = buffer.substr(0, buffer.find("\r\n\r\n"));
  const std::size_t line_max = limits.url_bytes + 64;
  if (head.size() > line_max && head.substr(0, line_max).find("\r\n") == std::string_view::npos)
    return refuse(414, "the URL is too long");
  if (head.size() > limits.header_bytes) return refuse(431, "the header block is too large");
  if (head.find("\r\n ") != std::string_view::npos || head.find("\r\n\t") != std::string_view::npos)
    return refuse(400, "folded header line");
  for (std::size_t at = head.find('\n'); at != std::string_view::npos; at = head.find('\n', at + 1))
    if (at == 0 || head[at - 1] != '\r') return refuse(400, "bare line feed");
  return std::nullopt;
}

/// The parsed header block: limits, and what Beast tolerates and RFC 9112 does not.
std::optional<Incoming> check_head(const Parser& parser, const HttpLimits& limits) {
  const auto& message = parser.get();
  std::size_t count = 0, lengths = 0, encodings = 0, hosts = 0;
  bool known_encoding = true, plain_length = true;
  for (const auto& field : message) {
    ++count;
    if (field.name() == http::field::content_length) {
      ++lengths;
      plain_length = field.value().find_first_not_of("0123456789") == std::string_view::npos;
    }
    if (field.name() == http::field::transfer_encoding) {
      ++encodings;
      known_encoding = boost::beast::iequals(field.value(), "chunked");
    }
    if (field.name() == http::field::host) ++hosts;
  }
  if (message.target().size() > limits.url_bytes) return refuse(414, "the URL is too long");
  if (count > limits.headers) return refuse(431, "too many header fields");
  if (lengths > 1) return refuse(400, "two Content-Length fields");
  if (encodings > 1 || (encodings == 1 && lengths == 1)) return refuse(400, "Transfer-Encoding is ambiguous");
  if (encodings == 1 && message.version() < 11) return refuse(400, "Transfer-Encoding in HTTP/1.0");
  if (!plain_length) return refuse(400, "Content-Length is no number");
  if (!known_encoding) return refuse(501, "only the chunked transfer encoding is known");
  if (message.version() >= 11 && hosts != 1) return refuse(400, "exactly one Host field is needed");
  if (message.target().empty() || (message.target().front() != '/' && message.target() != "*"))
    return refuse(400, "the request target must be a path");
  return std::nullopt;
}

Incoming refuse_parse_error(const boost::system::error_code& error) {
  if (error == http::error::header_limit) return refuse(431, "the header block is too large");
  if (error == http::error::body_limit) return refuse(413, "the body is too large");
  if (error == http::error::bad_version) return refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken");
  return refuse(400, "not a valid HTTP request");
}

base::HttpRequest head_of(const Parser::value_type& message, const std::string& peer) {
  base::HttpRequest out;
  out.method = std::string(message.method_string());
  out.target = std::string(message.target());
  out.peer = peer;
  for (const auto& field : message)
    out.headers.add(std::string(field.name_string()), std::string(field.value()));
  return out;
}

base::HttpRequest take_request(Parser& parser, const std::string& peer) {
  auto message = parser.release();
  base::HttpRequest out = head_of(message, peer);
  out.body = std::move(message.body());
  return out;
}

std::string print_head(const base::HttpResponse& response, std::int64_t wall_micros) {
  std::string out =
      "HTTP/1.1 " + std::to_string(response.status) + ' ' + detail::reason_phrase(response.status) + "\r\n";
  for (const auto& [name, value] : response.headers.list())
    if (!detail::is_framing_header(name)) detail::append_header(out, name, value);
  if (!response.headers.has("date")) detail::append_header(out, "Date", detail::http_date(wall_micros));
  return out;
}

std::string print_chunk(const std::string& piece) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string size;
  for (std::size_t left = piece.size(); left > 0; left /= 16) size.insert(size.begin(), kDigits[left % 16]);
  return size + "\r\n" + piece + "\r\n";
}

std::string print_response(const base::HttpResponse& response, bool head, bool keep_alive,
                           std::int64_t wall_micros) {
  std::string out = print_head(response, wall_micros);
  out.reserve(256 + (head ? 0 : response.body.size()));
  const bool no_content = response.status == 204 || response.status == 304;
  const auto declared = response.headers.get("content-length");
  if (!no_content)
    detail::append_header(out, "Content-Length",
                          head && response.body.empty() && !declared.empty()
                              ? std::string(declared)
                              : std::to_string(response.body.size()));
  detail::append_header(out, "Connection", keep_alive ? "keep-alive" : "close");
  out += "\r\n";
  if (!head && !no_content) out += response.body;
  return out;
}

base::HttpResponse refusal(int status, const char* why) {
  base::HttpResponse out;
  out.status = status;
  out.headers.add("Content-Type", "text/plain; charset=utf-8");
  out.body = std::string(why) + "\n";
  return out;
}

}  // namespace

struct HttpServer::Impl : std::enable_shared_from_this<HttpServer::Impl> {
  /// One connection. `idle`: no byte of a request has come, so stopping may close it at once.
  struct Connection {
    base::StreamPtr stream;
    std::string buffer;
    std::string address;  ///< as counted; empty: it is not
    bool idle = true;
  };
  using ConnectionPtr = std::shared_ptr<Connection>;

  Impl(base::Network& n, HttpPeerHandler h, HttpLimits l)
      : network(n), handler(std::move(h)), limits(l), ended(n.executor()) {
    if (limits.clock == nullptr) limits.clock = &system_clock;
  }

  void accept(base::StreamPtr stream) {
    const std::string address = limits.connections_per_address == 0 ? std::string() : address_of(stream->peer());
    const auto counted = addresses.find(address);
    const bool crowded = counted != addresses.end() && counted->second >= limits.connections_per_address;
    if (stopping || connections.size() >= limits.connections || crowded) {
      ++counts.refused_connections;
      stream->close();
      return;
    }
    ++counts.connections_total;
    auto connection = std::make_shared<Connection>();
    connection->stream = std::move(stream);
    connection->address = address;
    if (!address.empty()) ++addresses[address];
    connections.insert(connection);
    base::spawn(serve(shared_from_this(), connection));
  }

  /// The client without its port; empty for this machine, where a proxy may stand for many.
  static std::string address_of(const std::string& peer) {
    const auto colon = peer.rfind(':');
    std::string out = colon == std::string::npos || peer.ends_with(']') ? peer : peer.substr(0, colon);
    const bool here = out.starts_with("127.") || out == "::1" || out == "[::1]" || out.starts_with("[::ffff:127.") || out == "local";
    return here ? std::string() : out;
  }

  void forget(const ConnectionPtr& connection) {
    connections.erase(connection);
    const auto counted = addresses.find(connection->address);
    if (counted != addresses.end() && --counted->second == 0) addresses.erase(counted);
  }

  static base::Task<void> serve(std::shared_ptr<Impl> self, ConnectionPtr connection);
  static base::Task<Incoming> read_request(std::shared_ptr<Impl> self, ConnectionPtr connection);
  static base::Task<bool> answer(std::shared_ptr<Impl> self, ConnectionPtr connection, Incoming incoming);
  static base::Task<base::HttpResponse> handle(std::shared_ptr<Impl> self, base::HttpRequest request,
                                               HttpPeer peer);
  static base::Task<bool> send_stream(std::shared_ptr<Impl> self, ConnectionPtr connection,
                                      std::shared_ptr<HttpStream> stream, std::string head, bool chunks);
  static base::Task<void> linger(ConnectionPtr connection);

  base::Network& network;
  HttpPeerHandler handler;
  HttpLimits limits;
  base::SystemClock system_clock;
  std::unique_ptr<base::Listener> listener;
  std::set<ConnectionPtr> connections;
  std::map<std::string, std::size_t> addresses;  ///< connections of each that is counted
  base::Event ended;  ///< a connection ended
  bool stopping = false;
  HttpServerStatus counts;
};

namespace {

HttpPeer peer_of(const base::StreamPtr& stream) {
  HttpPeer peer;
  if (const auto* secure = dynamic_cast<const SecureStream*>(stream.get())) {
    peer.encrypted = true;
    peer.certificate = secure->certificate();
    peer.alternative_names = secure->alternative_names();
  }
  peer.is_gone = [weak = std::weak_ptr<base::Stream>(stream)] {
    const auto open = weak.lock();
    auto* probe = dynamic_cast<detail::PeerProbe*>(open.get());
    return probe && probe->is_gone();
  };
  return peer;
}

}  // namespace

base::Task<Incoming> HttpServer::Impl::read_request(std::shared_ptr<Impl> self, ConnectionPtr connection) {
  const HttpLimits& limits = self->limits;
  auto parser = std::make_unique<Parser>();
  parser->eager(true);
  parser->header_limit(static_cast<std::uint32_t>(limits.header_bytes));
  parser->body_limit(limits.body_bytes);
  std::string& buffer = connection->buffer;
  bool head_done = false, continue_sent = false, started = !buffer.empty();
  auto deadline =
      self->limits.clock->mono() + std::chrono::milliseconds(started ? limits.header_ms : limits.idle_ms);
  connection->idle = !started;
  for (;;) {
    if (!head_done && !buffer.empty()) {
      // Beast gets the header block in one piece, so that the whole of it can be checked first.
      auto wrong = check_unparsed_head(buffer, limits);
      if (wrong) co_return std::move(*wrong);
    }
    const std::size_t head_end = head_done ? 0 : buffer.find("\r\n\r\n");
    while (head_end != std::string::npos && !buffer.empty() && !parser->is_done()) {
      boost::system::error_code error;
      const std::size_t used = parser->put(boost::asio::buffer(buffer), error);
      if (error == http::error::need_more) error = {};
      if (!error && parser->is_header_done() && !head_done) {
        head_done = true;
        deadline = self->limits.clock->mono() + std::chrono::milliseconds(limits.body_ms);
        auto wrong = check_head(*parser, limits);
        if (wrong) co_return std::move(*wrong);
        if (limits.gate) {
          auto refused = limits.gate(head_of(parser->get(), connection->stream->peer()), peer_of(connection->stream));
          if (refused) {
            Incoming out = refuse(refused->status, "");
            out.answer = std::move(refused);
            co_return out;
          }
        }
      }
      if (error) co_return refuse_parse_error(error);
      buffer.erase(0, used);
      if (used == 0) break;
    }
    if (parser->is_done()) break;
    if (head_done && !continue_sent &&
        base::equals_ignore_case(parser->get()[http::field::expect], "100-continue")) {
      continue_sent = true;
      std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      const auto written = co_await connection->stream->write_all(std::move(go_on), kWriteMs);
      if (!written) co_return Incoming();
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - self->limits.clock->mono());
    const std::size_t have = buffer.size();
    buffer.resize(have + kReadBytes);
    const auto got = co_await connection->stream->read_some(buffer.data() + have, kReadBytes,
                                                            std::max<std::int64_t>(left.count(), 0));
    buffer.resize(have + got.value_or(0));
    if (!got && got.error().code == base::ErrorCode::timeout && started)
      co_return refuse(408, "the request took too long");
    if (!got || *got == 0) co_return Incoming();
    if (!started) {
      started = true;
      connection->idle = false;
      deadline = self->limits.clock->mono() + std::chrono::milliseconds(limits.header_ms);
    }
  }
  Incoming out;
  out.kind = Incoming::Kind::request;
  out.keep_alive = parser->get().keep_alive();
  out.knows_chunks = parser->get().version() >= 11;
  out.request = take_request(*parser, connection->stream->peer());
  co_return out;
}

base::Task<base::HttpResponse> HttpServer::Impl::handle(std::shared_ptr<Impl> self,
                                                        base::HttpRequest request, HttpPeer peer) {
  // An exception here is a bug of the handler; it must not take the connection's neighbours with it.
  try {
    auto task = self->handler(std::move(request), std::move(peer));
    auto response = co_await std::move(task);
    co_return response;
  } catch (const std::exception&) {
  }
  co_return refusal(500, "internal error");
}

base::Task<bool> HttpServer::Impl::answer(std::shared_ptr<Impl> self, ConnectionPtr connection,
                                          Incoming incoming) {
  ++self->counts.requests;
  const bool head = incoming.request.method == "HEAD";
  const bool refused = incoming.kind == Incoming::Kind::refused;
  const bool knows_chunks = incoming.knows_chunks;
  const auto stream = std::make_shared<HttpStream>();
  base::HttpResponse response;
  if (incoming.answer) {
    response = std::move(*incoming.answer);
  } else if (refused) {
    const HttpRefusal& own = self->limits.refusal;
    response = own ? own(incoming.status, incoming.why) : refusal(incoming.status, incoming.why);
  } else {
    HttpPeer peer = peer_of(connection->stream);
    peer.stream = stream;
    auto handling = handle(self, std::move(incoming.request), std::move(peer));
    response = co_await std::move(handling);
  }
  const bool keep = !refused && incoming.keep_alive && !self->stopping &&
                    !base::equals_ignore_case(response.headers.get("connection"), "close");
  if (stream->next && !head) {
    std::string start = print_head(response, self->limits.clock->wall().micros);
    if (knows_chunks) detail::append_header(start, "Transfer-Encoding", "chunked");
    detail::append_header(start, "Connection", keep && knows_chunks ? "keep-alive" : "close");
    start += "\r\n";
    auto sending = send_stream(self, connection, stream, std::move(start), knows_chunks);
    const bool whole = co_await std::move(sending);
    if (stream->ended) stream->ended();
    co_return keep&& knows_chunks&& whole;
  }
  if (stream->ended) stream->ended();
  std::string text = print_response(response, head, keep, self->limits.clock->wall().micros);
  const auto written = co_await connection->stream->write_all(std::move(text), kWriteMs);
  if (refused && written) {
    auto rest = linger(connection);
    co_await std::move(rest);
  }
  co_return keep&& written.has_value();
}

/// False: the end was not sent, and the connection is of no more use.
base::Task<bool> HttpServer::Impl::send_stream(std::shared_ptr<Impl> self, ConnectionPtr connection,
                                               std::shared_ptr<HttpStream> stream, std::string head, bool chunks) {
  auto written = co_await connection->stream->write_all(std::move(head), kWriteMs);
  while (written && !self->stopping) {
    std::string piece;
    try {
      auto making = stream->next();
      piece = co_await std::move(making);
    } catch (const std::exception&) {
      co_return false;  // a bug of the handler: the missing end tells the client
    }
    const bool end = piece.empty();
    if (end && !chunks) co_return true;
    std::string bytes = std::move(piece);
    if (chunks) bytes = end ? std::string("0\r\n\r\n") : print_chunk(bytes);
    written = co_await connection->stream->write_all(std::move(bytes), kWriteMs);
    if (end) co_return written.has_value();
  }
  co_return false;
}

/// Reads what the client still sends, for a moment: closing with unread bytes would reset the connection and
/// could take the refusal away from the client.
base::Task<void> HttpServer::Impl::linger(ConnectionPtr connection) {
  std::string scratch(kReadBytes, '\0');
  std::size_t total = 0;
  while (total < kLingerBytes) {
    const auto got = co_await connection->stream->read_some(scratch.data(), scratch.size(), kLingerMs);
    if (!got || *got == 0) co_return;
    total += *got;
  }
}

base::Task<void> HttpServer::Impl::serve(std::shared_ptr<Impl> self, ConnectionPtr connection) {
  bool go_on = true;
  while (go_on) {
    auto reading = read_request(self, connection);
    Incoming incoming = co_await std::move(reading);
    if (incoming.kind == Incoming::Kind::closed) break;
    auto answering = answer(self, connection, std::move(incoming));
    go_on = co_await std::move(answering);
  }
  connection->stream->close();
  self->forget(connection);
  self->ended.notify();
}

HttpServer::HttpServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

base::Result<std::unique_ptr<HttpServer>> HttpServer::start(base::Network& network, HttpListen listen,
                                                            HttpHandler handler, HttpLimits limits) {
  HttpPeerHandler takes_peer = [handler = std::move(handler)](base::HttpRequest request, const HttpPeer&) {
    return handler(std::move(request));
  };
  return start(network, std::move(listen), std::move(takes_peer), std::move(limits));
}

base::Result<std::unique_ptr<HttpServer>> HttpServer::start(base::Network& network, HttpListen listen,
                                                            HttpPeerHandler handler, HttpLimits limits) {
  auto impl = std::make_shared<Impl>(network, std::move(handler), limits);
  std::weak_ptr<Impl> weak = impl;
  auto listener = listen([weak](base::StreamPtr stream) {
    if (const auto self = weak.lock())
      self->accept(std::move(stream));
    else
      stream->close();
  });
  if (!listener) return base::fail(listener.error());
  impl->listener = std::move(*listener);
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

base::Result<std::unique_ptr<HttpServer>> HttpServer::start(base::Network& network, std::string host,
                                                            std::uint16_t port, HttpHandler handler,
                                                            HttpLimits limits) {
  auto listen = [&network, host, port](base::Network::OnAccept on_accept) {
    return network.listen(host, port, std::move(on_accept));
  };
  return start(network, HttpListen(listen), std::move(handler), limits);
}

std::uint16_t HttpServer::port() const {
  return impl_->listener->port();
}

HttpServerStatus HttpServer::status() const {
  HttpServerStatus out = impl_->counts;
  out.connections = impl_->connections.size();
  return out;
}

base::Task<void> HttpServer::stop(std::int64_t grace_ms) {
  const auto self = impl_;
  self->stopping = true;
  self->listener->close();
  const auto end = self->limits.clock->mono() + std::chrono::milliseconds(grace_ms);
  const auto open = self->connections;
  for (const auto& connection : open)
    if (connection->idle) connection->stream->close();
  bool forced = false;
  while (!self->connections.empty()) {
    const auto left = end - self->limits.clock->mono();
    if (left.count() <= 0 && !forced) {
      forced = true;
      for (const auto& connection : self->connections) connection->stream->close();
    }
    const auto patience = forced ? std::chrono::nanoseconds(-1) : std::chrono::nanoseconds(left);
    auto wait = self->ended.wait(patience);
    co_await wait;
  }
}

}  // namespace kiln::channels
