#include "engine/base/decimal.h"

#include <algorithm>

namespace kiln::base {
namespace {

constexpr std::size_t kDigitsMax = 100;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string stripped(std::string digits, int scale) {
  // At least one digit before the point.
  const std::size_t keep = static_cast<std::size_t>(scale) + 1;
  if (digits.size() < keep) digits.insert(0, keep - digits.size(), '0');
  const auto first = digits.find_first_not_of('0');
  const std::size_t drop = std::min(first == std::string::npos ? digits.size() : first, digits.size() - keep);
  return digits.substr(drop);
}

/// Magnitudes as digit strings of the same scale.
int compare_digits(std::string_view a, std::string_view b) {
  const auto significant = [](std::string_view s) {
    const auto first = s.find_first_not_of('0');
    return first == std::string_view::npos ? std::string_view() : s.substr(first);
  };
  a = significant(a);
  b = significant(b);
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

std::string add_digits(const std::string& a, const std::string& b) {
  std::string out;
  int carry = 0;
  for (std::size_t i = 0; i < std::max(a.size(), b.size()) || carry != 0; ++i) {
    int sum = carry;
    if (i < a.size()) sum += a[a.size() - 1 - i] - '0';
    if (i < b.size()) sum += b[b.size() - 1 - i] - '0';
    out += static_cast<char>('0' + sum % 10);
    carry = sum / 10;
  }
  std::reverse(out.begin(), out.end());
  return out;
}

/// a - b, with a >= b.
std::string subtract_digits(const std::string& a, const std::string& b) {
  std::string out;
  int borrow = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    int difference = a[a.size() - 1 - i] - '0' - borrow;
    if (i < b.size()) difference -= b[b.size() - 1 - i] - '0';
    borrow = difference < 0 ? 1 : 0;
    out += static_cast<char>('0' + (difference + 10) % 10);
  }
  std::reverse(out.begin(), out.end());
  return out;
}

std::string scaled(const std::string& digits, int by) {
  return digits + std::string(static_cast<std::size_t>(by), '0');
}

}  // namespace

Decimal::Decimal(std::int64_t value) : negative_(value < 0) {
  std::string text = std::to_string(value);
  digits_ = negative_ ? text.substr(1) : text;
}

std::optional<Decimal> Decimal::parse(std::string_view text) {
  Decimal out;
  std::size_t at = 0;
  if (at < text.size() && (text[at] == '+' || text[at] == '-')) out.negative_ = text[at++] == '-';
  std::string digits;
  std::size_t fraction = 0;
  bool point = false;
  for (; at < text.size() && (is_digit(text[at]) || (text[at] == '.' && !point)); ++at) {
    if (text[at] == '.') {
      point = true;
      continue;
    }
    digits += text[at];
    if (point) ++fraction;
  }
  if (digits.empty() || digits.size() > kDigitsMax) return std::nullopt;
  int exponent = 0;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    bool minus = false;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) minus = text[at++] == '-';
    if (at == text.size() || text.size() - at > 4) return std::nullopt;
    for (; at < text.size() && is_digit(text[at]); ++at) exponent = exponent * 10 + (text[at] - '0');
    if (minus) exponent = -exponent;
  }
  if (at != text.size()) return std::nullopt;
  int scale = static_cast<int>(fraction) - exponent;
  if (scale < 0) {
    if (static_cast<std::size_t>(-scale) + digits.size() > kDigitsMax) return std::nullopt;
    digits = scaled(digits, -scale);
    scale = 0;
  }
  if (scale > 400) return std::nullopt;
  out.digits_ = stripped(std::move(digits), scale);
  out.scale_ = scale;
  return out;
}

std::string Decimal::print() const {
  std::string out = negative_ && !is_zero() ? "-" : "";
  const std::size_t whole = digits_.size() - static_cast<std::size_t>(scale_);
  out += digits_.substr(0, whole);
  if (scale_ > 0) out += "." + digits_.substr(whole);
  return out;
}

bool Decimal::is_integer() const {
  return digits_.find_first_not_of('0', digits_.size() - static_cast<std::size_t>(scale_)) ==
         std::string::npos;
}

