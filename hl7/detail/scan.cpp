#include "hl7/detail/scan.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace kiln::hl7::detail {
namespace {

ScanCounts count_scalar(const char* bytes, std::size_t size, char separator, char escape) {
  ScanCounts counts;
  for (std::size_t i = 0; i < size; ++i) {
    const char c = bytes[i];
    counts.marks += c == separator || c == '\r' || c == '\n';
    counts.escapes += c == escape;
    counts.high |= static_cast<unsigned char>(c) > 0x7F;
  }
  return counts;
}

std::size_t marks_scalar(const char* bytes, std::size_t from, std::size_t size, char separator,
                         std::uint32_t* out) {
  std::size_t found = 0;
  for (std::size_t i = from; i < size; ++i) {
    const char c = bytes[i];
    if (c == separator || c == '\r' || c == '\n') out[found++] = static_cast<std::uint32_t>(i);
  }
  return found;
}

#if defined(__x86_64__)

void add(ScanCounts& total, const ScanCounts& more) {
  total.marks += more.marks;
  total.escapes += more.escapes;
  total.high |= more.high;
}

std::size_t write_bits(std::uint64_t mask, std::size_t base, std::uint32_t* out) {
  std::size_t found = 0;
  for (; mask != 0; mask &= mask - 1) {
    out[found++] = static_cast<std::uint32_t>(base + static_cast<std::size_t>(__builtin_ctzll(mask)));
  }
  return found;
}

struct Needles128 {
  __m128i separator, cr, lf;
  explicit Needles128(char c)
      : separator(_mm_set1_epi8(c)), cr(_mm_set1_epi8('\r')), lf(_mm_set1_epi8('\n')) {}
  std::uint32_t mask(__m128i block) const {
    const __m128i line = _mm_or_si128(_mm_cmpeq_epi8(block, cr), _mm_cmpeq_epi8(block, lf));
    return static_cast<std::uint32_t>(
        _mm_movemask_epi8(_mm_or_si128(line, _mm_cmpeq_epi8(block, separator))));
  }
};

__m128i load128(const char* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

ScanCounts count_sse2(const char* bytes, std::size_t size, char separator, char escape) {
  const Needles128 needles(separator);
  const __m128i escapes = _mm_set1_epi8(escape);
  ScanCounts counts;
  int high = 0;
  std::size_t i = 0;
  for (; i + 16 <= size; i += 16) {
    const __m128i block = load128(bytes + i);
    counts.marks += static_cast<std::size_t>(__builtin_popcount(needles.mask(block)));
    const auto escape_mask = static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(block, escapes)));
    counts.escapes += static_cast<std::size_t>(__builtin_popcount(escape_mask));
    high |= _mm_movemask_epi8(block);
  }
  counts.high = high != 0;
  add(counts, count_scalar(bytes + i, size - i, separator, escape));
  return counts;
}

std::size_t marks_sse2(const char* bytes, std::size_t from, std::size_t size, char separator,
                       std::uint32_t* out) {
  const Needles128 needles(separator);
  std::size_t found = 0, i = from;
  for (; i + 64 <= size; i += 64) {
    std::uint64_t mask = 0;
    for (unsigned part = 0; part < 4; ++part) {
      mask |= static_cast<std::uint64_t>(needles.mask(load128(bytes + i + 16 * part))) << (16 * part);
    }
    found += write_bits(mask, i, out + found);
  }
  return found + marks_scalar(bytes, i, size, separator, out + found);
}

#define KILN_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))

struct Needles256 {
  __m256i separator, cr, lf;
};
KILN_AVX2 Needles256 needles256(char c) {
  return {_mm256_set1_epi8(c), _mm256_set1_epi8('\r'), _mm256_set1_epi8('\n')};
}
KILN_AVX2 __m256i load256(const char* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
KILN_AVX2 std::uint32_t mask256(const Needles256& needles, __m256i block) {
  const __m256i line =
      _mm256_or_si256(_mm256_cmpeq_epi8(block, needles.cr), _mm256_cmpeq_epi8(block, needles.lf));
  return static_cast<std::uint32_t>(
      _mm256_movemask_epi8(_mm256_or_si256(line, _mm256_cmpeq_epi8(block, needles.separator))));
}

KILN_AVX2 ScanCounts count_avx2(const char* bytes, std::size_t size, char separator, char escape) {
  const Needles256 needles = needles256(separator);
  const __m256i escapes = _mm256_set1_epi8(escape);
  ScanCounts counts;
  __m256i high = _mm256_setzero_si256();
  std::size_t i = 0;
  for (; i + 32 <= size; i += 32) {
    const __m256i block = load256(bytes + i);
    counts.marks += static_cast<std::size_t>(__builtin_popcount(mask256(needles, block)));
    const auto escape_mask =
        static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(block, escapes)));
    counts.escapes += static_cast<std::size_t>(__builtin_popcount(escape_mask));
    high = _mm256_or_si256(high, block);
  }
  counts.high = _mm256_movemask_epi8(high) != 0;
  add(counts, count_scalar(bytes + i, size - i, separator, escape));
  return counts;
}

KILN_AVX2 std::size_t marks_avx2(const char* bytes, std::size_t from, std::size_t size, char separator,
                                 std::uint32_t* out) {
  const Needles256 needles = needles256(separator);
  std::size_t found = 0, i = from;
  for (; i + 64 <= size; i += 64) {
    std::uint64_t mask = mask256(needles, load256(bytes + i)) |
                         static_cast<std::uint64_t>(mask256(needles, load256(bytes + i + 32))) << 32;
    for (; mask != 0; mask &= mask - 1) {
      out[found++] = static_cast<std::uint32_t>(i + static_cast<std::size_t>(__builtin_ctzll(mask)));
    }
  }
  return found + marks_scalar(bytes, i, size, separator, out + found);
}

#endif

const Scanner kScalar{count_scalar, marks_scalar};

}  // namespace

const Scanner& scanner(ScanMode mode) {
#if defined(__x86_64__)
  static const Scanner kSse2{count_sse2, marks_sse2};
  static const Scanner kAvx2{count_avx2, marks_avx2};
  static const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
  if (mode == ScanMode::scalar) return kScalar;
  return mode != ScanMode::sse2 && has_avx2 ? kAvx2 : kSse2;
#else
  static_cast<void>(mode);
  return kScalar;
#endif
}

}  // namespace kiln::hl7::detail
