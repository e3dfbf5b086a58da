#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/decimal.h"
#include "fhir/search/parameters.h"

namespace kiln::fhir {
namespace {

constexpr int kExponentMax = 999;
constexpr int kExponentBias = 5000;

/// A JSON number taken apart without arithmetic.
struct NumberText {
  bool negative = false;
  std::string digits;  ///< without the point
  int decimals = 0;    ///< digits after the point
  int exponent = 0;
  bool has_exponent = false;
};

std::optional<NumberText> take_apart(std::string_view text) {
  NumberText out;
  std::size_t at = 0;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) out.negative = text[at++] == '-';
  bool point = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c >= '0' && c <= '9') {
      out.digits.push_back(c);
      if (point) ++out.decimals;
    } else if (c == '.' && !point) {
      point = true;
    } else {
      break;
    }
  }
  if (out.digits.empty() || (point && out.decimals == 0) || out.digits.size() > 400) return std::nullopt;
  if (at == text.size()) return out;
  if (text[at] != 'e' && text[at] != 'E') return std::nullopt;
  ++at;
  if (at < text.size() && text[at] == '+') ++at;
  const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), out.exponent);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (out.exponent > kExponentMax || out.exponent < -kExponentMax) return std::nullopt;
  out.has_exponent = true;
  return out;
}

}  // namespace

std::optional<std::string> sortable_decimal(std::string_view number) {
  auto parts = take_apart(number);
  if (!parts) return std::nullopt;
  const std::size_t leading = parts->digits.find_first_not_of('0');
  if (leading == std::string::npos) return "1";
  // value = 0.d1d2… × 10^magnitude with d1 ≠ 0
  const int magnitude = static_cast<int>(parts->digits.size() - leading) - parts->decimals + parts->exponent;
  std::string digits = parts->digits.substr(leading);
  digits.erase(digits.find_last_not_of('0') + 1);
  std::string key = std::to_string(magnitude + kExponentBias) + digits;
  if (!parts->negative) return "2" + key;
  for (char& c : key) c = static_cast<char>('0' + ('9' - c));
  return "0" + key + "~";
}

std::optional<DecimalInterval> implied_interval(std::string_view number) {
  const auto parts = take_apart(number);
  const auto value = base::Decimal::parse(number);
  if (!parts || !value) return std::nullopt;
  // Half a unit of the last digit given. Exponent notation gives significant digits; the specification reads
  // "1e2" as [95, 105), so a single digit with an exponent counts as two.
  int last_place = parts->exponent - parts->decimals;
  if (parts->has_exponent && parts->digits.size() == 1) last_place -= 1;
  const auto half = base::Decimal::parse("5e" + std::to_string(last_place - 1));
  if (!half) return std::nullopt;
  const auto low = sortable_decimal((*value - *half).print()),
             high = sortable_decimal((*value + *half).print());
  if (!low || !high) return std::nullopt;
  return DecimalInterval{*low, *high};
}

}  // namespace kiln::fhir
