#include <netinet/tcp.h>

#include <boost/asio/ip/tcp.hpp>

#include "channels/limits.h"
#include "channels/net/detail/net_impl.h"
#include "channels/net/detail/socket_listener.h"

namespace kiln::channels {

namespace {

using boost::system::error_code;
using detail::asio::ip::tcp;

std::string describe(const tcp::endpoint& peer) {
  const std::string host = peer.address().to_string();
  const std::string port = std::to_string(peer.port());
  return peer.address().is_v6() ? "[" + host + "]:" + port : host + ":" + port;
}

void set_tcp(tcp::socket& socket, int option, int value) {
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, option, &value, sizeof value);
}

/// A peer that is gone without a word (power cut, a firewall that forgot) is noticed after a minute or two, not
/// after the two hours of the kernel's defaults.
void prepare(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(tcp::socket::keep_alive(true), ignored);
  set_tcp(socket, TCP_KEEPIDLE, limits::kTcpKeepAliveIdleS);
  set_tcp(socket, TCP_KEEPINTVL, limits::kTcpKeepAliveEveryS);
  set_tcp(socket, TCP_KEEPCNT, limits::kTcpKeepAliveProbes);
  set_tcp(socket, TCP_USER_TIMEOUT, limits::kTcpUserTimeoutMs);
}

class TcpListener final : public base::Listener {
 public:
  TcpListener(std::shared_ptr<detail::AcceptLoop<tcp>> loop, std::uint16_t port)
      : loop_(std::move(loop)), port_(port) {}
  ~TcpListener() override { loop_->close(); }
  std::uint16_t port() const override { return port_; }
  void close() override { loop_->close(); }

 private:
  std::shared_ptr<detail::AcceptLoop<tcp>> loop_;
  std::uint16_t port_;
};

/// What one resolve or connect came to.
struct Resolved {
  error_code error;
  std::vector<tcp::endpoint> endpoints;
};
struct Connected {
  error_code error;
  bool timed_out = false;
};

/// Starts a name look-up that gives `arrival` its result, or a time-out; a late result goes nowhere.
void begin_resolve(detail::Loop& loop, const std::string& host, std::uint16_t port, std::int64_t timeout_ms,
                   detail::Arrival<Resolved> arrival) {
  auto resolver = std::make_shared<tcp::resolver>(loop.context);
  auto timer =
      std::make_shared<detail::asio::steady_timer>(loop.context, std::chrono::milliseconds(timeout_ms));
  timer->async_wait([arrival](const error_code& error) {
    if (!error) arrival.deliver({detail::asio::error::timed_out, {}});
  });
  resolver->async_resolve(host, std::to_string(port),
                          [arrival, resolver, timer](const error_code& error, auto results) {
                            timer->cancel();
                            Resolved out{error, {}};
                            for (const auto& entry : results) out.endpoints.push_back(entry.endpoint());
                            arrival.deliver(std::move(out));
                          });
}

void begin_connect(detail::Loop& loop, std::shared_ptr<tcp::socket> socket, const tcp::endpoint& endpoint,
                   std::int64_t timeout_ms, detail::Arrival<Connected> arrival) {
  auto timer =
      std::make_shared<detail::asio::steady_timer>(loop.context, std::chrono::milliseconds(timeout_ms));
  timer->async_wait([arrival, socket](const error_code& error) {
    if (error) return;
    error_code ignored;
    socket->close(ignored);
    arrival.deliver({{}, true});
  });
  socket->async_connect(endpoint, [arrival, timer, socket](const error_code& error) {
    timer->cancel();
    arrival.deliver({error, false});
  });
}

}  // namespace

base::Result<std::unique_ptr<base::Listener>> Net::listen(std::string host, std::uint16_t port,
                                                          OnAccept on_accept) {
  const std::string place = host + ":" + std::to_string(port);
  error_code error;
  const auto address = detail::asio::ip::make_address(host, error);
  if (error) return base::fail(base::ErrorCode::io_failed, "not an IP address to listen on", place);
  tcp::endpoint endpoint(address, port);
  tcp::acceptor acceptor(impl_->loop.context);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
  if (error) return base::fail(base::ErrorCode::io_failed, "cannot listen: " + error.message(), place,
                               error == detail::asio::error::address_in_use ? "another program has this port: `ss -ltnp` shows which" : "");
  const std::uint16_t bound = acceptor.local_endpoint(error).port();
  auto loop = std::make_shared<detail::AcceptLoop<tcp>>(impl_->loop, std::move(acceptor),
                                                        std::move(on_accept), &describe, &prepare);
  loop->next();
  return std::make_unique<TcpListener>(std::move(loop), bound);
}

base::Task<base::Result<base::StreamPtr>> Net::connect(std::string host, std::uint16_t port,
                                                       std::int64_t timeout_ms) {
  const std::string place = host + ":" + std::to_string(port);
  Resolved resolved;
  const auto literal = detail::asio::ip::make_address(host, resolved.error);
  if (!resolved.error) {
    resolved.endpoints.emplace_back(literal, port);
  } else {
    const detail::Arrival<Resolved> arrival;
    begin_resolve(impl_->loop, host, port, timeout_ms, arrival);
    resolved = co_await arrival;
  }
  if (resolved.error == detail::asio::error::timed_out)
    co_return base::fail(base::ErrorCode::timeout, "the name was not resolved in time", place);
  if (resolved.error)
    co_return base::fail(base::ErrorCode::connect_failed,
                         "the name is not known: " + resolved.error.message(), place);
  error_code last;
  for (const tcp::endpoint& endpoint : resolved.endpoints) {
    auto socket = std::make_shared<tcp::socket>(impl_->loop.context);
    const detail::Arrival<Connected> arrival;
    begin_connect(impl_->loop, socket, endpoint, timeout_ms, arrival);
    const Connected connected = co_await arrival;
    if (connected.timed_out)
      co_return base::fail(base::ErrorCode::timeout, "no answer to the connection request", place);
    last = connected.error;
    if (last) continue;
    prepare(*socket);
    base::StreamPtr stream = std::make_shared<detail::SocketStream<tcp>>(
        std::move(*socket), impl_->loop.context, describe(endpoint));
    co_return stream;
  }
  co_return base::fail(base::ErrorCode::connect_failed, "cannot connect: " + last.message(), place);
}

}  // namespace kiln::channels
