#include "mappings/detail/sha1.h"

#include <bit>
#include <cstring>
#include <string>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace kiln::mappings::detail {
namespace {

using State = std::array<std::uint32_t, 5>;
constexpr State kStart = {0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u};

std::uint32_t big_endian(const unsigned char* at) {
  return static_cast<std::uint32_t>(at[0]) << 24 | static_cast<std::uint32_t>(at[1]) << 16 |
         static_cast<std::uint32_t>(at[2]) << 8 | at[3];
}

void block_plain(State& state, const unsigned char* data) {
  std::uint32_t w[80];
  for (int i = 0; i < 16; ++i) w[i] = big_endian(data + 4 * i);
  for (int i = 16; i < 80; ++i) w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  std::uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
  for (int i = 0; i < 80; ++i) {
    std::uint32_t f = 0, k = 0;
    if (i < 20) {
      f = (b & c) | (~b & d);
      k = 0x5A827999u;
    } else if (i < 40) {
      f = b ^ c ^ d;
      k = 0x6ED9EBA1u;
    } else if (i < 60) {
      f = (b & c) | (b & d) | (c & d);
      k = 0x8F1BBCDCu;
    } else {
      f = b ^ c ^ d;
      k = 0xCA62C1D6u;
    }
    const std::uint32_t next = std::rotl(a, 5) + f + e + k + w[i];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
}

#if defined(__x86_64__)
bool has_sha_instructions() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & (1u << 29))) return false;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1) && (c & bit_SSSE3);
}

template <int kFunction>
__attribute__((target("sha,sse4.1,ssse3"), always_inline)) inline void four_rounds(__m128i& abcd, __m128i& e,
                                                                                   __m128i message,
                                                                                   bool first) {
  const __m128i mixed = first ? _mm_add_epi32(e, message) : _mm_sha1nexte_epu32(e, message);
  e = abcd;
  abcd = _mm_sha1rnds4_epu32(abcd, mixed, kFunction);
}

__attribute__((target("sha,sse4.1,ssse3"))) void block_sha(State& state, const unsigned char* data) {
  const __m128i swap = _mm_set_epi64x(0x0001020304050607ll, 0x08090A0B0C0D0E0Fll);
  __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(state.data())), 0x1B);
  const __m128i abcd_before = abcd;
  __m128i e = _mm_set_epi32(static_cast<int>(state[4]), 0, 0, 0);
  const __m128i e_before = e;
  __m128i w[4];
  for (int i = 0; i < 4; ++i) {
    w[i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(data + 16 * i)), swap);
  }
  // Twenty groups of four rounds; the schedule of group g >= 4 comes from the four groups before it.
#pragma GCC unroll 20
  for (int g = 0; g < 20; ++g) {
    __m128i& now = w[g & 3];
    if (g >= 4) {
      now = _mm_sha1msg1_epu32(now, w[(g + 1) & 3]);
      now = _mm_xor_si128(now, w[(g + 2) & 3]);
      now = _mm_sha1msg2_epu32(now, w[(g + 3) & 3]);
    }
    if (g < 5) {
      four_rounds<0>(abcd, e, now, g == 0);
    } else if (g < 10) {
      four_rounds<1>(abcd, e, now, false);
    } else if (g < 15) {
      four_rounds<2>(abcd, e, now, false);
    } else {
      four_rounds<3>(abcd, e, now, false);
    }
  }
  e = _mm_sha1nexte_epu32(e, e_before);
  abcd = _mm_add_epi32(abcd, abcd_before);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state.data()), _mm_shuffle_epi32(abcd, 0x1B));
  state[4] = static_cast<std::uint32_t>(_mm_extract_epi32(e, 3));
}
#endif

using Block = void (*)(State&, const unsigned char*);

std::array<unsigned char, 20> digest(std::string_view bytes, Block block) {
  State state = kStart;
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t left = bytes.size();
  for (; left >= 64; left -= 64, data += 64) block(state, data);
  unsigned char tail[128] = {};
  if (left > 0) std::memcpy(tail, data, left);
  tail[left] = 0x80;
  const std::size_t total = left < 56 ? 64 : 128;
  const std::uint64_t bits = static_cast<std::uint64_t>(bytes.size()) * 8;
  for (std::size_t i = 0; i < 8; ++i) tail[total - 1 - i] = static_cast<unsigned char>(bits >> (8 * i));
  block(state, tail);
  if (total == 128) block(state, tail + 64);
  std::array<unsigned char, 20> out{};
  for (std::size_t i = 0; i < 20; ++i)
    out[i] = static_cast<unsigned char>(state[i / 4] >> (24 - 8 * (i % 4)));
  return out;
}

// 3b0a8b6e-6d2f-5c43-9a55-0c7c5f3e1d21: the namespace of every id that Kiln derives.
constexpr char kNamespace[] = "\x3b\x0a\x8b\x6e\x6d\x2f\x5c\x43\x9a\x55\x0c\x7c\x5f\x3e\x1d\x21";

}  // namespace

std::array<unsigned char, 20> sha1_plain(std::string_view bytes) {
  return digest(bytes, block_plain);
}

std::array<unsigned char, 20> sha1(std::string_view bytes) {
#if defined(__x86_64__)
  static const Block best = has_sha_instructions() ? block_sha : block_plain;
  return digest(bytes, best);
#else
  return digest(bytes, block_plain);
#endif
}

void uuid5_into(std::string_view name, char* out) {
  char buffer[512];
  std::string large;
  std::string_view seed;
  if (name.size() <= sizeof buffer - 16) {
    std::memcpy(buffer, kNamespace, 16);
    std::memcpy(buffer + 16, name.data(), name.size());
    seed = {buffer, 16 + name.size()};
  } else {
    large.assign(kNamespace, 16).append(name);
    seed = large;
  }
  std::array<unsigned char, 20> hash = sha1(seed);
  hash[6] = static_cast<unsigned char>((hash[6] & 0x0F) | 0x50);
  hash[8] = static_cast<unsigned char>((hash[8] & 0x3F) | 0x80);
  constexpr char kHex[] = "0123456789abcdef";
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
    *out++ = kHex[hash[i] >> 4];
    *out++ = kHex[hash[i] & 15];
  }
}

}  // namespace kiln::mappings::detail
