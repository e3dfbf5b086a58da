#pragma once
// Exact decimals: never through double (fhir.md M2, M7; hl7v2.md §9).

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kiln::base {

/// value = digits × 10^-scale, sign apart. Any number of digits up to limits (100). "1.50" keeps its scale 2.
class Decimal {
 public:
  Decimal() = default;
  explicit Decimal(std::int64_t value);
  /// JSON number grammar, plus leading '+', leading zeros, "1." and ".5" as HL7 NM allows. nullopt when not a number.
  static std::optional<Decimal> parse(std::string_view text);
  /// Valid JSON, scale kept ("1.50"), no leading zeros, no exponent.
  std::string print() const;
  bool is_integer() const;                       ///< no fractional value ("2.0" is one)
  std::optional<std::int64_t> to_int64() const;  ///< nullopt when fractional or too large
  bool is_negative() const { return negative_; }
  bool is_zero() const { return digits_.find_first_not_of('0') == std::string::npos; }
  int scale() const { return scale_; }

  Decimal operator+(const Decimal& other) const;
  Decimal operator-(const Decimal& other) const;
  Decimal operator*(const Decimal& other) const;
  Decimal operator-() const;
  /// Division with `digits` places after the point, half away from zero; nullopt for division by zero.
  std::optional<Decimal> divide(const Decimal& other, int digits) const;
  Decimal round(int digits) const;  ///< half away from zero; result has that scale
  /// By value: 1.50 == 1.5.
  std::strong_ordering compare(const Decimal& other) const;
  bool operator==(const Decimal& other) const { return compare(other) == 0; }

 private:
  std::string digits_ = "0";  ///< no leading zeros but for "0"; includes `scale_` fractional digits
  int scale_ = 0;
  bool negative_ = false;
};

}  // namespace kiln::base
