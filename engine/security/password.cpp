#include "engine/security/password.h"

#include <argon2.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <set>

#include "engine/base/http_message.h"
#include "engine/base/text.h"
#include "engine/limits.h"
#include "engine/security/random_key.h"

namespace kiln::engine {
namespace {

constexpr std::uint32_t kMemoryKib = 19'456, kPasses = 2, kLanes = 1;
constexpr std::size_t kSaltBytes = 16, kHashBytes = 32;
constexpr std::size_t kTotpSecretBytes = 20;
constexpr std::int64_t kStepSeconds = 30;
constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

base::Result<std::string> hash_with(std::string_view password, const std::string& salt) {
  std::array<char, 256> out{};
  const int failed = argon2id_hash_encoded(kPasses, kMemoryKib, kLanes, password.data(), password.size(),
                                           salt.data(), salt.size(), kHashBytes, out.data(), out.size());
  if (failed != ARGON2_OK) return base::fail(base::ErrorCode::internal, "the password could not be hashed");
  return std::string(out.data());
}

bool base32_decode(std::string_view text, std::string& out) {
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::size_t value = kBase32.find(c);
    if (value == std::string_view::npos) return false;
    bits = (bits << 5) | static_cast<std::uint32_t>(value);
    count += 5;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>((bits >> count) & 0xff);
  }
  return !out.empty();
}

}  // namespace

base::Result<std::string> hash_password(std::string_view password) {
  TRY(const std::string salt, random_key(kSaltBytes));
  return hash_with(password, salt);
}

bool verify_password(std::string_view password, const std::string& hash) {
  if (!hash.starts_with("$argon2id$")) return false;
  return argon2id_verify(hash.c_str(), password.data(), password.size()) == ARGON2_OK;
}

const std::string& nobodys_hash() {
  // Any salt serves: no password leads to a session with it.
  static const std::string hash =
      hash_with(std::string(kHashBytes, '\x01'), std::string(kSaltBytes, '\x02')).value_or("");
  return hash;
}

base::Status check_password(std::string_view password, std::string_view user) {
  using base::ErrorCode;
  if (password.size() < limits::kPasswordBytesMin)
    return base::fail(ErrorCode::password_weak, {}, {},
                      "at least " + std::to_string(limits::kPasswordBytesMin) + " characters");
  if (password.size() > limits::kPasswordBytesMax)
    return base::fail(ErrorCode::password_weak, "the password is too long", {},
                      "at most " + std::to_string(limits::kPasswordBytesMax) + " bytes");
  const std::string lower = base::lower_ascii(password);
  if (!user.empty() && lower.find(base::lower_ascii(user)) != std::string::npos)
    return base::fail(ErrorCode::password_weak, "the password holds the name of the account");
  constexpr std::size_t kDifferent = 5;
  if (std::set<char>(lower.begin(), lower.end()).size() < kDifferent)
    return base::fail(ErrorCode::password_weak, "the password repeats a few characters");
  return {};
}

base::Result<std::string> new_totp_secret() {
  TRY(const std::string key, random_key(kTotpSecretBytes));
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : key) {
    bits = (bits << 8) | static_cast<unsigned char>(c);
    for (count += 8; count >= 5; count -= 5) out += kBase32[(bits >> (count - 5)) & 31];
  }
  return out;
}

std::string totp_code(std::string_view secret, std::uint64_t step) {
  std::string key;
  if (!base32_decode(secret, key)) return {};
  std::array<unsigned char, 8> counter{};
  for (std::size_t i = 0; i < counter.size(); ++i)
    counter[i] = static_cast<unsigned char>(step >> (8 * (counter.size() - 1 - i)));
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned int size = 0;
  if (HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()), counter.data(), counter.size(), mac.data(),
           &size) == nullptr)
    return {};
  const std::size_t at = mac[size - 1] & 15;  // dynamic truncation, RFC 4226 §5.3
  const std::uint32_t number = (static_cast<std::uint32_t>(mac[at] & 0x7f) << 24) |
                               (static_cast<std::uint32_t>(mac[at + 1]) << 16) |
                               (static_cast<std::uint32_t>(mac[at + 2]) << 8) | mac[at + 3];
  std::string digits = std::to_string(number % 1'000'000);
  return std::string(6 - digits.size(), '0') + digits;
}

std::uint64_t find_totp_step(std::string_view secret, std::string_view code, std::int64_t unix_seconds,
                             std::uint64_t after) {
  const std::uint64_t now = static_cast<std::uint64_t>(unix_seconds / kStepSeconds);
  std::uint64_t found = 0;
  for (std::uint64_t step = now - 1; step <= now + 1; ++step)
    if (equals_in_constant_time(totp_code(secret, step), code) && step > after) found = step;
  return found;
}

std::string totp_uri(std::string_view secret, std::string_view user) {
  return "otpauth://totp/Kiln:" + base::percent_encode(user) + "?secret=" + std::string(secret) +
         "&issuer=Kiln&algorithm=SHA1&digits=6&period=30";
}

bool equals_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace kiln::engine
