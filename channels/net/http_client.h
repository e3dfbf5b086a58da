#pragma once
// HTTP/1.1 client over any Network, plain or encrypted: one kept connection, one request at a time. It speaks to the host
// it was made for and follows no redirect (security.md D14).

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "channels/net/tls.h"
#include "engine/base/clock.h"
#include "engine/base/http_message.h"
#include "engine/base/limits.h"
#include "engine/base/network.h"

namespace kiln::channels {

/// "https://host:port/base": parts of an absolute URL.
struct HttpUrl {
  bool https = false;
  std::string host;  ///< without brackets
  std::uint16_t port = 80;
  std::string path;  ///< without trailing slash; may be empty
  /// Errors: bad_value.
  static base::Result<HttpUrl> parse(std::string_view text);
};

/// What Retry-After asks for, in milliseconds from `now` on, at most an hour: seconds, or a date in any of the three
/// forms of RFC 9110 §5.6.7. Nothing when it is neither.
std::optional<std::int64_t> retry_after_ms(std::string_view value, base::WallTime now);
/// "Basic …" for the Authorization field (RFC 7617).
std::string basic_authorization(std::string_view user, std::string_view password);

/// What a client uses that was given no certificates: the system's authorities, no certificate of its own. Made once.
base::Result<std::shared_ptr<const TlsContext>> system_tls();

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
  /// To the host of `url`, encrypted when that says https; `contexts` gives authorities and own certificate, the
  /// system's when empty. Chain and name of the server's certificate are checked.
  HttpClient(base::Network& network, const HttpUrl& url, TlsContexts contexts = {});
  /// `host_header` is what the Host field says ("localhost" for the control socket).
  HttpClient(base::Network& network, HttpConnect connect, std::string host_header);
  ~HttpClient();

  /// Sends `request` (method, target, headers, body; Host, Content-Length and Connection are added). A kept
  /// connection that the server had closed in the meantime is replaced once when the method is safe (GET,
  /// HEAD, OPTIONS) and nothing of the answer came; for other methods that is the caller's decision. Errors:
  /// connect_failed, tls_failed, timeout, connection_closed, http_protocol, limit_exceeded.
  base::Task<HttpExchange> send(base::HttpRequest request, std::int64_t timeout_ms);
  /// The longest answer body that is taken; kMessageBytesMax unless told otherwise.
  void set_body_max(std::size_t bytes);
  /// Closes the connection; a pending send ends with connection_closed.
  void close();

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace kiln::channels
