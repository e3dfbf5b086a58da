#include "channels/net/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <set>

#include "channels/net/detail/peer_probe.h"
#include "engine/base/executor.h"
#include "engine/base/limits.h"

namespace kiln::channels {

namespace {

using base::ErrorCode;
using base::Status;

constexpr std::size_t kReadBytes = 16u << 10;    ///< taken from the socket at once
constexpr std::size_t kWriteBytes = 128u << 10;  ///< encrypted before it is sent
constexpr const char* kCiphers12 =
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:"
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

template <class T, void (*release)(T*)>
struct Release {
  void operator()(T* pointer) const { release(pointer); }
};
using BioPtr = std::unique_ptr<BIO, Release<BIO, BIO_free_all>>;
using CertificatePtr = std::unique_ptr<X509, Release<X509, X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY, EVP_PKEY_free>>;
using SslPtr = std::unique_ptr<SSL, Release<SSL, SSL_free>>;

BioPtr reader_of(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

tl::unexpected<base::Error> bad(const char* why) {
  ERR_clear_error();
  return base::fail(ErrorCode::bad_certificate, why);
}

/// A key that is locked with a pass phrase is refused, not asked for.
int no_pass_phrase(char*, int, int, void*) {
  return -1;
}

CertificatePtr next_certificate(BIO* from) {
  return CertificatePtr(PEM_read_bio_X509(from, nullptr, no_pass_phrase, nullptr));
}

Status use_certificates(SSL_CTX* context, const std::string& certificate, const std::string& private_key) {
  const BioPtr chain = reader_of(certificate);
  const CertificatePtr own = next_certificate(chain.get());
  if (!own) return bad("no certificate in PEM form");
  if (SSL_CTX_use_certificate(context, own.get()) != 1)
    return bad("the certificate is too weak or cannot be used");
  while (CertificatePtr signer = next_certificate(chain.get()))
    if (SSL_CTX_add1_chain_cert(context, signer.get()) != 1)
      return bad("the chain of the certificate is wrong");
  const BioPtr key_text = reader_of(private_key);
  const KeyPtr key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, no_pass_phrase, nullptr));
  if (!key) return bad("no private key in PEM form without pass phrase");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1)
    return bad("the key is not that of the certificate");
  ERR_clear_error();
  return {};
}

Status use_client_authorities(SSL_CTX* context, const TlsOptions& options) {
  if (options.client == ClientCertificate::none) return {};
  const BioPtr list = reader_of(options.client_ca);
  std::size_t count = 0;
  while (CertificatePtr authority = next_certificate(list.get())) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get()) != 1 ||
        SSL_CTX_add_client_CA(context, authority.get()) != 1)
      return bad("client_ca has a certificate that cannot be used");
    ++count;
  }
  if (count == 0) return bad("client_ca has no certificate in PEM form");
  const int mode =
      SSL_VERIFY_PEER | (options.client == ClientCertificate::required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
  SSL_CTX_set_verify(context, mode, nullptr);
  ERR_clear_error();
  return {};
}

/// Only HTTP/1.1 is spoken; a client that offers nothing else gets no answer to its offer.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned offered_size, void*) {
  static constexpr unsigned char kHttp11[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kHttp11, sizeof(kHttp11) - 1, offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

struct TlsContext::Impl {
  SSL_CTX* context = nullptr;
  ~Impl() { SSL_CTX_free(context); }
};

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;

namespace {

/// What both sides ask of a connection.
Status prepare(SSL_CTX* context, bool only_13) {
  if (context == nullptr) return bad("TLS cannot be used");
  SSL_CTX_set_min_proto_version(context, only_13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_security_level(context, 2);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_set_cipher_list(context, kCiphers12) != 1) return bad("none of the ciphers is there");
  return {};
}

Status use_server_authorities(SSL_CTX* context, const std::string& ca) {
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (ca.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) != 1) return bad("the system has no authorities; give `ca`");
    return {};
  }
  const BioPtr list = reader_of(ca);
  std::size_t count = 0;
  while (CertificatePtr authority = next_certificate(list.get())) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get()) != 1)
      return bad("ca has a certificate that cannot be used");
    ++count;
  }
  if (count == 0) return bad("ca has no certificate in PEM form");
  ERR_clear_error();
  return {};
}

}  // namespace

base::Result<std::shared_ptr<const TlsContext>> TlsContext::client(const TlsClientOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->context = SSL_CTX_new(TLS_client_method());
  TRY_VOID(prepare(impl->context, options.only_13));
  TRY_VOID(use_server_authorities(impl->context, options.ca));
  if (!options.certificate.empty())
    TRY_VOID(use_certificates(impl->context, options.certificate, options.key));
  return std::shared_ptr<const TlsContext>(new TlsContext(std::move(impl)));
}

