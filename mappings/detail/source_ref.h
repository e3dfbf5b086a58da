#pragma once
// How a SourceRef names a place of the input (lineage).

#include <cstdint>

#include "mappings/value.h"

namespace kiln::mappings::detail {

/// Bits 62–63. `pair` is an index into the run's list of pairs: a value made of several.
enum class SourceKind : std::uint8_t { pair = 0, hl7 = 1, json = 2, csv = 3 };

inline SourceKind kind_of(SourceRef ref) {
  return static_cast<SourceKind>(ref >> 62);
}

/// level: 2 bits, begin: 30 bits, length: 30 bits.
inline SourceRef hl7_source(Hl7Ref ref, Hl7Level level) {
  return std::uint64_t{1} << 62 | static_cast<std::uint64_t>(level) << 60 |
         static_cast<std::uint64_t>(ref.begin & 0x3FFFFFFF) << 30 | ((ref.end - ref.begin) & 0x3FFFFFFF);
}
inline Hl7Level hl7_level(SourceRef ref) {
  return static_cast<Hl7Level>(ref >> 60 & 3);
}
inline Hl7Ref hl7_range(SourceRef ref) {
  const auto begin = static_cast<std::uint32_t>(ref >> 30 & 0x3FFFFFFF);
  return {begin, begin + static_cast<std::uint32_t>(ref & 0x3FFFFFFF)};
}

inline SourceRef json_source(std::uint32_t node) {
  return std::uint64_t{2} << 62 | node;
}
inline SourceRef csv_source(std::uint32_t row, std::uint32_t column) {
  return std::uint64_t{3} << 62 | static_cast<std::uint64_t>(row) << 20 | (column & 0xFFFFF);
}
inline std::uint32_t csv_row(SourceRef ref) {
  return static_cast<std::uint32_t>(ref >> 20);
}
inline std::uint32_t csv_column(SourceRef ref) {
  return static_cast<std::uint32_t>(ref & 0xFFFFF);
}

}  // namespace kiln::mappings::detail
