#include "mappings/detail/sha1.h"

#include <bit>
#include <cstring>
#include <string>
#include <utility>

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

void put_big_endian(unsigned char* at, std::uint32_t word) {
  at[0] = static_cast<unsigned char>(word >> 24);
  at[1] = static_cast<unsigned char>(word >> 16);
  at[2] = static_cast<unsigned char>(word >> 8);
  at[3] = static_cast<unsigned char>(word);
}

/// Round `kRound` of 80. The five words do not move: their roles do.
template <std::size_t kRound>
[[gnu::always_inline]] inline void one_round(State& s, std::uint32_t (&w)[16]) {
  const std::uint32_t a = s[(80 - kRound) % 5], c = s[(82 - kRound) % 5], d = s[(83 - kRound) % 5];
  std::uint32_t &b = s[(81 - kRound) % 5], &e = s[(84 - kRound) % 5], &word = w[kRound & 15];
  if constexpr (kRound >= 16) {
    word = std::rotl(w[(kRound - 3) & 15] ^ w[(kRound - 8) & 15] ^ w[(kRound - 14) & 15] ^ word, 1);
  }
  e += std::rotl(a, 5) + word;
  if constexpr (kRound < 20) {
    e += (d ^ (b & (c ^ d))) + 0x5A827999u;
  } else if constexpr (kRound < 40) {
    e += (b ^ c ^ d) + 0x6ED9EBA1u;
  } else if constexpr (kRound < 60) {
    e += ((b & c) | (d & (b | c))) + 0x8F1BBCDCu;
  } else {
    e += (b ^ c ^ d) + 0xCA62C1D6u;
  }
  b = std::rotl(b, 30);
}

template <std::size_t... kRounds>
[[gnu::always_inline]] inline void all_rounds(State& s, std::uint32_t (&w)[16],
                                              std::index_sequence<kRounds...> /*rounds*/) {
  (one_round<kRounds>(s, w), ...);
}

void block_plain(State& state, const unsigned char* data) {
  std::uint32_t w[16];
  for (int i = 0; i < 16; ++i) w[i] = big_endian(data + 4 * i);
  State s = state;
  all_rounds(s, w, std::make_index_sequence<80>());
  for (std::size_t i = 0; i < s.size(); ++i) state[i] += s[i];
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

void first_block(State& state, const unsigned char* data, Block block, FirstBlock& first) {
  if (first.known && std::memcmp(first.bytes.data(), data, first.bytes.size()) == 0) {
    state = first.state;
    return;
  }
  block(state, data);
  std::memcpy(first.bytes.data(), data, first.bytes.size());
  first.state = state;
  first.known = true;
}

/// The five words of the hash.
State digest(std::string_view bytes, Block block, FirstBlock* first = nullptr) {
  State state = kStart;
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t left = bytes.size();
  if (first != nullptr && left >= 64) {
    first_block(state, data, block, *first);
    left -= 64;
    data += 64;
  }
  for (; left >= 64; left -= 64, data += 64) block(state, data);
  unsigned char tail[128] = {};
  if (left > 0) std::memcpy(tail, data, left);
  tail[left] = 0x80;
  const std::size_t total = left < 56 ? 64 : 128;
  const std::uint64_t bits = static_cast<std::uint64_t>(bytes.size()) * 8;
  put_big_endian(tail + total - 8, static_cast<std::uint32_t>(bits >> 32));
  put_big_endian(tail + total - 4, static_cast<std::uint32_t>(bits));
  block(state, tail);
  if (total == 128) block(state, tail + 64);
  return state;
}

std::array<unsigned char, 20> as_bytes(const State& state) {
  std::array<unsigned char, 20> out{};
  for (std::size_t i = 0; i < state.size(); ++i) put_big_endian(out.data() + 4 * i, state[i]);
  return out;
}

Block best_block() {
#if defined(__x86_64__)
  static const Block best = has_sha_instructions() ? block_sha : block_plain;
  return best;
#else
  return block_plain;
#endif
}

// 3b0a8b6e-6d2f-5c43-9a55-0c7c5f3e1d21: the namespace of every id that Kiln derives.
constexpr char kNamespace[] = "\x3b\x0a\x8b\x6e\x6d\x2f\x5c\x43\x9a\x55\x0c\x7c\x5f\x3e\x1d\x21";

}  // namespace

std::array<unsigned char, 20> sha1_plain(std::string_view bytes) {
  return as_bytes(digest(bytes, block_plain));
}

std::array<unsigned char, 20> sha1(std::string_view bytes) {
  return as_bytes(digest(bytes, best_block()));
}

namespace {

/// 16 bytes as 32 digits.
void put_hex(const unsigned char* bytes, char* out) {
#if defined(__SSE2__)
  const __m128i nibble = _mm_set1_epi8(0x0F), nine = _mm_set1_epi8(9);
  const auto digits = [&](__m128i values) {
    const __m128i letters = _mm_and_si128(_mm_cmpgt_epi8(values, nine), _mm_set1_epi8('a' - '0' - 10));
    return _mm_add_epi8(_mm_add_epi8(values, _mm_set1_epi8('0')), letters);
  };
  const __m128i in = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
  const __m128i low = digits(_mm_and_si128(in, nibble));
  const __m128i high = digits(_mm_and_si128(_mm_srli_epi16(in, 4), nibble));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_unpacklo_epi8(high, low));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 16), _mm_unpackhi_epi8(high, low));
#else
  constexpr char kHex[] = "0123456789abcdef";
  for (int i = 0; i < 16; ++i) {
    out[2 * i] = kHex[bytes[i] >> 4];
    out[2 * i + 1] = kHex[bytes[i] & 15];
  }
#endif
}

}  // namespace

void uuid5_into(std::string_view name, char* out) {
  FirstBlock first;
  uuid5_into(name, out, first);
}

void uuid5_into(std::string_view name, char* out, FirstBlock& first) {
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
  std::array<unsigned char, 20> hash = as_bytes(digest(seed, best_block(), &first));
  hash[6] = static_cast<unsigned char>((hash[6] & 0x0F) | 0x50);
  hash[8] = static_cast<unsigned char>((hash[8] & 0x3F) | 0x80);
  char digits[32];
  put_hex(hash.data(), digits);
  std::memcpy(out, digits, 8);
  for (int i = 0; i < 3; ++i) std::memcpy(out + 9 + 5 * i, digits + 8 + 4 * i, 4);
  std::memcpy(out + 24, digits + 20, 12);
  out[8] = out[13] = out[18] = out[23] = '-';
}

}  // namespace kiln::mappings::detail
