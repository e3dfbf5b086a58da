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
  /// Every byte is unreserved in a URL (RFC 3986 section 2.3).
  bool is_unreserved() const {
    const auto between = [](__m128i bytes, char first, char last) {
      const __m128i from_first = _mm_sub_epi8(bytes, _mm_set1_epi8(first));
      const auto most = static_cast<char>(last - first);
      return _mm_cmpeq_epi8(_mm_min_epu8(from_first, _mm_set1_epi8(most)), from_first);
    };
    const __m128i letter = between(_mm_or_si128(bytes_, _mm_set1_epi8(0x20)), 'a', 'z');
    const __m128i digit = _mm_or_si128(between(bytes_, '0', '9'), between(bytes_, '-', '.'));
    const __m128i other =
        _mm_or_si128(_mm_cmpeq_epi8(bytes_, _mm_set1_epi8('_')), _mm_cmpeq_epi8(bytes_, _mm_set1_epi8('~')));
    return _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(letter, digit), other)) == 0xFFFF;
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
  bool is_unreserved() const {
    bool all = true;
    for (const char c : bytes_) {
      const char small = static_cast<char>(c | 0x20);
      all &= (small >= 'a' && small <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
             c == '~';
    }
    return all;
  }

 private:
  char bytes_[kBytes];
};

#endif

/// Bit n: ascending numbers n and n + 1 differ by more than 1. There are `gaps` + 1 numbers, at most 64 gaps.
inline std::uint64_t wide_gaps(const std::uint32_t* numbers, std::size_t gaps) {
  std::uint64_t wide = 0;
  std::size_t at = 0;
#if defined(__SSE2__)
  for (; at + 4 <= gaps; at += 4) {
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(numbers + at));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(numbers + at + 1));
    const __m128i more = _mm_cmpgt_epi32(_mm_sub_epi32(high, low), _mm_set1_epi32(1));
    wide |= static_cast<std::uint64_t>(_mm_movemask_ps(_mm_castsi128_ps(more))) << at;
  }
#endif
  for (; at < gaps; ++at) wide |= std::uint64_t{numbers[at + 1] > numbers[at] + 1} << at;
  return wide;
}

}  // namespace kiln::mappings::detail