base::Result<std::shared_ptr<const TlsContext>> TlsContext::server(const TlsOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->context = SSL_CTX_new(TLS_server_method());
  SSL_CTX* context = impl->context;
  TRY_VOID(prepare(context, options.only_13));
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  TRY_VOID(use_certificates(context, options.certificate, options.key));
  TRY_VOID(use_client_authorities(context, options));
  return std::shared_ptr<const TlsContext>(new TlsContext(std::move(impl)));
}

namespace {

/// TLS over two memory buffers: OpenSSL never sees the socket.
class TlsStream final : public SecureStream,
                        public detail::PeerProbe,
                        public std::enable_shared_from_this<TlsStream> {
 public:
  TlsStream(base::StreamPtr inner, std::shared_ptr<const TlsContext> context)
      : inner_(std::move(inner)), context_(std::move(context)), ssl_(SSL_new(context_->impl().context)) {
    BIO* in = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    in_ = in;
    SSL_set_bio(ssl_.get(), in_, out_);  // takes both
    SSL_set_accept_state(ssl_.get());
  }

  /// Before the handshake: the client's side, and whom the other side's certificate must name.
  Status expect(const std::string& host) {
    SSL_set_connect_state(ssl_.get());
    X509_VERIFY_PARAM* rules = SSL_get0_param(ssl_.get());
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const bool address = X509_VERIFY_PARAM_set1_ip_asc(rules, host.c_str()) == 1;
    ERR_clear_error();
    if (address) return {};
    if (SSL_set1_host(ssl_.get(), host.c_str()) != 1 || SSL_set_tlsext_host_name(ssl_.get(), host.c_str()) != 1)
      return bad("the host is no name a certificate can be for");
    return {};
  }

  base::Task<Status> handshake();
  base::Task<base::Result<std::size_t>> read_some(char* into, std::size_t capacity,
                                                  std::int64_t timeout_ms) override;
  base::Task<Status> write_all(std::string bytes, std::int64_t timeout_ms) override;
  void close() override { inner_->close(); }
  const std::string& peer() const override { return inner_->peer(); }
  bool is_gone() override {
    auto* probe = dynamic_cast<detail::PeerProbe*>(inner_.get());
    return probe && probe->is_gone();
  }
  std::string certificate() const override;
  std::vector<std::string> alternative_names() const override;

 private:
  base::Error why_refused() const;
  enum class Step : std::uint8_t { done, wants_more, closed, failed };
  /// What an SSL call that gave `code` came to. At once after the call: the errors of OpenSSL are per thread.
  Step step_of(int code);
  base::Task<Status> fill(std::int64_t timeout_ms);
  base::Task<Status> flush(std::int64_t timeout_ms);

  base::StreamPtr inner_;
  std::shared_ptr<const TlsContext> context_;
  SslPtr ssl_;
  BIO *in_ = nullptr, *out_ = nullptr;
  bool flushing_ = false;
};

TlsStream::Step TlsStream::step_of(int code) {
  if (code > 0) return Step::done;
  const int error = SSL_get_error(ssl_.get(), code);
  ERR_clear_error();
  if (error == SSL_ERROR_WANT_READ) return Step::wants_more;
  return error == SSL_ERROR_ZERO_RETURN ? Step::closed : Step::failed;
}

/// Hands what the peer sent to OpenSSL. connection_closed when it sends no more.
base::Task<Status> TlsStream::fill(std::int64_t timeout_ms) {
  std::string bytes(kReadBytes, '\0');
  const auto got = co_await inner_->read_some(bytes.data(), bytes.size(), timeout_ms);
  if (!got) co_return base::fail(got.error());
  if (*got == 0) co_return base::fail(ErrorCode::connection_closed);
  BIO_write(in_, bytes.data(), static_cast<int>(*got));
  co_return Status();
}

/// Sends what OpenSSL has made. Reading and writing may both have something to send: the one that came first
/// sends all of it, since a stream takes one write at a time.
base::Task<Status> TlsStream::flush(std::int64_t timeout_ms) {
  if (flushing_) co_return Status();
  flushing_ = true;
  Status status;
  while (status && BIO_ctrl_pending(out_) > 0) {
    std::string bytes(BIO_ctrl_pending(out_), '\0');
    const int count = BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
    bytes.resize(static_cast<std::size_t>(std::max(count, 0)));
    status = co_await inner_->write_all(std::move(bytes), timeout_ms);
  }
  flushing_ = false;
  co_return status;
}

base::Task<Status> TlsStream::handshake() {
  const auto self = shared_from_this();
  for (;;) {
    const Step step = step_of(SSL_do_handshake(ssl_.get()));
    auto flushing = flush(base::limits::kTlsHandshakeMs);
    const Status flushed = co_await std::move(flushing);
    if (step == Step::done) co_return flushed;
    if (step != Step::wants_more || !flushed) co_return base::fail(why_refused());
    auto filling = fill(base::limits::kTlsHandshakeMs);
    const Status filled = co_await std::move(filling);
    if (!filled) co_return filled;
  }
}

base::Task<base::Result<std::size_t>> TlsStream::read_some(char* into, std::size_t capacity,
                                                           std::int64_t timeout_ms) {
  const auto self = shared_from_this();
  for (;;) {
    std::size_t count = 0;
    const Step step = step_of(SSL_read_ex(ssl_.get(), into, capacity, &count));
    if (BIO_ctrl_pending(out_) > 0) {
      auto flushing = flush(timeout_ms);
      const Status flushed = co_await std::move(flushing);
      if (!flushed && step != Step::done) co_return base::fail(flushed.error());
    }
    if (step == Step::done) co_return count;
    if (step == Step::closed) co_return std::size_t{0};
    if (step == Step::failed) co_return base::fail(ErrorCode::tls_failed);
    auto filling = fill(timeout_ms);
    const Status filled = co_await std::move(filling);
    if (!filled) co_return base::fail(filled.error());
  }
}

base::Task<Status> TlsStream::write_all(std::string bytes, std::int64_t timeout_ms) {
  const auto self = shared_from_this();
  std::size_t done = 0;
  while (done < bytes.size()) {
    std::size_t count = 0;
    const std::size_t size = std::min(bytes.size() - done, kWriteBytes);
    const Step step = step_of(SSL_write_ex(ssl_.get(), bytes.data() + done, size, &count));
    if (step != Step::done) co_return base::fail(ErrorCode::tls_failed);
    done += count;
    auto flushing = flush(timeout_ms);
    const Status flushed = co_await std::move(flushing);
    if (!flushed) co_return flushed;
  }
  co_return Status();
}

/// What is wrong with the other side's certificate, when that was it.
base::Error TlsStream::why_refused() const {
  base::Error why{ErrorCode::tls_failed, "the peers agree on no version, cipher or certificate", "", ""};
  const long result = SSL_get_verify_result(ssl_.get());
  if (result != X509_V_OK) why.text = std::string("the certificate is refused: ") + X509_verify_cert_error_string(result);
  return why;
}

std::vector<std::string> TlsStream::alternative_names() const {
  std::vector<std::string> out;
  const CertificatePtr shown(SSL_get1_peer_certificate(ssl_.get()));
  if (!shown || SSL_get_verify_result(ssl_.get()) != X509_V_OK) return out;
  auto* names =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(shown.get(), NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    const char* kind = name->type == GEN_DNS ? "DNS:" : name->type == GEN_URI ? "URI:" : name->type == GEN_EMAIL ? "email:" : nullptr;
    if (kind == nullptr) continue;
    const ASN1_IA5STRING* text = name->d.ia5;
    out.push_back(kind + std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                                     static_cast<std::size_t>(ASN1_STRING_length(text))));
  }
  GENERAL_NAMES_free(names);
  return out;
}

