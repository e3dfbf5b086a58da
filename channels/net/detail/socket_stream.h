#pragma once
// Private to channels/net: one connected socket as a Stream; the same code for TCP and unix-domain sockets.

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <string>

#include <sys/socket.h>

#include <cerrno>

#include "channels/net/detail/loop.h"
#include "channels/net/detail/peer_probe.h"
#include "engine/base/network.h"

namespace kiln::channels::detail {

/// A deadline for one kind of operation of a stream. One timer serves many operations: it is not moved when a
/// later operation ends later, only looks again when it fires, so the usual operation costs no timer change.
class Deadline {
 public:
  explicit Deadline(asio::io_context& context) : timer_(context) {}
  /// Emits a cancellation of the pending operation when it has not ended by then. Negative: never.
  /// `owner` is what this deadline is a part of; a running timer does not keep it.
  void begin(std::int64_t timeout_ms, const std::shared_ptr<void>& owner);
  /// The operation ended; true when it was this deadline that ended it.
  bool end();
  asio::cancellation_slot slot() { return signal_.slot(); }
  /// Ends the running timer.
  void stop() { timer_.cancel(); }

 private:
  using Time = asio::steady_timer::time_point;
  void arm(const std::shared_ptr<void>& owner);
  asio::steady_timer timer_;
  asio::cancellation_signal signal_;
  Time at_{};
  Time armed_for_{};
  bool pending_ = false, armed_ = false, fired_ = false;
};

/// The error of an operation that ended with `error`.
tl::unexpected<base::Error> stream_error(const boost::system::error_code& error, bool timed_out);

template <class Protocol>
class SocketStream final : public base::Stream,
                           public PeerProbe,
                           public std::enable_shared_from_this<SocketStream<Protocol>> {
 public:
  using Socket = typename Protocol::socket;
  /// Takes a connected socket.
  SocketStream(Socket socket, asio::io_context& context, std::string peer)
      : socket_(std::move(socket)),
        peer_(std::move(peer)),
        read_deadline_(context),
        write_deadline_(context) {
    boost::system::error_code ignored;
    socket_.non_blocking(true, ignored);
  }

  base::Task<base::Result<std::size_t>> read_some(char* into, std::size_t capacity,
                                                  std::int64_t timeout_ms) override;
  base::Task<base::Status> write_all(std::string bytes, std::int64_t timeout_ms) override;

  void close() override {
    boost::system::error_code ignored;
    read_deadline_.stop();
    write_deadline_.stop();
    socket_.close(ignored);
  }
  const std::string& peer() const override { return peer_; }
  bool is_gone() override {
    char byte = 0;
    const auto got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
  }

 private:
  struct ReadWait;
  struct WriteWait;
  Socket socket_;
  std::string peer_;
  Deadline read_deadline_, write_deadline_;
};

template <class Protocol>
struct SocketStream<Protocol>::ReadWait {
  SocketStream* stream;
  char* into;
  std::size_t capacity;
  std::int64_t timeout_ms;
  boost::system::error_code error;
  std::size_t count = 0;

  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    stream->read_deadline_.begin(timeout_ms, stream->shared_from_this());
    auto done = [this, waiter](const boost::system::error_code& e, std::size_t n) {
      error = e;
      count = n;
      waiter.resume();
    };
    stream->socket_.async_read_some(
        asio::buffer(into, capacity),
        asio::bind_cancellation_slot(stream->read_deadline_.slot(), std::move(done)));
  }
  void await_resume() const {}
};

/// Waits until the socket can take bytes.
template <class Protocol>
struct SocketStream<Protocol>::WriteWait {
  SocketStream* stream;
  std::int64_t timeout_ms;
  boost::system::error_code error;

  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    stream->write_deadline_.begin(timeout_ms, stream->shared_from_this());
    auto done = [this, waiter](const boost::system::error_code& e) {
      error = e;
      waiter.resume();
    };
    stream->socket_.async_wait(Socket::wait_write,
                               asio::bind_cancellation_slot(stream->write_deadline_.slot(), std::move(done)));
  }
  void await_resume() const {}
};

template <class Protocol>
base::Task<base::Result<std::size_t>> SocketStream<Protocol>::read_some(char* into, std::size_t capacity,
                                                                        std::int64_t timeout_ms) {
  const auto self = this->shared_from_this();
  ReadWait wait{this, into, capacity, timeout_ms, {}, 0};
  co_await wait;
  const bool timed_out = read_deadline_.end();
  if (!wait.error) co_return wait.count;
  if (wait.error == asio::error::eof) co_return std::size_t{0};
  co_return stream_error(wait.error, timed_out);
}

template <class Protocol>
base::Task<base::Status> SocketStream<Protocol>::write_all(std::string bytes, std::int64_t timeout_ms) {
  const auto self = this->shared_from_this();
  std::size_t done = 0;
  while (done < bytes.size()) {
    // An answer nearly always fits into the socket's buffer: then nothing waits and no event is needed.
    boost::system::error_code error;
    done += socket_.write_some(asio::buffer(bytes.data() + done, bytes.size() - done), error);
    if (!error) continue;
    if (error != asio::error::would_block) co_return stream_error(error, false);
    WriteWait wait{this, timeout_ms, {}};
    co_await wait;
    const bool timed_out = write_deadline_.end();
    if (wait.error) co_return stream_error(wait.error, timed_out);
  }
  co_return base::Status();
}

}  // namespace kiln::channels::detail
