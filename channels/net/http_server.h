#pragma once
// HTTP/1.1 server over any Network (RFC 9112), with the limits of limits.h: 431 header block, 414 URL, 413
// body, 408 header or body time.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/http_message.h"
#include "engine/base/limits.h"
#include "engine/base/network.h"

namespace kiln::channels {

/// The answer to a request that was refused before a handler saw it; `why` has no text of the request.
using HttpRefusal = std::function<base::HttpResponse(int status, const std::string& why)>;
/// Called once per request, on the network's executor. An exception that leaves it becomes a 500.
using HttpHandler = std::function<base::Task<base::HttpResponse>(base::HttpRequest)>;
/// A body that is made while it is sent, in chunks (RFC 9112 §7.1): for answers without end or too large for memory.
struct HttpStream {
  /// The next piece, empty for the end; not asked for again after the client has gone or the server stops. On the
  /// network's executor. Set by a handler before it ends: its response then is the head, and its body is not sent.
  std::function<base::Task<std::string>()> next;
  std::function<void()> ended;  ///< once, however it ended; may be empty
};

/// What is known of who sent a request, besides its address.
struct HttpPeer {
  bool encrypted = false;
  std::string certificate;        ///< subject of the client's certificate (RFC 2253); empty: none was shown
  std::vector<std::string> alternative_names;  ///< of that certificate: "DNS:…", "URI:…", "email:…"
  std::function<bool()> is_gone;  ///< the client has closed its side; on the network's executor, at any later time
  std::shared_ptr<HttpStream> stream;  ///< of the answer to this request; null while the gate is asked
};
/// A handler that looks at it.
using HttpPeerHandler = std::function<base::Task<base::HttpResponse>(base::HttpRequest, HttpPeer)>;
/// Called when the header block is there and the body is not: an answer refuses the request unread.
using HttpGate = std::function<std::optional<base::HttpResponse>(const base::HttpRequest& head, const HttpPeer&)>;
/// Opens the listener a server uses: Network::listen or Net::listen_unix.
using HttpListen = std::function<base::Result<std::unique_ptr<base::Listener>>(base::Network::OnAccept)>;

struct HttpLimits {
  std::size_t body_bytes = base::limits::kMessageBytesMax;
  std::size_t header_bytes = base::limits::kHttpHeaderBytesMax;
  std::size_t url_bytes = base::limits::kHttpUrlBytesMax;
  std::size_t headers = base::limits::kHttpHeadersMax;
  std::int64_t header_ms = base::limits::kHttpHeaderMs;
  std::int64_t body_ms = base::limits::kHttpBodyMs;
  std::int64_t idle_ms = base::limits::kHttpBodyMs;  ///< between requests of a kept connection
  std::size_t connections =
      base::limits::kConnectionsPerListenerMax;  ///< more are closed at once and counted
  std::size_t connections_per_address = 0;  ///< of one client address that is not this machine; 0: any number
  HttpRefusal refusal;                 ///< empty: one line of plain text
  HttpGate gate;                       ///< empty: everybody may send a body
  const base::Clock* clock = nullptr;  ///< for the Date field and the time limits; the system's when null
};

struct HttpServerStatus {
  std::uint64_t connections = 0, connections_total = 0, requests = 0, refused_connections = 0;
};

/// Serves until stopped. Requests of one connection are answered in order, also when they are pipelined; HEAD
/// gets the headers of GET (the handler sees HEAD and may leave the body; it is never sent). Refused without
/// calling the handler: Content-Length with Transfer-Encoding, two Content-Lengths, obs-fold, bare LF, space
/// before the colon, no Host.
class HttpServer {
 public:
  /// Errors: io_failed with the address.
  static base::Result<std::unique_ptr<HttpServer>> start(base::Network& network, HttpListen listen,
                                                         HttpHandler handler, HttpLimits limits = {});
  static base::Result<std::unique_ptr<HttpServer>> start(base::Network& network, HttpListen listen,
                                                         HttpPeerHandler handler, HttpLimits limits = {});
  /// Listens on host:port.
  static base::Result<std::unique_ptr<HttpServer>> start(base::Network& network, std::string host,
                                                         std::uint16_t port, HttpHandler handler,
                                                         HttpLimits limits = {});
  ~HttpServer();
  std::uint16_t port() const;
  HttpServerStatus status() const;
  /// Takes no more connections or requests, lets the running handlers end and their answers leave (at most
  /// `grace_ms`), closes. Idempotent. Must be awaited before the server is destroyed.
  base::Task<void> stop(std::int64_t grace_ms = 5'000);

  struct Impl;

 private:
  explicit HttpServer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace kiln::channels
