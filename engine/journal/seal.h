#pragma once
// AES-256-GCM (NIST SP 800-38D) for records of the journal and for keys (security.md §7).

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace kiln::engine {

inline constexpr std::size_t kKeyBytes = 32;
inline constexpr std::size_t kSealNonceBytes = 12, kSealTagBytes = 16;
/// What sealing adds to a text.
inline constexpr std::size_t kSealOverhead = kSealNonceBytes + kSealTagBytes;

/// 32 bytes that are not swapped out, not in a core dump, and wiped when they go.
class SecretBytes {
 public:
  /// `bytes` is kKeyBytes long.
  explicit SecretBytes(std::string_view bytes);
  ~SecretBytes();
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  std::string_view view() const;

 private:
  struct Page;
  Page* page_;
};

/// One key in use. A sealed text is a nonce of 12 random bytes, the cipher text, and the tag of 16 bytes. One thread at a time.
class Sealer {
 public:
  explicit Sealer(std::string_view key);
  Sealer(Sealer&&) noexcept;
  Sealer& operator=(Sealer&&) noexcept;
  ~Sealer();

  /// `of` says what the text is and where it belongs; it must be the same when it is opened. Error: internal, when the
  /// operating system has no random bytes.
  base::Result<std::string> seal(std::string_view of, std::string_view text);
  /// Error: corrupt_record, when one bit of it or of `of` is another, or the key is.
  base::Result<std::string> open(std::string_view of, std::string_view sealed);
  /// With a nonce of the caller's choice, for test vectors.
  std::string seal_with(std::string_view nonce, std::string_view of, std::string_view text);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// AES-256 of single blocks: a code of 16 bytes that is the same each time and tells nothing of them without the key. One thread at
/// a time.
class BlockCode {
 public:
  using Block = std::array<unsigned char, 16>;
  explicit BlockCode(std::string_view key);
  BlockCode(BlockCode&&) noexcept;
  BlockCode& operator=(BlockCode&&) noexcept;
  ~BlockCode();
  Block of(const Block& block);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// HMAC-SHA-256 (RFC 2104), 32 raw bytes.
std::string hmac_sha256(std::string_view key, std::string_view text);

}  // namespace kiln::engine
