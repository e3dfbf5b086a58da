#include "hl7/detail/scan.h"

#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace kiln::hl7::detail {
namespace {

ScanSummary scan_scalar(const char* bytes, std::size_t size, char separator, char escape, ScanBlock* out) {
  ScanSummary sum;
  for (std::size_t at = 0; at < size; at += kBlockBytes) {
    ScanBlock block{};
    for (std::size_t i = 0; i < kBlockBytes && at + i < size; ++i) {
      const char c = bytes[at + i];
      const std::uint64_t bit = std::uint64_t{1} << i;
      if (c == '\r') block.cr |= bit;
      if (c == '\n') block.lf |= bit;
      if (c == separator || c == '\r' || c == '\n') {
        block.stops |= bit;
        ++block.count;
      }
      sum.escapes += c == escape;
      sum.high |= static_cast<unsigned char>(c) > 0x7F;
      sum.quotes |= c == '"';
    }
    sum.stops += block.count;
    sum.cr |= block.cr != 0;
    sum.lf |= block.lf != 0;
    *out++ = block;
  }
  return sum;
}

void flatten_scalar(const ScanBlock* blocks, std::size_t count, std::uint32_t* out) {
  for (std::size_t i = 0; i < count; ++i) {
    for (std::uint64_t mask = blocks[i].stops; mask != 0; mask &= mask - 1) {
      *out++ = static_cast<std::uint32_t>(i * kBlockBytes + static_cast<std::size_t>(std::countr_zero(mask)));
    }
  }
}

/// The field's comes first: a level that does not exist has its character.
std::uint8_t level_of(char c, const CutNeedles& needles) {
  const int level = c == needles.field ? 0 : c == needles.repetition ? 1 : c == needles.component ? 2 : 3;
  return static_cast<std::uint8_t>(level * kLevelStride);
}

void cut_scalar(const char* bytes, std::size_t size, std::size_t from, std::size_t to,
                const CutNeedles& needles, Cuts& cuts) {
  for (std::size_t i = from; i < to; ++i) {
    const char c = bytes[i];
    const bool field = c == needles.field;
    if (!field && c != needles.repetition && c != needles.component && c != needles.subcomponent) continue;
    const auto at = static_cast<std::uint32_t>(i);
    if (!field || i == 0 || bytes[i - 1] != needles.field) cuts.closes[cuts.close_count++] = at;
    if (!field || i + 1 >= size || bytes[i + 1] != needles.field) {
      cuts.levels[cuts.open_count] = level_of(c, needles);
      cuts.opens[cuts.open_count++] = at;
    }
  }
}

#if defined(__x86_64__)

// The vector code is written once for both widths: `Wide` is four 16-byte or two 32-byte registers.

#define KILN_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define KILN_INLINE inline __attribute__((always_inline))

struct Wide128 {
  __m128i part[4];
};
KILN_INLINE Wide128 load128(const char* p) {
  Wide128 wide;
  for (int i = 0; i < 4; ++i) wide.part[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p) + i);
  return wide;
}
KILN_INLINE std::uint64_t bits128(const Wide128& hits) {
  std::uint64_t mask = 0;
  for (int i = 0; i < 4; ++i) {
    mask |= static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm_movemask_epi8(hits.part[i])))
            << (16 * i);
  }
  return mask;
}
KILN_INLINE std::uint64_t equal128(const Wide128& wide, __m128i needle) {
  Wide128 hits;
  for (int i = 0; i < 4; ++i) hits.part[i] = _mm_cmpeq_epi8(wide.part[i], needle);
  return bits128(hits);
}

void finish(ScanBlock& block, ScanSummary& sum, std::uint64_t field, std::uint64_t& lines,
            std::uint64_t& feeds) {
  block.stops = field | block.cr | block.lf;
  block.count = static_cast<std::uint32_t>(std::popcount(block.stops));
  sum.stops += block.count;
  lines |= block.cr;
  feeds |= block.lf;
}

