#include "hl7/detail/scan.h"

#if defined(__x86_64__)
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 takes the deliberately undefined operands inside its own intrinsics for mistakes.
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#endif

namespace kiln::hl7::detail {

#if defined(__x86_64__)
namespace {

// AVX-512 with VBMI2: comparing gives the bits directly, and the offsets of a block are made at once.
#define KILN_AVX512 __attribute__((target("avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi,bmi2,popcnt")))

KILN_AVX512 inline __attribute__((always_inline)) __m512i load512(const char* p, std::size_t left) {
  if (left >= kBlockBytes) return _mm512_loadu_si512(p);
  return _mm512_maskz_loadu_epi8((std::uint64_t{1} << left) - 1, p);
}

KILN_AVX512 ScanSummary scan_avx512(const char* bytes, std::size_t size, char separator, char escape,
                                    ScanBlock* out) {
  const __m512i fields = _mm512_set1_epi8(separator), escapes = _mm512_set1_epi8(escape);
  const __m512i returns = _mm512_set1_epi8('\r'), line_feeds = _mm512_set1_epi8('\n');
  ScanSummary sum;
  const __m512i quotes = _mm512_set1_epi8('"');
  std::uint64_t lines = 0, feeds = 0, high = 0, quoted = 0;
  for (std::size_t at = 0; at < size; at += kBlockBytes) {
    const __m512i wide = load512(bytes + at, size - at);
    ScanBlock& block = *out++;
    block.cr = _mm512_cmpeq_epi8_mask(wide, returns);
    block.lf = _mm512_cmpeq_epi8_mask(wide, line_feeds);
    block.stops = _mm512_cmpeq_epi8_mask(wide, fields) | block.cr | block.lf;
    block.count = static_cast<std::uint32_t>(__builtin_popcountll(block.stops));
    sum.stops += block.count;
    lines |= block.cr;
    feeds |= block.lf;
    high |= _mm512_movepi8_mask(wide);
    quoted |= _mm512_cmpeq_epi8_mask(wide, quotes);
    sum.escapes += static_cast<std::size_t>(__builtin_popcountll(_mm512_cmpeq_epi8_mask(wide, escapes)));
  }
  sum.cr = lines != 0;
  sum.lf = feeds != 0;
  sum.high = high != 0;
  sum.quotes = quoted != 0;
  return sum;
}

KILN_AVX512 inline __attribute__((always_inline)) __m512i widen(__m512i offsets, int quarter) {
  switch (quarter) {
    case 0:
      return _mm512_cvtepu8_epi32(_mm512_castsi512_si128(offsets));
    case 1:
      return _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(offsets, 1));
    case 2:
      return _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(offsets, 2));
    default:
      return _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(offsets, 3));
  }
}

KILN_AVX512 inline __attribute__((always_inline)) std::uint32_t* write_bits512(std::uint64_t mask,
                                                                               __m512i iota,
                                                                               std::uint32_t base,
                                                                               std::uint32_t* out) {
  const auto count = static_cast<std::uint32_t>(__builtin_popcountll(mask));
  const __m512i offsets = _mm512_maskz_compress_epi8(mask, iota);
  const __m512i bases = _mm512_set1_epi32(static_cast<int>(base));
  _mm512_storeu_si512(out, _mm512_add_epi32(widen(offsets, 0), bases));
  if (count > 16) [[unlikely]] {
    _mm512_storeu_si512(out + 16, _mm512_add_epi32(widen(offsets, 1), bases));
    if (count > 32) {
      _mm512_storeu_si512(out + 32, _mm512_add_epi32(widen(offsets, 2), bases));
      if (count > 48) _mm512_storeu_si512(out + 48, _mm512_add_epi32(widen(offsets, 3), bases));
    }
  }
  return out + count;
}

KILN_AVX512 __m512i byte_numbers() {
  alignas(64) std::uint8_t numbers[kBlockBytes];
  for (std::size_t i = 0; i < kBlockBytes; ++i) numbers[i] = static_cast<std::uint8_t>(i);
  return _mm512_load_si512(numbers);
}

KILN_AVX512 void flatten_avx512(const ScanBlock* blocks, std::size_t count, std::uint32_t* out) {
  const __m512i iota = byte_numbers();
  for (std::size_t i = 0; i < count; ++i) {
    if (blocks[i].stops == 0) continue;
    out = write_bits512(blocks[i].stops, iota, static_cast<std::uint32_t>(i * kBlockBytes), out);
  }
}

KILN_AVX512 void cut_avx512(const char* bytes, std::size_t size, std::size_t from, std::size_t to,
                            const CutNeedles& needles, Cuts& cuts) {
  const __m512i iota = byte_numbers();
  const __m512i fields = _mm512_set1_epi8(needles.field), repetitions = _mm512_set1_epi8(needles.repetition);
  const __m512i components = _mm512_set1_epi8(needles.component);
  const __m512i subs = _mm512_set1_epi8(needles.subcomponent);
  const __m512i stride1 = _mm512_set1_epi8(kLevelStride), stride2 = _mm512_set1_epi8(2 * kLevelStride),
                stride3 = _mm512_set1_epi8(3 * kLevelStride);
  std::uint32_t* closes = cuts.closes + cuts.close_count;
  std::uint32_t* opens = cuts.opens + cuts.open_count;
  for (std::size_t at = from; at < to; at += kBlockBytes) {
    const __m512i wide = load512(bytes + at, to - at);
    const std::uint64_t field = _mm512_cmpeq_epi8_mask(wide, fields);
    const std::uint64_t repetition = _mm512_cmpeq_epi8_mask(wide, repetitions);
    const std::uint64_t component = _mm512_cmpeq_epi8_mask(wide, components);
    const std::uint64_t sub = _mm512_cmpeq_epi8_mask(wide, subs);
    const std::uint64_t all = field | repetition | component | sub;
    if (all == 0) continue;
    // A window that ends inside a block is the last one: then nothing stands behind it.
    const CutBits bits = cut_bits(field, all, bytes, size, at, needles.field);
    const auto base = static_cast<std::uint32_t>(at);
    closes = write_bits512(bits.closes, iota, base, closes);
    // The field's at last, because a level that does not exist has the field's character.
    __m512i levels = _mm512_maskz_mov_epi8(repetition, stride1);
    levels = _mm512_mask_mov_epi8(levels, component, stride2);
    levels = _mm512_mask_mov_epi8(levels, sub, stride3);
    _mm512_storeu_si512(cuts.levels + (opens - cuts.opens),
                        _mm512_maskz_compress_epi8(bits.opens, _mm512_maskz_mov_epi8(~field, levels)));
    opens = write_bits512(bits.opens, iota, base, opens);
  }
  cuts.close_count = static_cast<std::size_t>(closes - cuts.closes);
  cuts.open_count = static_cast<std::size_t>(opens - cuts.opens);
}

}  // namespace

const Scanner* scanner_avx512() {
  static const Scanner kAvx512{scan_avx512, flatten_avx512, cut_avx512};
  const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
                   __builtin_cpu_supports("bmi2");
  return has ? &kAvx512 : nullptr;
}

#else

const Scanner* scanner_avx512() {
  return nullptr;
}

#endif

}  // namespace kiln::hl7::detail
