#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/local/stream_protocol.hpp>

#include "channels/net/detail/net_impl.h"
#include "channels/net/detail/socket_listener.h"
#include "engine/base/env.h"

namespace kiln::channels {

namespace {

using boost::system::error_code;
using detail::asio::local::stream_protocol;

std::string describe(const stream_protocol::endpoint&) {
  return "local";
}
void prepare(stream_protocol::socket&) {}

/// The name the kernel is given: a socket address holds 107 bytes, so a longer path goes through its folder's
/// descriptor.
class SocketPath {
 public:
  explicit SocketPath(const std::string& path) : name_(path) {
    if (path.size() < sizeof(sockaddr_un::sun_path)) return;
    folder_ = ::open(std::string(base::folder_of(path)).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    name_ = "/proc/self/fd/" + std::to_string(folder_) + "/" + std::string(base::name_of(path));
  }
  SocketPath(const SocketPath&) = delete;
  SocketPath& operator=(const SocketPath&) = delete;
  ~SocketPath() {
    if (folder_ >= 0) ::close(folder_);
  }
  bool usable() const { return name_.size() < sizeof(sockaddr_un::sun_path); }
  const std::string& name() const { return name_; }

 private:
  int folder_ = -1;
  std::string name_;
};

/// Removes a socket file that nobody listens on. True when the path is free then.
bool clear_dead_socket(detail::Loop& loop, const std::string& name) {
  struct stat st {};
  if (::lstat(name.c_str(), &st) != 0) return errno == ENOENT;
  if (!S_ISSOCK(st.st_mode)) return false;
  stream_protocol::socket probe(loop.context);
  error_code error;
  probe.connect(stream_protocol::endpoint(name), error);
  return error == detail::asio::error::connection_refused && ::unlink(name.c_str()) == 0;
}

class UnixListener final : public base::Listener {
 public:
  UnixListener(std::shared_ptr<detail::AcceptLoop<stream_protocol>> loop, std::string path)
      : loop_(std::move(loop)), path_(std::move(path)) {}
  ~UnixListener() override { close(); }
  std::uint16_t port() const override { return 0; }
  void close() override {
    loop_->close();
    if (!path_.empty()) ::unlink(path_.c_str());
    path_.clear();
  }

 private:
  std::shared_ptr<detail::AcceptLoop<stream_protocol>> loop_;
  std::string path_;
};

}  // namespace

base::Result<std::unique_ptr<base::Listener>> Net::listen_unix(std::string path, OnAccept on_accept) {
  const SocketPath socket_path(path);
  if (!socket_path.usable())
    return base::fail(base::ErrorCode::io_failed, "the socket's file name is too long", path);
  if (!clear_dead_socket(impl_->loop, socket_path.name()))
    return base::fail(base::ErrorCode::io_failed, "the socket is in use", path,
                      "another engine may run on this folder");
  error_code error;
  stream_protocol::acceptor acceptor(impl_->loop.context);
  acceptor.open(stream_protocol(), error);
  if (!error) acceptor.bind(stream_protocol::endpoint(socket_path.name()), error);
  // Nobody can connect before listen(), so the owner-only mode is in place in time.
  if (!error && ::chmod(socket_path.name().c_str(), 0600) != 0)
    error = error_code(errno, boost::system::system_category());
  if (!error) acceptor.listen(stream_protocol::acceptor::max_listen_connections, error);
  if (error) return base::fail(base::ErrorCode::io_failed, "cannot listen: " + error.message(), path);
  auto loop = std::make_shared<detail::AcceptLoop<stream_protocol>>(
      impl_->loop, std::move(acceptor), std::move(on_accept), &describe, &prepare);
  loop->next();
  return std::make_unique<UnixListener>(std::move(loop), std::move(path));
}

base::Task<base::Result<base::StreamPtr>> Net::connect_unix(std::string path, std::int64_t timeout_ms) {
  // Connecting to a unix socket does not wait for the peer to accept; only a full backlog is refused.
  (void)timeout_ms;
  const SocketPath socket_path(path);
  if (!socket_path.usable())
    co_return base::fail(base::ErrorCode::connect_failed, "the socket's file name is too long", path);
  error_code error;
  stream_protocol::socket socket(impl_->loop.context);
  socket.open(stream_protocol(), error);
  if (!error) socket.non_blocking(true, error);
  if (!error) socket.connect(stream_protocol::endpoint(socket_path.name()), error);
  if (error)
    co_return base::fail(base::ErrorCode::connect_failed, "cannot connect: " + error.message(), path);
  base::StreamPtr stream = std::make_shared<detail::SocketStream<stream_protocol>>(
      std::move(socket), impl_->loop.context, std::string("local"));
  co_return stream;
}

}  // namespace kiln::channels