ScanSummary scan_sse2(const char* bytes, std::size_t size, char separator, char escape, ScanBlock* out) {
  const __m128i fields = _mm_set1_epi8(separator), escapes = _mm_set1_epi8(escape);
  const __m128i returns = _mm_set1_epi8('\r'), line_feeds = _mm_set1_epi8('\n');
  ScanSummary sum;
  const __m128i quotes = _mm_set1_epi8('"');
  std::uint64_t lines = 0, feeds = 0, high = 0, quoted = 0;
  char tail[kBlockBytes];
  for (std::size_t at = 0; at < size; at += kBlockBytes) {
    const char* from = bytes + at;
    if (size - at < kBlockBytes) {
      std::memset(tail, 0, sizeof tail);
      std::memcpy(tail, from, size - at);
      from = tail;
    }
    const Wide128 wide = load128(from);
    ScanBlock& block = *out++;
    block.cr = equal128(wide, returns);
    block.lf = equal128(wide, line_feeds);
    finish(block, sum, equal128(wide, fields), lines, feeds);
    sum.escapes += static_cast<std::size_t>(std::popcount(equal128(wide, escapes)));
    high |= bits128(wide);
    quoted |= equal128(wide, quotes);
  }
  sum.cr = lines != 0;
  sum.lf = feeds != 0;
  sum.high = high != 0;
  sum.quotes = quoted != 0;
  return sum;
}

