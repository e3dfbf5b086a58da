#pragma once
// TLS for servers and clients: OpenSSL between a Stream of any Network and what reads it. TLS 1.2 and 1.3,
// forward secrecy and authenticated ciphers only (security.md D4); no renegotiation, no compression, no
// session of an earlier connection. A client checks the chain and the name of the certificate.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "channels/net/http_server.h"
#include "engine/base/network.h"

namespace kiln::channels {

enum class ClientCertificate : std::uint8_t { none, optional, required };

struct TlsOptions {
  std::string certificate;  ///< PEM, the server's first, then what signs it
  std::string key;          ///< PEM, of the first certificate
  std::string client_ca;    ///< PEM; needed unless `client` is none
  ClientCertificate client = ClientCertificate::none;
  bool only_13 = false;
};

struct TlsClientOptions {
  std::string ca;           ///< PEM: who may sign the server's certificate; empty: the system's authorities
  std::string certificate;  ///< PEM, what the client shows, then what signs it; may be empty
  std::string key;          ///< PEM, of the first certificate; empty with it
  bool only_13 = false;
};

/// Certificate, key and rules of one listener or one client. Immutable and shared by its connections.
class TlsContext {
 public:
  /// Error: bad_certificate, when a part cannot be read, or key and certificate are no pair. Never with a
  /// text of the key.
  static base::Result<std::shared_ptr<const TlsContext>> server(const TlsOptions& options);
  static base::Result<std::shared_ptr<const TlsContext>> client(const TlsClientOptions& options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  explicit TlsContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A stream whose other end may have shown a certificate.
class SecureStream : public base::Stream {
 public:
  /// The subject of the verified certificate (RFC 2253: "CN=lab,O=Example"); empty when there is none.
  virtual std::string certificate() const = 0;
  /// The alternative names of that certificate: "DNS:lab.example.org", "URI:…", "email:…".
  virtual std::vector<std::string> alternative_names() const = 0;
};

/// True when `wanted` names that certificate: an alternative name ("DNS:lab.example.org"), or parts of the
/// subject ("CN=lab" or "CN=lab,O=Example"), each of which stands in it as a whole, case included.
bool names_certificate(const std::string& wanted, const std::string& subject,
                       const std::vector<std::string>& alternative_names);

/// What a connection that begins now uses; may give another context after certificates have been renewed.
/// Called on the network's executor; never null.
using TlsContexts = std::function<std::shared_ptr<const TlsContext>()>;

/// Listens on host:port; `on_accept` of the listener gets a SecureStream after its handshake, which may take
/// limits::kTlsHandshakeMs. `network` and what runs on it outlive the listener.
HttpListen listen_tls(base::Network& network, std::string host, std::uint16_t port,
                      std::shared_ptr<const TlsContext> context);
HttpListen listen_tls(base::Network& network, std::string host, std::uint16_t port, TlsContexts contexts);

/// Connects and shakes hands within `timeout_ms`. `host` is what the certificate must be for: a DNS name or an IP
/// address. The stream is a SecureStream. Errors: connect_failed, timeout, tls_failed with the reason.
base::Task<base::Result<base::StreamPtr>> connect_tls(base::Network* network, std::string host,
                                                      std::uint16_t port, std::int64_t timeout_ms,
                                                      std::shared_ptr<const TlsContext> context);
/// The same over a connection that is there (STARTTLS); nothing of it may be unread. Closes it on an error.
base::Task<base::Result<base::StreamPtr>> begin_tls(base::TimerExecutor* executor, base::StreamPtr raw,
                                                    std::string host, std::int64_t timeout_ms,
                                                    std::shared_ptr<const TlsContext> context);

}  // namespace kiln::channels
