#include "channels/net/oauth_client.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <charconv>

#include "engine/base/json.h"
#include "engine/base/text.h"

namespace kiln::channels {

namespace {

using base::ErrorCode;

constexpr std::int64_t kAssertionSeconds = 300;  ///< SMART Backend Services: five minutes at most
constexpr std::int64_t kRenewSeconds = 30;       ///< before its end a token is not used any more
constexpr std::int64_t kTokenSecondsMax = 3'600; ///< believed of a token at most
constexpr int kRsaBitsMin = 2'048, kP384Bits = 384;
constexpr std::size_t kP384Bytes = 48;

template <class T, void (*release)(T*)>
struct Release {
  void operator()(T* pointer) const { release(pointer); }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY, EVP_PKEY_free>>;
using DigestPtr = std::unique_ptr<EVP_MD_CTX, Release<EVP_MD_CTX, EVP_MD_CTX_free>>;
using SignaturePtr = std::unique_ptr<ECDSA_SIG, Release<ECDSA_SIG, ECDSA_SIG_free>>;

std::string base64_url(std::string_view bytes) {
  std::string out = base::base64_encode(bytes);
  while (out.ends_with('=')) out.pop_back();
  for (char& c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return out;
}

base::Result<KeyPtr> read_key(const std::string& pem) {
  const std::unique_ptr<BIO, Release<BIO, BIO_free_all>> text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const auto no_pass_phrase = [](char*, int, int, void*) { return -1; };
  KeyPtr key(PEM_read_bio_PrivateKey(text.get(), nullptr, no_pass_phrase, nullptr));
  ERR_clear_error();
  if (!key) return base::fail(ErrorCode::bad_certificate, "no private key in PEM form without pass phrase");
  const int kind = EVP_PKEY_base_id(key.get());
  const int bits = EVP_PKEY_bits(key.get());
  const bool good = (kind == EVP_PKEY_RSA && bits >= kRsaBitsMin) || (kind == EVP_PKEY_EC && bits == kP384Bits);
  if (!good) return base::fail(ErrorCode::bad_certificate, "the key must be RSA of 2048 bits or more, or EC on P-384");
  return key;
}

/// JWS wants the two numbers of an EC signature side by side (RFC 7518 §3.4), OpenSSL gives them as DER.
std::string plain_signature(const std::string& der) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  const SignaturePtr both(d2i_ECDSA_SIG(nullptr, &bytes, static_cast<long>(der.size())));
  if (!both) return {};
  std::string out(2 * kP384Bytes, '\0');
  auto* into = reinterpret_cast<unsigned char*>(out.data());
  BN_bn2binpad(ECDSA_SIG_get0_r(both.get()), into, kP384Bytes);
  BN_bn2binpad(ECDSA_SIG_get0_s(both.get()), into + kP384Bytes, kP384Bytes);
  return out;
}

std::string sign(EVP_PKEY* key, const std::string& text) {
  const DigestPtr digest(EVP_MD_CTX_new());
  std::size_t size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (EVP_DigestSignInit(digest.get(), nullptr, EVP_sha384(), nullptr, key) != 1 ||
      EVP_DigestSign(digest.get(), nullptr, &size, bytes, text.size()) != 1)
    return {};
  std::string out(size, '\0');
  if (EVP_DigestSign(digest.get(), reinterpret_cast<unsigned char*>(out.data()), &size, bytes, text.size()) != 1) return {};
  out.resize(size);
  return EVP_PKEY_base_id(key) == EVP_PKEY_EC ? plain_signature(out) : out;
}

std::string random_id() {
  unsigned char bytes[16];
  RAND_bytes(bytes, sizeof bytes);
  return base64_url(std::string_view(reinterpret_cast<const char*>(bytes), sizeof bytes));
}

}  // namespace

base::Status check_assertion_key(const std::string& key) {
  const auto read = read_key(key);
  if (!read) return base::fail(read.error());
  return {};
}

base::Result<std::string> sign_assertion(const OAuthOptions& options, base::WallTime now, const std::string& id) {
  TRY(const KeyPtr key, read_key(options.key));
  const std::int64_t seconds = now.micros / 1'000'000;
  base::JsonWriter header;
  header.begin_object().member("alg", EVP_PKEY_base_id(key.get()) == EVP_PKEY_EC ? "ES384" : "RS384").member("typ", "JWT");
  if (!options.key_id.empty()) header.member("kid", options.key_id);
  header.end_object();
  base::JsonWriter claims;
  claims.begin_object().member("iss", options.client_id).member("sub", options.client_id).member("aud", options.token_url_text);
  claims.key("iat").integer(seconds).key("exp").integer(seconds + kAssertionSeconds).member("jti", id).end_object();
  const std::string text = base64_url(header.str()) + "." + base64_url(claims.str());
  const std::string signature = sign(key.get(), text);
  ERR_clear_error();
  if (signature.empty()) return base::fail(ErrorCode::bad_certificate, "the key cannot sign");
  return text + "." + base64_url(signature);
}

OAuthClient::OAuthClient(base::Network& network, const base::Clock& clock, OAuthOptions options, TlsContexts contexts)
    : clock_(clock), options_(std::move(options)), client_(network, options_.token_url, std::move(contexts)) {}

base::Task<base::Result<std::string>> OAuthClient::token() {
  const base::WallTime now = clock_.wall();
  if (!token_.empty() && now.micros < ends_.micros - kRenewSeconds * 1'000'000) co_return token_;
  token_.clear();
  const auto assertion = sign_assertion(options_, now, random_id());
  if (!assertion) co_return base::fail(assertion.error());
  base::HttpRequest request;
  request.method = "POST";
  request.target = options_.token_url.path.empty() ? "/" : options_.token_url.path;
  request.headers.add("Content-Type", "application/x-www-form-urlencoded");
  request.headers.add("Accept", "application/json");
  request.body = "grant_type=client_credentials&client_assertion_type=" +
                 base::percent_encode("urn:ietf:params:oauth:client-assertion-type:jwt-bearer") + "&client_assertion=" + *assertion;
  if (!options_.scope.empty()) request.body += "&scope=" + base::percent_encode(options_.scope);
  auto sending = client_.send(std::move(request), options_.timeout_ms);
  const HttpExchange exchange = co_await std::move(sending);
  if (!exchange.response) co_return base::fail(exchange.response.error());
  co_return take(*exchange.response);
}

base::Result<std::string> OAuthClient::take(const base::HttpResponse& response) {
  if (response.status == 429 || response.status >= 500)
    return base::fail(ErrorCode::peer_unavailable, "the token server answered " + std::to_string(response.status));
  const auto document = base::parse_json(response.body);
  std::string token(document ? document->root()["access_token"].text() : std::string_view());
  for (const char c : token)
    if (c <= 0x20 || c > 0x7e) token.clear();
  if (response.status != 200 || token.empty())
    return base::fail(ErrorCode::peer_login_refused, "the token server gave no token; it answered " + std::to_string(response.status));
  std::int64_t seconds = 0;
  const std::string_view text = document->root()["expires_in"].text();
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  ends_ = base::WallTime{clock_.wall().micros + std::clamp<std::int64_t>(seconds, 0, kTokenSecondsMax) * 1'000'000};
  token_ = token;
  return token;
}

}  // namespace kiln::channels
