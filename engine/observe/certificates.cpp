#include "engine/observe/certificates.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>

namespace kiln::engine {

std::optional<base::WallTime> certificate_end(std::string_view pem) {
  constexpr std::int64_t kMicros = 1'000'000;
  const std::unique_ptr<BIO, int (*)(BIO*)> text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  if (!text) return std::nullopt;
  const std::unique_ptr<X509, void (*)(X509*)> certificate(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr), &X509_free);
  std::tm end{};
  if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &end) != 1) return std::nullopt;
  return base::WallTime{static_cast<std::int64_t>(::timegm(&end)) * kMicros};
}

}  // namespace kiln::engine