std::string TlsStream::certificate() const {
  const CertificatePtr shown(SSL_get1_peer_certificate(ssl_.get()));
  if (!shown || SSL_get_verify_result(ssl_.get()) != X509_V_OK) return {};
  const BioPtr text(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(text.get(), X509_get_subject_name(shown.get()), 0, XN_FLAG_RFC2253);
  std::string name(BIO_ctrl_pending(text.get()), '\0');
  const int count = BIO_read(text.get(), name.data(), static_cast<int>(name.size()));
  name.resize(static_cast<std::size_t>(std::max(count, 0)));
  return name;
}

/// Connections of one listener whose handshake is not over.
struct Greeting {
  base::TimerExecutor* executor;
  TlsContexts contexts;
  base::Network::OnAccept on_accept;
  std::set<base::StreamPtr> open;
};

base::Task<void> greet(std::shared_ptr<Greeting> greeting, base::StreamPtr raw) {
  greeting->open.insert(raw);
  const base::TimerId timer = greeting->executor->post_after(
      std::chrono::milliseconds(base::limits::kTlsHandshakeMs), [raw] { raw->close(); });
  const auto stream = std::make_shared<TlsStream>(raw, greeting->contexts());
  auto shaking = stream->handshake();
  const Status done = co_await std::move(shaking);
  greeting->executor->cancel(timer);
  greeting->open.erase(raw);
  if (done)
    greeting->on_accept(stream);
  else
    raw->close();
}

class TlsListener final : public base::Listener {
 public:
  TlsListener(std::unique_ptr<base::Listener> inner, std::shared_ptr<Greeting> greeting)
      : inner_(std::move(inner)), greeting_(std::move(greeting)) {}
  ~TlsListener() override { close(); }
  std::uint16_t port() const override { return inner_->port(); }
  void close() override {
    inner_->close();
    const auto open = greeting_->open;
    for (const base::StreamPtr& stream : open) stream->close();
  }

 private:
  std::unique_ptr<base::Listener> inner_;
  std::shared_ptr<Greeting> greeting_;
};

}  // namespace

