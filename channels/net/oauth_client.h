#pragma once
// OAuth 2.0 client credentials with a signed assertion (RFC 7523, SMART Backend Services): who the client is, is proven by
// a JWT that its private key signs; the access token is kept until shortly before it ends.

#include <memory>
#include <string>

#include "channels/net/http_client.h"
#include "engine/base/clock.h"

namespace kiln::channels {

struct OAuthOptions {
  HttpUrl token_url;
  std::string token_url_text;  ///< as written: the audience of the assertion
  std::string client_id;
  std::string key;     ///< PEM private key: RSA (signed RS384) or EC P-384 (ES384)
  std::string key_id;  ///< "kid" of the header; may be empty
  std::string scope;   ///< "system/*.rs"; may be empty
  std::int64_t timeout_ms = 30'000;
};

/// A signed JWT. `id` is its jti, never used twice. Errors: bad_certificate, when the key is of another kind, too weak or no key.
base::Result<std::string> sign_assertion(const OAuthOptions& options, base::WallTime now, const std::string& id);
/// True when a key can sign; for checks at the start. Errors as sign_assertion().
base::Status check_assertion_key(const std::string& key);

/// On the network's executor; token() is not reentrant.
class OAuthClient {
 public:
  OAuthClient(base::Network& network, const base::Clock& clock, OAuthOptions options, TlsContexts contexts);

  /// A token that is valid now; the kept one unless it ends within half a minute or forget() was called. Errors: those of
  /// HttpClient; peer_login_refused when the server gives none (its text is left out); peer_unavailable for 5xx and 429.
  base::Task<base::Result<std::string>> token();
  /// The receiver did not take the token.
  void forget() { token_.clear(); }
  void close() { client_.close(); }

 private:
  base::Result<std::string> take(const base::HttpResponse& response);

  const base::Clock& clock_;
  OAuthOptions options_;
  HttpClient client_;
  std::string token_;
  base::WallTime ends_;
};

}  // namespace kiln::channels
