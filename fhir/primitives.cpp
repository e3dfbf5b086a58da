#include "fhir/primitives.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <vector>

#include "engine/base/limits.h"

namespace kiln::fhir {
namespace {

constexpr std::size_t kStringBytesMax =
    1u << 20;  ///< datatypes.html#string: 1 MiB (counted in bytes, not characters)

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Reads fixed forms from left to right; `ok` turns false at the first mismatch and stays so.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  /// Exactly `count` digits as a number in [least, most].
  int digits(std::size_t count, int least, int most) {
    int value = 0;
    if (rest_.size() < count) ok_ = false;
    for (std::size_t i = 0; ok_ && i < count; ++i) {
      ok_ = is_digit(rest_[i]);
      value = value * 10 + (rest_[i] - '0');
    }
    if (ok_) rest_.remove_prefix(count);
    ok_ = ok_ && value >= least && value <= most;
    return value;
  }
  bool take(char c) {
    if (!ok_ || rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) { ok_ = take(c); }
  void fraction() {
    if (!take('.')) return;
    std::size_t count = 0;
    while (count < rest_.size() && is_digit(rest_[count])) ++count;
    ok_ = count > 0;
    rest_.remove_prefix(count);
  }
  bool at_end() const { return ok_ && rest_.empty(); }
  bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

int days_in(int year, int month) {
  static constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[static_cast<std::size_t>(month - 1)];
}

/// hh:mm:ss[.f…]
void scan_time(Scanner& in) {
  in.digits(2, 0, 23);
  in.expect(':');
  in.digits(2, 0, 59);
  in.expect(':');
  in.digits(2, 0, 60);
  in.fraction();
}

/// Z or ±hh:mm, at most 14:00.
void scan_zone(Scanner& in) {
  if (in.take('Z')) return;
  if (!in.take('+')) in.expect('-');
  const int hours = in.digits(2, 0, 14);
  in.expect(':');
  in.digits(2, 0, hours == 14 ? 0 : 59);
}

enum class DateForm : std::uint8_t { date, date_time, instant };

bool is_date(std::string_view text, DateForm form) {
  Scanner in(text);
  const int year = in.digits(4, 1, 9999);
  const bool may_stop = form != DateForm::instant;
  if (may_stop && in.at_end()) return true;
  in.expect('-');
  const int month = in.digits(2, 1, 12);
  if (may_stop && in.at_end()) return true;
  in.expect('-');
  if (!in.ok()) return false;
  in.digits(2, 1, days_in(year, month));
  if (may_stop && in.at_end()) return true;
  if (form == DateForm::date) return false;
  in.expect('T');
  scan_time(in);
  scan_zone(in);
  return in.at_end();
}

bool is_time(std::string_view text) {
  Scanner in(text);
  scan_time(in);
  return in.at_end();
}

/// No leading zeros, no '+', in [least, 2³¹-1]. "-0" is not an integer.
bool is_integer(std::string_view text, std::int64_t least) {
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || digits.size() > 10 || (digits[0] == '0' && text.size() > 1)) return false;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= least && value <= 2147483647;
}

/// The JSON number grammar.
bool is_decimal(std::string_view text) {
  std::size_t at = 0;
  const auto skip_digits = [&] {
    const std::size_t begin = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at - begin;
  };
  if (text.starts_with('-')) ++at;
  const bool leading_zero = at < text.size() && text[at] == '0';
  const std::size_t whole = skip_digits();
  if (whole == 0 || (leading_zero && whole > 1)) return false;
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (skip_digits() == 0) return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (skip_digits() == 0) return false;
  }
  return at == text.size();
}

/// No control characters but tab, line feed and carriage return.
bool is_string(std::string_view text) {
  if (text.empty() || text.size() > kStringBytesMax) return false;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r') return false;
  }
  return true;
}

bool is_uri(std::string_view text) {
  for (const char c : text) {
    if (is_space(c) || static_cast<unsigned char>(c) < 0x20) return false;
  }
  return !text.empty();
}

/// Words with one space between them, none at the ends.
bool is_code(std::string_view text) {
  bool after_space = true;
  for (const char c : text) {
    const bool space = is_space(c);
    if ((space && after_space) || (!space && static_cast<unsigned char>(c) < 0x20)) return false;
    after_space = space;
  }
  return !after_space;
}

/// urn:oid:[0-2](.(0|[1-9][0-9]*))+
bool is_oid(std::string_view text) {
  if (!text.starts_with("urn:oid:") || text.size() < 9 || text[8] < '0' || text[8] > '2') return false;
  text.remove_prefix(9);
  std::size_t arcs = 0;
  while (!text.empty()) {
    if (text[0] != '.') return false;
    std::size_t length = 1;
    while (length < text.size() && is_digit(text[length])) ++length;
    if (length == 1 || (text[1] == '0' && length > 2)) return false;
    text.remove_prefix(length);
    ++arcs;
  }
  return arcs > 0;
}

