#pragma once
// UCUM units as exact factors of base units (http://unitsofmeasure.org), over a table of the units that
// health data commonly use (units.inc). A unit outside the table is unknown: it can only be compared with its
// identical text.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/decimal.h"

namespace kiln::fhir {

/// A unit in base units: value × numerator / denominator, after `offset` is added to the value (Cel, [degF]).
struct Unit {
  /// Exponents of m, s, g, rad, K, C, cd, mol (of its own, not UCUM's bare number) and of arbitrary units
  /// ([iU]), which only compare with the same one.
  static constexpr std::size_t kDimensions = 8;
  std::array<std::int8_t, kDimensions> dimensions{};
  std::string_view arbitrary;  ///< code of the arbitrary unit; static storage
  std::int8_t arbitrary_power = 0;
  base::Decimal numerator{1}, denominator{1};
  std::optional<base::Decimal> offset;
};

/// Parses a case-sensitive UCUM code ("mg/dL", "10*3/uL", "mm[Hg]", "{score}", "1"). nullopt when it is
/// malformed or uses a unit that is not in the table. Thread-safe; the table is computed at the first call.
std::optional<Unit> parse_unit(std::string_view code);

/// Same dimensions: values can be converted into each other.
bool are_comparable(const Unit& a, const Unit& b);
/// Orders two values of comparable units, exactly.
std::strong_ordering compare_units(const base::Decimal& a, const Unit& unit_a, const base::Decimal& b,
                                   const Unit& unit_b);
/// The value in the other (comparable) unit, with up to `digits` places; exact when that suffices.
base::Decimal convert_unit(const base::Decimal& value, const Unit& from, const Unit& to, int digits = 40);
/// Base units as a UCUM code ("g.m-1.s-2", "1").
std::string base_units(const Unit& unit);
/// Product and quotient; nullopt for units with an offset, or when an exponent gets too large.
std::optional<Unit> multiply_units(const Unit& a, const Unit& b);
std::optional<Unit> divide_units(const Unit& a, const Unit& b);

/// The singular of a calendar word ("days" → "day"); empty when it is none (year … millisecond).
std::string_view calendar_word(std::string_view text);
/// The definite UCUM unit that a calendar word equals ("week" → "wk"); empty for year and month, which equal
/// no definite duration, and for other texts.
std::string_view definite_unit(std::string_view word);

}  // namespace kiln::fhir
