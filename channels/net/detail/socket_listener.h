#pragma once
// Private to channels/net: an accept loop; the same code for TCP and unix-domain sockets.

#include <functional>
#include <memory>
#include <string>

#include "channels/net/detail/socket_stream.h"

namespace kiln::channels::detail {

/// What is left to do when accept() itself fails (no descriptors left): wait, the pending connection stays in
/// the backlog.
inline constexpr std::chrono::milliseconds kAcceptPause{100};

template <class Protocol>
class AcceptLoop : public std::enable_shared_from_this<AcceptLoop<Protocol>> {
 public:
  using Acceptor = typename Protocol::acceptor;
  using Endpoint = typename Protocol::endpoint;
  using Describe = std::string (*)(const Endpoint& peer);
  using Prepare = void (*)(typename Protocol::socket& socket);

  AcceptLoop(Loop& loop, Acceptor acceptor, base::Network::OnAccept on_accept, Describe describe,
             Prepare prepare)
      : loop_(loop),
        acceptor_(std::move(acceptor)),
        pause_(loop.context),
        on_accept_(std::move(on_accept)),
        describe_(describe),
        prepare_(prepare) {}

  void next() {
    acceptor_.async_accept(peer_, [self = this->shared_from_this()](const boost::system::error_code& error,
                                                                    typename Protocol::socket socket) {
      if (!self->acceptor_.is_open()) return;
      if (error) return self->rest();
      self->prepare_(socket);
      self->on_accept_(std::make_shared<SocketStream<Protocol>>(std::move(socket), self->loop_.context,
                                                                self->describe_(self->peer_)));
      if (self->acceptor_.is_open()) self->next();
    });
  }
  void close() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
  }

 private:
  void rest() {
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([self = this->shared_from_this()](const boost::system::error_code& error) {
      if (!error && self->acceptor_.is_open()) self->next();
    });
  }

  Loop& loop_;
  Acceptor acceptor_;
  asio::steady_timer pause_;
  base::Network::OnAccept on_accept_;
  Describe describe_;
  Prepare prepare_;
  Endpoint peer_;
};

}  // namespace kiln::channels::detail
