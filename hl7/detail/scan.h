#pragma once
// Finding delimiters in bulk. Every instruction set gives the same result; the scalar one is the oracle of
// the tests.

#include <cstddef>
#include <cstdint>

#include "hl7/message.h"

namespace kiln::hl7::detail {

/// What one pass over the bytes counts.
struct ScanCounts {
  std::size_t marks = 0;    ///< field separators, CR and LF
  std::size_t escapes = 0;  ///< escape characters
  bool high = false;        ///< a byte above 0x7F is there
  bool operator==(const ScanCounts&) const = default;
};

struct Scanner {
  ScanCounts (*count)(const char* bytes, std::size_t size, char separator, char escape);
  /// Writes the offset of every separator, CR and LF from `from` up to `size`; returns how many. `out` has
  /// room for all of them.
  std::size_t (*marks)(const char* bytes, std::size_t from, std::size_t size, char separator,
                       std::uint32_t* out);
};

/// Falls back to what the processor has.
const Scanner& scanner(ScanMode mode);

}  // namespace kiln::hl7::detail
