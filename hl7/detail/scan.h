#pragma once
// Finding delimiters in bulk. Every instruction set gives the same result; the scalar one is the oracle of
// the tests.

#include <cstddef>
#include <cstdint>

#include "hl7/message.h"

namespace kiln::hl7::detail {

/// 64 bytes of a message, one bit a byte, the first byte in the lowest bit.
struct ScanBlock {
  std::uint64_t stops;  ///< field separators, CR and LF
  std::uint64_t cr;
  std::uint64_t lf;
  std::uint32_t count;  ///< bits of `stops`
};

struct ScanSummary {
  std::size_t stops = 0;    ///< bits of all ScanBlock::stops
  std::size_t escapes = 0;  ///< escape characters
  bool cr = false, lf = false;
  bool high = false;    ///< a byte above 0x7F is there
  bool quotes = false;  ///< a quotation mark is there
  bool operator==(const ScanSummary&) const = default;
};

constexpr std::size_t kBlockBytes = 64;
constexpr std::size_t blocks_of(std::size_t bytes) {
  return (bytes + kBlockBytes - 1) / kBlockBytes;
}
/// What flatten() may write behind the last position.
constexpr std::size_t kFlattenSlack = 16;

/// Where leaves open and close. A delimiter opens the leaf behind it and closes the one before it; two field
/// separators side by side have no leaf between them.
struct Cuts {
  std::uint32_t* opens;
  std::uint8_t* levels;  ///< of the delimiters in `opens`, times kLevelStride: 0 field to 3 subcomponent
  std::uint32_t* closes;
  std::size_t open_count, close_count;
};
struct CutNeedles {
  char field, repetition, component, subcomponent;  ///< a level that does not exist has the field's
};
constexpr std::uint8_t kLevelStride = 32;

struct Scanner {
  /// Fills blocks_of(size) blocks.
  ScanSummary (*scan)(const char* bytes, std::size_t size, char separator, char escape, ScanBlock* out);
  /// The offsets of all stops of `count` blocks, in order. `out` has room for all of them and kFlattenSlack
  /// more.
  void (*flatten)(const ScanBlock* blocks, std::size_t count, std::uint32_t* out);
  /// Appends to `cuts` the delimiters of [from, to) that open and that close a leaf. They alternate: a close,
  /// an open, a close. `bytes` are `size` long; its neighbours of the window are looked at. Each list has
  /// room for to - from and kFlattenSlack more, that of levels for to - from and kBlockBytes more.
  void (*cut)(const char* bytes, std::size_t size, std::size_t from, std::size_t to,
              const CutNeedles& needles, Cuts& cuts);
};

/// The two lists of one block as bits.
struct CutBits {
  std::uint64_t closes, opens;
};
/// `field` and `all`: bits of the 64 bytes at `at`, which all exist.
inline CutBits cut_bits(std::uint64_t field, std::uint64_t all, const char* bytes, std::size_t size,
                        std::size_t at, char separator) {
  const bool before = at > 0 && bytes[at - 1] == separator;
  const bool behind = at + kBlockBytes < size && bytes[at + kBlockBytes] == separator;
  return {all & ~(field & (field << 1 | std::uint64_t{before})),
          all & ~(field & (field >> 1 | std::uint64_t{behind} << 63))};
}

/// Falls back to what the processor has.
const Scanner& scanner(ScanMode mode);
/// nullptr where the processor lacks AVX-512 VBMI2.
const Scanner* scanner_avx512();

}  // namespace kiln::hl7::detail