HttpListen listen_tls(base::Network& network, std::string host, std::uint16_t port,
                      std::shared_ptr<const TlsContext> context) {
  return listen_tls(network, std::move(host), port, TlsContexts([context] { return context; }));
}

HttpListen listen_tls(base::Network& network, std::string host, std::uint16_t port, TlsContexts contexts) {
  return [&network, host, port,
          contexts](base::Network::OnAccept on_accept) -> base::Result<std::unique_ptr<base::Listener>> {
    auto greeting =
        std::make_shared<Greeting>(Greeting{&network.executor(), contexts, std::move(on_accept), {}});
    auto listener = network.listen(host, port, [greeting](base::StreamPtr raw) {
      if (greeting->open.size() >= base::limits::kConnectionsPerListenerMax) return raw->close();
      base::spawn(greet(greeting, std::move(raw)));
    });
    if (!listener) return base::fail(listener.error());
    return std::make_unique<TlsListener>(std::move(*listener), greeting);
  };
}

base::Task<base::Result<base::StreamPtr>> begin_tls(base::TimerExecutor* executor, base::StreamPtr raw,
                                                    std::string host, std::int64_t timeout_ms,
                                                    std::shared_ptr<const TlsContext> context) {
  const auto stream = std::make_shared<TlsStream>(raw, context);
  Status done = stream->expect(host);
  const auto late = std::make_shared<bool>(false);
  if (done) {
    const base::TimerId timer = executor->post_after(std::chrono::milliseconds(timeout_ms), [raw, late] {
      *late = true;
      raw->close();
    });
    auto shaking = stream->handshake();
    done = co_await std::move(shaking);
    executor->cancel(timer);
  }
  if (done) co_return base::StreamPtr(stream);
  raw->close();
  if (*late) co_return base::fail(ErrorCode::timeout, "no encrypted connection in time");
  co_return base::fail(done.error());
}

base::Task<base::Result<base::StreamPtr>> connect_tls(base::Network* network, std::string host,
                                                      std::uint16_t port, std::int64_t timeout_ms,
                                                      std::shared_ptr<const TlsContext> context) {
  auto connecting = network->connect(host, port, timeout_ms);
  auto raw = co_await std::move(connecting);
  if (!raw) co_return base::fail(raw.error());
  auto beginning = begin_tls(&network->executor(), *raw, host, timeout_ms, context);
  auto stream = co_await std::move(beginning);
  co_return stream;
}

namespace {

/// "CN=lab,O=Example": its parts; a comma behind a backslash parts nothing (RFC 4514).
std::vector<std::string> parts_of(const std::string& subject) {
  std::vector<std::string> out(1);
  for (std::size_t i = 0; i < subject.size(); ++i) {
    if (subject[i] == '\\' && i + 1 < subject.size()) {
      out.back() += subject.substr(i, 2);
      ++i;
    } else if (subject[i] == ',') {
      out.emplace_back();
    } else if (subject[i] != ' ' || !out.back().empty()) {
      out.back() += subject[i];
    }
  }
  return out;
}

}  // namespace

bool names_certificate(const std::string& wanted, const std::string& subject,
                       const std::vector<std::string>& alternative_names) {
  if (std::find(alternative_names.begin(), alternative_names.end(), wanted) != alternative_names.end()) return true;
  const auto shown = parts_of(subject);
  const auto asked = parts_of(wanted);
  return !subject.empty() && std::all_of(asked.begin(), asked.end(), [&](const std::string& part) {
    return !part.empty() && std::find(shown.begin(), shown.end(), part) != shown.end();
  });
}

}  // namespace kiln::channels
