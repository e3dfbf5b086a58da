#include "engine/journal/seal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace kiln::engine {

using base::ErrorCode;
using base::Result;

namespace {

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

/// A failure here is lack of memory or a library without AES: nothing can go on.
void must(bool done) {
  if (!done) std::abort();
}

}  // namespace

struct SecretBytes::Page {
  std::array<char, kKeyBytes> key;
};

SecretBytes::SecretBytes(std::string_view bytes) {
  must(bytes.size() == kKeyBytes);
  void* page = ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(page != MAP_FAILED);
  // A small limit of locked memory is no reason not to start: the key is then as safe as the rest of the process.
  (void)::mlock(page, sizeof(Page));
  (void)::madvise(page, sizeof(Page), MADV_DONTDUMP);
  page_ = new (page) Page;
  std::copy(bytes.begin(), bytes.end(), page_->key.begin());
}

SecretBytes::~SecretBytes() {
  OPENSSL_cleanse(page_->key.data(), page_->key.size());
  ::munmap(page_, sizeof(Page));
}

std::string_view SecretBytes::view() const {
  return {page_->key.data(), page_->key.size()};
}

struct Sealer::State {
  Context seal{EVP_CIPHER_CTX_new()}, open{EVP_CIPHER_CTX_new()};
  std::array<unsigned char, 256 * kSealNonceBytes> nonces;  ///< random bytes to come; one call gives many
  std::size_t used = sizeof nonces;
};

Sealer::Sealer(std::string_view key) : state_(std::make_unique<State>()) {
  must(key.size() == kKeyBytes);
  must(EVP_EncryptInit_ex(state_->seal.get(), EVP_aes_256_gcm(), nullptr, bytes_of(key), nullptr) == 1);
  must(EVP_DecryptInit_ex(state_->open.get(), EVP_aes_256_gcm(), nullptr, bytes_of(key), nullptr) == 1);
}
Sealer::Sealer(Sealer&&) noexcept = default;
Sealer& Sealer::operator=(Sealer&&) noexcept = default;
Sealer::~Sealer() = default;

std::string Sealer::seal_with(std::string_view nonce, std::string_view of, std::string_view text) {
  EVP_CIPHER_CTX* context = state_->seal.get();
  must(EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, bytes_of(nonce)) == 1);
  int written = 0;
  must(EVP_EncryptUpdate(context, nullptr, &written, bytes_of(of), static_cast<int>(of.size())) == 1);
  std::string out(text.size() + kSealOverhead, '\0');
  std::memcpy(out.data(), nonce.data(), kSealNonceBytes);
  unsigned char* at = bytes_of(out) + kSealNonceBytes;
  must(EVP_EncryptUpdate(context, at, &written, bytes_of(text), static_cast<int>(text.size())) == 1);
  at += text.size();
  must(EVP_EncryptFinal_ex(context, at, &written) == 1);
  must(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, kSealTagBytes, at) == 1);
  return out;
}

Result<std::string> Sealer::seal(std::string_view of, std::string_view text) {
  State& state = *state_;
  if (state.used == sizeof state.nonces) {
    if (RAND_bytes(state.nonces.data(), sizeof state.nonces) != 1)
      return base::fail(ErrorCode::internal, "no random bytes to encrypt a record with");
    state.used = 0;
  }
  const std::string_view nonce(reinterpret_cast<const char*>(state.nonces.data()) + state.used, kSealNonceBytes);
  state.used += kSealNonceBytes;
  return seal_with(nonce, of, text);
}

Result<std::string> Sealer::open(std::string_view of, std::string_view sealed) {
  if (sealed.size() < kSealOverhead) return base::fail(ErrorCode::corrupt_record, "an encrypted record is too short");
  EVP_CIPHER_CTX* context = state_->open.get();
  const std::string_view text = sealed.substr(kSealNonceBytes, sealed.size() - kSealOverhead);
  std::string tag(sealed.substr(sealed.size() - kSealTagBytes)), out(text.size(), '\0');
  must(EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, bytes_of(sealed)) == 1);
  int written = 0;
  must(EVP_DecryptUpdate(context, nullptr, &written, bytes_of(of), static_cast<int>(of.size())) == 1);
  must(EVP_DecryptUpdate(context, bytes_of(out), &written, bytes_of(text), static_cast<int>(text.size())) == 1);
  must(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, kSealTagBytes, tag.data()) == 1);
  unsigned char rest[kSealTagBytes];
  if (EVP_DecryptFinal_ex(context, rest, &written) != 1) {
    OPENSSL_cleanse(out.data(), out.size());
    return base::fail(ErrorCode::corrupt_record, "an encrypted record does not match its tag");
  }
  return out;
}

struct BlockCode::State {
  Context context{EVP_CIPHER_CTX_new()};
};

BlockCode::BlockCode(std::string_view key) : state_(std::make_unique<State>()) {
  must(key.size() == kKeyBytes);
  must(EVP_EncryptInit_ex(state_->context.get(), EVP_aes_256_ecb(), nullptr, bytes_of(key), nullptr) == 1);
  must(EVP_CIPHER_CTX_set_padding(state_->context.get(), 0) == 1);
}
BlockCode::BlockCode(BlockCode&&) noexcept = default;
BlockCode& BlockCode::operator=(BlockCode&&) noexcept = default;
BlockCode::~BlockCode() = default;

BlockCode::Block BlockCode::of(const Block& block) {
  Block out{};
  int written = 0;
  must(EVP_EncryptUpdate(state_->context.get(), out.data(), &written, block.data(), static_cast<int>(block.size())) == 1);
  return out;
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::string out(32, '\0');
  unsigned size = 0;
  must(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(text), text.size(), bytes_of(out), &size) != nullptr);
  return out;
}

}  // namespace kiln::engine
