#include "channels/tls_settings.h"

#include "channels/limits.h"
#include "engine/base/log.h"

namespace kiln::channels {

namespace {

/// Options that hold PEM text, in the order of Part.
constexpr const char* kListenerParts[] = {"cert", "key", "client_ca"};
constexpr const char* kClientParts[] = {"cert", "key", "ca"};

}  // namespace

TlsSettings::TlsSettings(const Options& tls, base::Env& env, const base::Clock& clock, std::string owner, bool server)
    : env_(env), clock_(clock), owner_(std::move(owner)), server_(server) {
  const ReferenceSource references = process_references();
  for (const char* name : server ? std::span<const char* const>(kListenerParts) : kClientParts) {
    const OptionValue* value = tls.find(name);
    parts_.push_back(value == nullptr ? Part() : Part{file_of(*value, references), value->text});
  }
  const std::string client = server ? tls.text("client") : std::string();
  client_ = client == "required"   ? ClientCertificate::required
            : client == "optional" ? ClientCertificate::optional
                                   : ClientCertificate::none;
  only_13_ = tls.text("min") == "1.3";
  looked_ = clock.mono();
}

base::Result<std::shared_ptr<TlsSettings>> TlsSettings::listener(const Options& tls, base::Env& env,
                                                                 const base::Clock& clock, std::string owner) {
  std::shared_ptr<TlsSettings> out(new TlsSettings(tls, env, clock, std::move(owner), true));
  TRY_VOID(out->build());
  return out;
}

base::Result<std::shared_ptr<TlsSettings>> TlsSettings::client(const Options& tls, base::Env& env,
                                                               const base::Clock& clock, std::string owner) {
  std::shared_ptr<TlsSettings> out(new TlsSettings(tls, env, clock, std::move(owner), false));
  TRY_VOID(out->build());
  return out;
}

base::Status TlsSettings::build() {
  base::Result<std::shared_ptr<const TlsContext>> made = base::fail(base::ErrorCode::internal);
  if (server_) {
    TlsOptions options;
    options.certificate = part(0);
    options.key = part(1);
    options.client_ca = part(2);
    options.client = client_;
    options.only_13 = only_13_;
    made = TlsContext::server(options);
  } else {
    TlsClientOptions options;
    options.certificate = part(0);
    options.key = part(1);
    options.ca = part(2);
    options.only_13 = only_13_;
    made = TlsContext::client(options);
  }
  if (!made) {
    base::Error why = made.error();
    why.place = "tls";
    return base::fail(std::move(why));
  }
  context_ = std::move(*made);
  return {};
}

/// A certificate and its key are two files, and a renewal may be seen between them: what does not fit yet is tried
/// again when something changes once more.
void TlsSettings::look() {
  bool changed = false;
  for (Part& one : parts_) {
    if (one.file.empty()) continue;
    auto text = env_.read_file(one.file, limits::kSecretBytesMax);
    if (!text) continue;  // being replaced; the next look finds it
    while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
    if (*text == one.text) continue;
    one.text = std::move(*text);
    changed = true;
  }
  if (!changed) return;
  const auto built = build();
  base::log(built ? base::LogLevel::info : base::LogLevel::error,
            built ? base::Safe("certificate-renewed") : base::Safe("certificate-unusable"),
            {{"owner", base::Safe::name(owner_)}});
}

std::shared_ptr<const TlsContext> TlsSettings::current() {
  const base::MonoTime now = clock_.mono();
  if (now - looked_ >= std::chrono::milliseconds(limits::kCertificateLookMs)) {
    looked_ = now;
    look();
  }
  return context_;
}

TlsContexts TlsSettings::contexts() {
  return [self = shared_from_this()] { return self->current(); };
}

}  // namespace kiln::channels
