#pragma once
// TLS for servers: OpenSSL between a Stream of any Network and what reads it. TLS 1.2 and 1.3, forward
// secrecy and authenticated ciphers only (security.md D4); no renegotiation, no compression, no session of an
// earlier connection.

#include <cstdint>
#include <memory>
#include <string>

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

/// Certificate, key and rules of one listener. Immutable and shared by its connections.
class TlsContext {
 public:
  /// Error: bad_certificate, when a part cannot be read, or key and certificate are no pair. Never with a
  /// text of the key.
  static base::Result<std::shared_ptr<const TlsContext>> server(const TlsOptions& options);
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
};

/// Listens on host:port; `on_accept` of the listener gets a SecureStream after its handshake, which may take
/// limits::kTlsHandshakeMs. `network` and what runs on it outlive the listener.
HttpListen listen_tls(base::Network& network, std::string host, std::uint16_t port,
                      std::shared_ptr<const TlsContext> context);

}  // namespace kiln::channels
