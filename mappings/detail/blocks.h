#pragma once
// Looking at 16 bytes at once: where a delimiter is, whether a JSON string needs escapes.

#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace kiln::mappings::detail {

#if defined(__SSE2__)

/// 16 bytes of a text.
class Block {
 public:
  static constexpr std::uint32_t kBytes = 16;
  static Block load(const char* from) {
    return Block(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  static Block of(std::uint64_t low, std::uint64_t high) {
    return Block(_mm_set_epi64x(static_cast<std::int64_t>(high), static_cast<std::int64_t>(low)));
  }
  void store(char* to) const { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes_); }
  /// Bit n: byte n is `c`.
  std::uint32_t equal(char c) const {
    return static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes_, _mm_set1_epi8(c))));
  }
  /// Some byte cannot stand in a JSON string as it is.
  bool needs_escape() const {
    const __m128i last_control = _mm_set1_epi8(0x1F);
    const __m128i control = _mm_cmpeq_epi8(_mm_max_epu8(bytes_, last_control), last_control);
    const __m128i quote = _mm_cmpeq_epi8(bytes_, _mm_set1_epi8('"'));
    const __m128i slash = _mm_cmpeq_epi8(bytes_, _mm_set1_epi8('\\'));
    return _mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, slash))) != 0;
  }

 private:
  explicit Block(__m128i bytes) : bytes_(bytes) {}
  __m128i bytes_;
};

#else

class Block {
 public:
  static constexpr std::uint32_t kBytes = 16;
  static Block load(const char* from) {
    Block block;
    std::memcpy(block.bytes_, from, kBytes);
    return block;
  }
  static Block of(std::uint64_t low, std::uint64_t high) {
    Block block;
    std::memcpy(block.bytes_, &low, 8);
    std::memcpy(block.bytes_ + 8, &high, 8);
    return block;
  }
  void store(char* to) const { std::memcpy(to, bytes_, kBytes); }
  std::uint32_t equal(char c) const {
    std::uint32_t mask = 0;
    for (std::uint32_t i = 0; i < kBytes; ++i) mask |= static_cast<std::uint32_t>(bytes_[i] == c) << i;
    return mask;
  }
  bool needs_escape() const {
    bool special = false;
    for (const char c : bytes_) special |= static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
    return special;
  }

 private:
  char bytes_[kBytes];
};

#endif

}  // namespace kiln::mappings::detail