/// urn:uuid: and lower-case hexadecimal digits, 8-4-4-4-12.
bool is_uuid(std::string_view text) {
  if (!text.starts_with("urn:uuid:")) return false;
  text.remove_prefix(9);
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool good = dash ? text[i] == '-' : is_digit(text[i]) || (text[i] >= 'a' && text[i] <= 'f');
    if (!good) return false;
  }
  return true;
}

/// Groups of four, '=' only at the end; white space between characters is allowed.
bool is_base64(std::string_view text) {
  std::size_t count = 0, padding = 0;
  for (const char c : text) {
    if (is_space(c)) continue;
    ++count;
    if (c == '=') {
      ++padding;
    } else if (padding > 0 || !(is_letter(c) || is_digit(c) || c == '+' || c == '/')) {
      return false;
    }
  }
  return count > 0 && count % 4 == 0 && padding <= 2;
}

bool is_xhtml(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  if (!text.starts_with("<div") || text.size() < 6) return false;
  const char after = text[4];
  return (after == '>' || after == '/' || is_space(after)) &&
         (text.ends_with("</div>") || text.ends_with("/>"));
}

struct NamedPrimitive {
  std::string_view name;
  Primitive primitive;
};
constexpr NamedPrimitive kNames[] = {
    {"base64Binary", Primitive::base64_binary},
    {"boolean", Primitive::boolean},
    {"canonical", Primitive::canonical},
    {"code", Primitive::code},
    {"date", Primitive::date},
    {"dateTime", Primitive::date_time},
    {"decimal", Primitive::decimal},
    {"id", Primitive::id},
    {"instant", Primitive::instant},
    {"integer", Primitive::integer},
    {"markdown", Primitive::markdown},
    {"oid", Primitive::oid},
    {"positiveInt", Primitive::positive_int},
    {"string", Primitive::string},
    {"time", Primitive::time},
    {"unsignedInt", Primitive::unsigned_int},
    {"uri", Primitive::uri},
    {"url", Primitive::url},
    {"uuid", Primitive::uuid},
    {"xhtml", Primitive::xhtml},
};

std::vector<Primitive> primitives_by_type() {
  std::vector<Primitive> table(all_types().size(), Primitive::string);
  for (const NamedPrimitive& entry : kNames) {
    if (const TypeDef* type = find_type(entry.name)) table[type->index()] = entry.primitive;
  }
  return table;
}

}  // namespace

Primitive primitive_of(const TypeDef& type) {
  static const std::vector<Primitive> table = primitives_by_type();
  return table[type.index()];
}

base::JsonKind json_kind_of(Primitive primitive) {
  switch (primitive) {
    case Primitive::boolean:
      return base::JsonKind::boolean;
    case Primitive::decimal:
    case Primitive::integer:
    case Primitive::positive_int:
    case Primitive::unsigned_int:
      return base::JsonKind::number;
    default:
      return base::JsonKind::string;
  }
}

bool is_number_too_large(std::string_view number) {
  if (number.size() < 4) return false;
  if (number.starts_with('-')) number.remove_prefix(1);
  const std::size_t mark = number.find_first_of("eE");
  if (std::min(number.find('.'), std::min(mark, number.size())) > base::limits::kNumberDigitsMax) return true;
  if (mark == number.npos) return false;
  std::string_view exponent = number.substr(mark + 1);
  if (exponent.starts_with('-')) return false;
  std::size_t value = 0;
  for (const char c : exponent) {
    if (c == '+') continue;
    value = std::min<std::size_t>(value * 10 + static_cast<std::size_t>(c - '0'), 1'000'000);
  }
  return value > base::limits::kNumberExponentMax;
}

bool is_valid_id(std::string_view text) {
  for (const char c : text) {
    if (!is_letter(c) && !is_digit(c) && c != '-' && c != '.') return false;
  }
  return !text.empty() && text.size() <= 64;
}

bool is_valid_primitive(Primitive primitive, std::string_view text) {
  switch (primitive) {
    case Primitive::base64_binary:
      return is_base64(text);
    case Primitive::boolean:
      return text == "true" || text == "false";
    case Primitive::code:
      return is_code(text);
    case Primitive::date:
      return is_date(text, DateForm::date);
    case Primitive::date_time:
      return is_date(text, DateForm::date_time);
    case Primitive::instant:
      return is_date(text, DateForm::instant);
    case Primitive::time:
      return is_time(text);
    case Primitive::decimal:
      return is_decimal(text);
    case Primitive::id:
      return is_valid_id(text);
    case Primitive::integer:
      return is_integer(text, -2147483648LL);
    case Primitive::unsigned_int:
      return is_integer(text, 0);
    case Primitive::positive_int:
      return is_integer(text, 1);
    case Primitive::oid:
      return is_oid(text);
    case Primitive::uuid:
      return is_uuid(text);
    case Primitive::canonical:
    case Primitive::uri:
    case Primitive::url:
      return is_uri(text);
    case Primitive::markdown:
    case Primitive::string:
      return is_string(text);
    case Primitive::xhtml:
      return is_xhtml(text);
  }
  return false;
}

}  // namespace kiln::fhir