std::optional<std::int64_t> Decimal::to_int64() const {
  if (!is_integer()) return std::nullopt;
  const std::string whole = digits_.substr(0, digits_.size() - static_cast<std::size_t>(scale_));
  if (whole.size() > 18) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : whole) value = value * 10 + (c - '0');
  return negative_ ? -value : value;
}

Decimal Decimal::operator-() const {
  Decimal out = *this;
  out.negative_ = !negative_;
  return out;
}

Decimal Decimal::operator+(const Decimal& other) const {
  Decimal out;
  out.scale_ = std::max(scale_, other.scale_);
  const std::string a = scaled(digits_, out.scale_ - scale_);
  const std::string b = scaled(other.digits_, out.scale_ - other.scale_);
  const bool same_sign = negative_ == other.negative_;
  const bool a_larger = compare_digits(a, b) >= 0;
  const std::string sum = same_sign  ? add_digits(a, b)
                          : a_larger ? subtract_digits(a, b)
                                     : subtract_digits(b, a);
  out.negative_ = same_sign || a_larger ? negative_ : other.negative_;
  out.digits_ = stripped(sum, out.scale_);
  return out;
}

Decimal Decimal::operator-(const Decimal& other) const {
  return *this + -other;
}

Decimal Decimal::operator*(const Decimal& other) const {
  std::string product(digits_.size() + other.digits_.size(), '\0');
  for (std::size_t i = digits_.size(); i-- > 0;) {
    int carry = 0;
    for (std::size_t j = other.digits_.size(); j-- > 0;) {
      const int value = product[i + j + 1] + (digits_[i] - '0') * (other.digits_[j] - '0') + carry;
      product[i + j + 1] = static_cast<char>(value % 10);
      carry = value / 10;
    }
    product[i] = static_cast<char>(product[i] + carry);
  }
  for (char& c : product) c = static_cast<char>(c + '0');
  Decimal out;
  out.scale_ = scale_ + other.scale_;
  out.negative_ = negative_ != other.negative_;
  out.digits_ = stripped(std::move(product), out.scale_);
  return out;
}

std::optional<Decimal> Decimal::divide(const Decimal& other, int digits) const {
  if (other.is_zero()) return std::nullopt;
  // Long division of this × 10^(digits + 1 + other.scale) by other × 10^scale, then one rounding.
  const std::string dividend = scaled(digits_, digits + 1 + other.scale_);
  const std::string divisor = scaled(other.digits_, scale_);
  std::string quotient;
  std::string rest = "0";
  for (const char digit : dividend) {
    rest += digit;
    char q = '0';
    while (compare_digits(rest, divisor) >= 0) {
      rest = stripped(
          subtract_digits(
              rest,
              std::string(rest.size() > divisor.size() ? rest.size() - divisor.size() : 0, '0') + divisor),
          0);
      ++q;
    }
    quotient += q;
  }
  Decimal out;
  out.scale_ = digits + 1;
  out.negative_ = negative_ != other.negative_;
  out.digits_ = stripped(std::move(quotient), out.scale_);
  return out.round(digits);
}

Decimal Decimal::round(int digits) const {
  Decimal out = *this;
  if (scale_ <= digits) {
    out.digits_ = scaled(digits_, digits - scale_);
    out.scale_ = digits;
    return out;
  }
  const std::size_t keep = digits_.size() - static_cast<std::size_t>(scale_ - digits);
  const bool up = digits_[keep] >= '5';
  out.digits_ = digits_.substr(0, keep);
  if (up) out.digits_ = add_digits(out.digits_, "1");
  out.scale_ = digits;
  out.digits_ = stripped(std::move(out.digits_), digits);
  return out;
}

std::strong_ordering Decimal::compare(const Decimal& other) const {
  const bool a_negative = negative_ && !is_zero();
  const bool b_negative = other.negative_ && !other.is_zero();
  if (a_negative != b_negative)
    return a_negative ? std::strong_ordering::less : std::strong_ordering::greater;
  const int scale = std::max(scale_, other.scale_);
  const int order =
      compare_digits(scaled(digits_, scale - scale_), scaled(other.digits_, scale - other.scale_));
  const int signed_order = a_negative ? -order : order;
  return signed_order < 0   ? std::strong_ordering::less
         : signed_order > 0 ? std::strong_ordering::greater
                            : std::strong_ordering::equal;
}

}  // namespace kiln::base
