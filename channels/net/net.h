#pragma once
// The real network: one Asio io_context as Network and TimerExecutor. Asio stays behind this header
// (architecture.md §4).

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/network.h"

namespace kiln::channels {

/// One event loop. run() is called by one thread; everything of this network happens on it. TCP_NODELAY is
/// always on. Streams, listeners and servers made here must be gone before it is destroyed.
class Net final : public base::Network {
 public:
  Net();
  ~Net() override;
  Net(const Net&) = delete;
  Net& operator=(const Net&) = delete;

  /// Runs until stop(). May be called again afterwards.
  void run();
  /// Runs what is ready and returns; for tests.
  void poll();
  /// Ends run(). Thread-safe, also callable before run().
  void stop();
  /// Calls `handler` on the loop for each of the signals; replaces an earlier handler.
  void on_signals(std::vector<int> signals, std::function<void(int)> handler);

  /// `host` is an IP address; port 0 takes a free one.
  base::Result<std::unique_ptr<base::Listener>> listen(std::string host, std::uint16_t port,
                                                       OnAccept on_accept) override;
  /// `host` is a name or an IP address; a name is resolved each time and the first address that answers is
  /// taken.
  base::Task<base::Result<base::StreamPtr>> connect(std::string host, std::uint16_t port,
                                                    std::int64_t timeout_ms) override;
  base::TimerExecutor& executor() override;

  /// A unix-domain socket of mode 0600. A dead socket file is replaced; a live one is io_failed. The peer of
  /// its streams is "local". Closing the listener removes the file.
  base::Result<std::unique_ptr<base::Listener>> listen_unix(std::string path, OnAccept on_accept);
  base::Task<base::Result<base::StreamPtr>> connect_unix(std::string path, std::int64_t timeout_ms);

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

/// Runs one task to its end on a Net of its own: for command-line clients. Not for use inside a running loop.
void run_to_end(Net& net, base::Task<void> task);

}  // namespace kiln::channels
