#pragma once
// HTTP/1.1 client over any Network: one kept connection, one request at a time. No redirects are followed
// (security.md D14).

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/base/http_message.h"
#include "engine/base/limits.h"
#include "engine/base/network.h"

namespace kiln::channels {

/// "http://host:port/base": parts of an absolute URL. `https` is recognised so that it can be refused with
/// its reason.
struct HttpUrl {
  bool https = false;
  std::string host;  ///< without brackets
  std::uint16_t port = 80;
  std::string path;  ///< without trailing slash; may be empty
  /// Errors: bad_value.
  static base::Result<HttpUrl> parse(std::string_view text);
};

/// Opens the connection a client uses.
using HttpConnect = std::function<base::Task<base::Result<base::StreamPtr>>(std::int64_t timeout_ms)>;

/// What a request came to. When it failed, `request_sent` tells whether the receiver may have acted on it.
struct HttpExchange {
  base::Result<base::HttpResponse> response = base::HttpResponse();
  bool request_sent = false;  ///< also when only a part may have left
};

/// Used on the network's executor; send() is not reentrant.
class HttpClient {
 public:
  HttpClient(base::Network& network, std::string host, std::uint16_t port);
  /// `host_header` is what the Host field says ("localhost" for the control socket).
  HttpClient(base::Network& network, HttpConnect connect, std::string host_header);
  ~HttpClient();

  /// Sends `request` (method, target, headers, body; Host, Content-Length and Connection are added). A kept
  /// connection that the server had closed in the meantime is replaced once when the method is safe (GET,
  /// HEAD, OPTIONS) and nothing of the answer came; for other methods that is the caller's decision. Errors:
  /// connect_failed, timeout, connection_closed, http_protocol, limit_exceeded.
  base::Task<HttpExchange> send(base::HttpRequest request, std::int64_t timeout_ms);
  /// Closes the connection; a pending send ends with connection_closed.
  void close();

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace kiln::channels