KILN_AVX2 std::uint64_t bits256(__m256i low, __m256i high) {
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(low)) |
         static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm256_movemask_epi8(high))) << 32;
}
KILN_AVX2 std::uint64_t equal256(__m256i low, __m256i high, __m256i needle) {
  return bits256(_mm256_cmpeq_epi8(low, needle), _mm256_cmpeq_epi8(high, needle));
}
KILN_AVX2 __m256i load256(const char* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

KILN_AVX2 ScanSummary scan_avx2(const char* bytes, std::size_t size, char separator, char escape,
                                ScanBlock* out) {
  const __m256i fields = _mm256_set1_epi8(separator), escapes = _mm256_set1_epi8(escape);
  const __m256i returns = _mm256_set1_epi8('\r'), line_feeds = _mm256_set1_epi8('\n');
  ScanSummary sum;
  std::uint64_t lines = 0, feeds = 0;
  const __m256i quotes = _mm256_set1_epi8('"');
  __m256i all = _mm256_setzero_si256(), quoted = all;
  char tail[kBlockBytes];
  for (std::size_t at = 0; at < size; at += kBlockBytes) {
    const char* from = bytes + at;
    if (size - at < kBlockBytes) {
      std::memset(tail, 0, sizeof tail);
      std::memcpy(tail, from, size - at);
      from = tail;
    }
    const __m256i low = load256(from), high = load256(from + 32);
    ScanBlock& block = *out++;
    block.cr = equal256(low, high, returns);
    block.lf = equal256(low, high, line_feeds);
    block.stops = equal256(low, high, fields) | block.cr | block.lf;
    block.count = static_cast<std::uint32_t>(__builtin_popcountll(block.stops));
    sum.stops += block.count;
    lines |= block.cr;
    feeds |= block.lf;
    sum.escapes += static_cast<std::size_t>(__builtin_popcountll(equal256(low, high, escapes)));
    all = _mm256_or_si256(all, _mm256_or_si256(low, high));
    quoted = _mm256_or_si256(
        quoted, _mm256_or_si256(_mm256_cmpeq_epi8(low, quotes), _mm256_cmpeq_epi8(high, quotes)));
  }
  sum.cr = lines != 0;
  sum.lf = feeds != 0;
  sum.high = _mm256_movemask_epi8(all) != 0;
  sum.quotes = _mm256_movemask_epi8(quoted) != 0;
  return sum;
}

/// Eight at a time and without looking at the count in between: the loop's exit is what costs.
KILN_AVX2 std::uint32_t* write_bits(std::uint64_t mask, std::uint32_t base, std::uint32_t* out) {
  const auto count = static_cast<std::uint32_t>(__builtin_popcountll(mask));
  for (std::uint32_t done = 0; done < count; done += 8) {
    for (int i = 0; i < 8; ++i) {
      out[done + static_cast<std::uint32_t>(i)] = base + static_cast<std::uint32_t>(_tzcnt_u64(mask));
      mask = _blsr_u64(mask);
    }
  }
  return out + count;
}

KILN_AVX2 void flatten_avx2(const ScanBlock* blocks, std::size_t count, std::uint32_t* out) {
  for (std::size_t i = 0; i < count; ++i) {
    out = write_bits(blocks[i].stops, static_cast<std::uint32_t>(i * kBlockBytes), out);
  }
}

/// Of the opens from number `first` on. Comparisons without branches: which delimiter comes cannot be
/// predicted.
KILN_INLINE void add_levels(const char* bytes, const CutNeedles& needles, std::size_t first, Cuts& cuts) {
  for (std::size_t i = first; i < cuts.open_count; ++i) {
    const char c = bytes[cuts.opens[i]];
    const int level =
        (c == needles.repetition) + 2 * (c == needles.component) + 3 * (c == needles.subcomponent);
    cuts.levels[i] = static_cast<std::uint8_t>((c == needles.field ? 0 : level) * kLevelStride);
  }
}

void cut_sse2(const char* bytes, std::size_t size, std::size_t from, std::size_t to,
              const CutNeedles& needles, Cuts& cuts) {
  const __m128i fields = _mm_set1_epi8(needles.field), repetitions = _mm_set1_epi8(needles.repetition);
  const __m128i components = _mm_set1_epi8(needles.component), subs = _mm_set1_epi8(needles.subcomponent);
  std::size_t at = from;
  for (; at + kBlockBytes <= to; at += kBlockBytes) {
    const Wide128 wide = load128(bytes + at);
    const std::uint64_t field = equal128(wide, fields);
    const std::uint64_t all =
        field | equal128(wide, repetitions) | equal128(wide, components) | equal128(wide, subs);
    const CutBits bits = cut_bits(field, all, bytes, size, at, needles.field);
    for (std::uint64_t m = bits.closes; m != 0; m &= m - 1)
      cuts.closes[cuts.close_count++] =
          static_cast<std::uint32_t>(at) + static_cast<std::uint32_t>(std::countr_zero(m));
    const std::size_t first = cuts.open_count;
    for (std::uint64_t m = bits.opens; m != 0; m &= m - 1)
      cuts.opens[cuts.open_count++] =
          static_cast<std::uint32_t>(at) + static_cast<std::uint32_t>(std::countr_zero(m));
    add_levels(bytes, needles, first, cuts);
  }
  cut_scalar(bytes, size, at, to, needles, cuts);
}

KILN_AVX2 void cut_avx2(const char* bytes, std::size_t size, std::size_t from, std::size_t to,
                        const CutNeedles& needles, Cuts& cuts) {
  const __m256i fields = _mm256_set1_epi8(needles.field), repetitions = _mm256_set1_epi8(needles.repetition);
  const __m256i components = _mm256_set1_epi8(needles.component);
  const __m256i subs = _mm256_set1_epi8(needles.subcomponent);
  std::size_t at = from;
  for (; at + kBlockBytes <= to; at += kBlockBytes) {
    const __m256i low = load256(bytes + at), high = load256(bytes + at + 32);
    const std::uint64_t field = equal256(low, high, fields);
    const std::uint64_t all = field | equal256(low, high, repetitions) | equal256(low, high, components) |
                              equal256(low, high, subs);
    if (all == 0) continue;
    const CutBits bits = cut_bits(field, all, bytes, size, at, needles.field);
    const auto base = static_cast<std::uint32_t>(at);
    std::uint32_t* const closes = write_bits(bits.closes, base, cuts.closes + cuts.close_count);
    cuts.close_count = static_cast<std::size_t>(closes - cuts.closes);
    std::uint32_t* const opens = write_bits(bits.opens, base, cuts.opens + cuts.open_count);
    const std::size_t first = cuts.open_count;
    cuts.open_count = static_cast<std::size_t>(opens - cuts.opens);
    add_levels(bytes, needles, first, cuts);
  }
  cut_scalar(bytes, size, at, to, needles, cuts);
}

#endif

const Scanner kScalar{scan_scalar, flatten_scalar, cut_scalar};

}  // namespace

const Scanner& scanner(ScanMode mode) {
#if defined(__x86_64__)
  static const Scanner kSse2{scan_sse2, flatten_scalar, cut_sse2};
  static const Scanner kAvx2{scan_avx2, flatten_avx2, cut_avx2};
  static const Scanner* const avx512 = scanner_avx512();
  static const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
  if (mode == ScanMode::scalar) return kScalar;
  if (avx512 != nullptr && (mode == ScanMode::best || mode == ScanMode::avx512)) return *avx512;
  return mode != ScanMode::sse2 && has_avx2 ? kAvx2 : kSse2;
#else
  static_cast<void>(mode);
  return kScalar;
#endif
}

}  // namespace kiln::hl7::detail
