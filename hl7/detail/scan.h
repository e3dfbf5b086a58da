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

/// The five bytes that delimiters() looks for.
struct Needles {
  char bytes[5];
};

struct Scanner {
  /// Fills blocks_of(size) blocks.
  ScanSummary (*scan)(const char* bytes, std::size_t size, char separator, char escape, ScanBlock* out);
  /// The offsets of all stops of `count` blocks, in order. `out` has room for all of them and kFlattenSlack
  /// more.
  void (*flatten)(const ScanBlock* blocks, std::size_t count, std::uint32_t* out);
  /// The offsets, counted from `base`, of every needle in `size` bytes. `out` has room for `size` and
  /// kFlattenSlack more. Returns how many.
  std::size_t (*delimiters)(const char* bytes, std::size_t size, const Needles& needles, std::uint32_t base,
                            std::uint32_t* out);
};

/// Falls back to what the processor has.
const Scanner& scanner(ScanMode mode);
/// nullptr where the processor lacks AVX-512 VBMI2.
const Scanner* scanner_avx512();

}  // namespace kiln::hl7::detail
