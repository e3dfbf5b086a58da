#pragma once
// Keyed, repeatable replacements of identifying values. The same key and value give the same replacement in
// every message; without the key nothing leads back.

#include <cstdint>
#include <string>
#include <string_view>

namespace kiln::hl7::detail {

class Pseudonyms {
 public:
  explicit Pseudonyms(std::string key) : key_(std::move(key)) {}

  /// Digits become digits, letters letters of the same case, everything else stays: a permutation of all
  /// texts of that form, so two identifiers never become one. Letters beyond ASCII become letters a to z.
  std::string identifier(std::string_view text) const;
  /// An invented word in the case of `text` ("BRANDT" -> "TOLVEN"); case and white space around do not
  /// matter.
  std::string name(std::string_view text) const;
  /// Days to take off the dates of a patient: 1 to 365.
  int days_back(std::string_view patient) const;
  /// Equal length of digits for a number that is no identifier: telephone, house, postal code.
  std::string digits(std::string_view text) const;

 private:
  /// HMAC-SHA-256 (RFC 2104), 32 bytes.
  std::string mac(std::string_view domain, std::string_view value) const;
  std::string key_;
};

}  // namespace kiln::hl7::detail
