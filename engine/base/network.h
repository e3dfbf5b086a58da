#pragma once
// Byte streams as a seam. The real ones are in channels/net (Asio); tests/simulation has its own.

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "engine/base/result.h"
#include "engine/base/task.h"

namespace kiln::base {

/// One connection. Used on the executor of the Network that made it. At most one read and one write at a time.
class Stream {
 public:
  virtual ~Stream() = default;
  /// Reads at least one byte into [into, into+capacity), which must live until the task is done.
  /// 0 = the peer closed its side. Errors: timeout, connection_closed.
  /// `timeout_ms` < 0 waits without limit.
  virtual Task<Result<std::size_t>> read_some(char* into, std::size_t capacity, std::int64_t timeout_ms) = 0;
  /// Writes all of `bytes`. Errors: timeout, connection_closed.
  virtual Task<Status> write_all(std::string bytes, std::int64_t timeout_ms) = 0;
  /// Ends pending operations with connection_closed. Idempotent.
  virtual void close() = 0;
  virtual const std::string& peer() const = 0;  ///< "127.0.0.1:51234"
};
using StreamPtr = std::shared_ptr<Stream>;

/// Accepts connections until closed.
class Listener {
 public:
  virtual ~Listener() = default;
  /// The port bound; useful when 0 was asked for.
  virtual std::uint16_t port() const = 0;
  /// Stops accepting; accepted streams live on. Idempotent.
  virtual void close() = 0;
};

class Network {
 public:
  virtual ~Network() = default;
  using OnAccept = std::function<void(StreamPtr)>;
  /// Binds at once; `on_accept` runs on the network's executor for every connection.
  /// Errors: io_failed with the address in the text (in use, no right).
  virtual Result<std::unique_ptr<Listener>> listen(std::string host, std::uint16_t port, OnAccept on_accept) = 0;
  /// Errors: connect_failed, timeout.
  virtual Task<Result<StreamPtr>> connect(std::string host, std::uint16_t port, std::int64_t timeout_ms) = 0;
  /// The executor all callbacks and resumed coroutines of this network run on.
  virtual TimerExecutor& executor() = 0;
};

}  // namespace kiln::base
