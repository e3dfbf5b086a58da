#include "engine/security/certificates.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <optional>

namespace kiln::engine {
namespace {

struct Free {
  void operator()(BIO* one) const { BIO_free(one); }
  void operator()(X509* one) const { X509_free(one); }
};

std::string print_name(const X509_NAME* name) {
  const std::unique_ptr<BIO, Free> out(BIO_new(BIO_s_mem()));
  if (!out || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

base::WallTime time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return {static_cast<std::int64_t>(::timegm(&parts)) * 1'000'000};
}

std::optional<CertificateInfo> read_certificate(const std::string& pem) {
  const std::unique_ptr<BIO, Free> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const std::unique_ptr<X509, Free> found(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
  if (!found) return std::nullopt;
  CertificateInfo out;
  out.subject = print_name(X509_get_subject_name(found.get()));
  out.issuer = print_name(X509_get_issuer_name(found.get()));
  out.from = time_of(X509_get0_notBefore(found.get()));
  out.expires = time_of(X509_get0_notAfter(found.get()));
  return out;
}

void add_from(const channels::Options& options, const std::string& where, std::vector<CertificateInfo>& out) {
  const channels::FieldSpec* field = channels::find_field(options.fields(), "tls");
  if (field == nullptr || field->type != channels::FieldType::block || !options.has("tls")) return;
  const channels::Options& tls = options.block("tls");
  if (channels::find_field(tls.fields(), "cert") == nullptr || !tls.has("cert")) return;
  auto found = read_certificate(tls.text("cert"));
  if (!found) return;
  found->where = where;
  out.push_back(std::move(*found));
}

}  // namespace

std::vector<CertificateInfo> certificates_of(const channels::Site& site) {
  std::vector<CertificateInfo> out;
  for (const char* block : {"http", "console"}) add_from(site.server.block(block), block, out);
  for (const auto& channel : site.channels) {
    add_from(channel.source_options, "channel " + channel.name, out);
    for (const auto& destination : channel.destinations)
      add_from(destination.options, "destination " + channel.name + "/" + destination.name, out);
  }
  return out;
}

}  // namespace kiln::engine
