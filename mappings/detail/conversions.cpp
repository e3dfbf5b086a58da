#include "mappings/detail/conversions.h"

#include <array>
#include <charconv>
#include <cstring>

#include "engine/base/text.h"

namespace kiln::mappings::detail {
namespace {

bool digit(char c) {
  return c >= '0' && c <= '9';
}

char* put2(char* at, unsigned value) {
  at[0] = static_cast<char>('0' + value / 10 % 10);
  at[1] = static_cast<char>('0' + value % 10);
  return at + 2;
}

char* put_year(char* at, int year) {
  at = put2(at, static_cast<unsigned>(year) / 100);
  return put2(at, static_cast<unsigned>(year) % 100);
}

char* put_fraction(char* at, const base::PartialDate& date) {
  if (date.precision < base::DatePrecision::fraction || date.fraction_digits == 0) return at;
  *at++ = '.';
  std::uint32_t unit = 100'000'000, rest = date.nanos;
  for (int i = 0; i < date.fraction_digits; ++i, unit /= 10) {
    *at++ = static_cast<char>('0' + rest / unit);
    rest %= unit;
  }
  return at;
}

char* put_offset(char* at, int minutes, bool colon) {
  *at++ = minutes < 0 ? '-' : '+';
  const unsigned size = static_cast<unsigned>(minutes < 0 ? -minutes : minutes);
  at = put2(at, size / 60);
  if (colon) *at++ = ':';
  return put2(at, size % 60);
}

}  // namespace

std::string_view print_integer(Arena& arena, std::int64_t value) {
  char* out = arena.chars(20);
  return {out, static_cast<std::size_t>(std::to_chars(out, out + 20, value).ptr - out)};
}

std::string_view print_fhir_date(Arena& arena, const base::PartialDate& date) {
  char* const out = arena.chars(40);
  char* at = put_year(out, date.year);
  const auto view = [&] { return std::string_view(out, static_cast<std::size_t>(at - out)); };
  if (date.precision == base::DatePrecision::year) return view();
  *at++ = '-';
  at = put2(at, date.month);
  if (date.precision == base::DatePrecision::month) return view();
  *at++ = '-';
  at = put2(at, date.day);
  if (date.precision == base::DatePrecision::day) return view();
  *at++ = 'T';
  at = put2(at, date.hour);
  *at++ = ':';
  at = put2(at, date.minute);
  *at++ = ':';
  at = put2(at, date.second);
  at = put_fraction(at, date);
  if (!date.has_offset) return view();
  if (date.offset_minutes == 0) {
    *at++ = 'Z';
    return view();
  }
  at = put_offset(at, date.offset_minutes, true);
  return view();
}

std::string_view print_hl7_date(Arena& arena, const base::PartialDate& date) {
  char* const out = arena.chars(40);
  char* at = put_year(out, date.year);
  using base::DatePrecision;
  if (date.precision >= DatePrecision::month) at = put2(at, date.month);
  if (date.precision >= DatePrecision::day) at = put2(at, date.day);
  if (date.precision >= DatePrecision::hour) at = put2(at, date.hour);
  if (date.precision >= DatePrecision::minute) at = put2(at, date.minute);
  if (date.precision >= DatePrecision::second) at = put2(at, date.second);
  at = put_fraction(at, date);
  if (date.has_time() && date.has_offset) at = put_offset(at, date.offset_minutes, false);
  return {out, static_cast<std::size_t>(at - out)};
}

std::optional<bool> parse_boolean(std::string_view text) {
  text = base::trim(text);
  if (text.size() == 1) {
    switch (text[0]) {
      case 'Y':
      case 'y':
      case 'T':
      case 't':
      case '1':
        return true;
      case 'N':
      case 'n':
      case 'F':
      case 'f':
      case '0':
        return false;
      default:
        return std::nullopt;
    }
  }
  if (base::equals_ignore_case(text, "true") || base::equals_ignore_case(text, "yes")) return true;
  if (base::equals_ignore_case(text, "false") || base::equals_ignore_case(text, "no")) return false;
  return std::nullopt;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  text = base::trim(text);
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::string_view> json_number(Arena& arena, std::string_view text) {
  text = base::trim(text);
  if (text.empty() || text.size() > 100) return std::nullopt;
  const bool negative = text[0] == '-';
  std::string_view rest = negative || text[0] == '+' ? text.substr(1) : text;
  std::size_t whole = 0;
  while (whole < rest.size() && digit(rest[whole])) ++whole;
  std::size_t fraction = 0;
  const bool point = whole < rest.size() && rest[whole] == '.';
  while (point && whole + 1 + fraction < rest.size() && digit(rest[whole + 1 + fraction])) ++fraction;
  if (whole + fraction == 0) return std::nullopt;
  std::size_t used = whole + (point ? 1 + fraction : 0);
  if (used < rest.size()) {
    // An exponent is a valid JSON number but no HL7 NM; FHIR and CSV input may have one.
    if (rest[used] != 'e' && rest[used] != 'E') return std::nullopt;
    std::size_t at = used + 1;
    if (at < rest.size() && (rest[at] == '-' || rest[at] == '+')) ++at;
    const std::size_t digits = at;
    while (at < rest.size() && digit(rest[at])) ++at;
    if (at == digits || at != rest.size()) return std::nullopt;
    used = at;
  }
  const bool leading_zero = whole > 1 && rest[0] == '0';
  const bool json = text[0] != '+' && whole > 0 && !leading_zero && (!point || fraction > 0);
  if (json) return text;
  std::size_t skip = 0;
  while (skip + 1 < whole && rest[skip] == '0') ++skip;
  char* const out = arena.chars(text.size() + 2);
  char* at = out;
  if (negative) *at++ = '-';
  if (whole == 0) *at++ = '0';
  std::memcpy(at, rest.data() + skip, whole - skip);
  at += whole - skip;
  const std::size_t tail_begin = point && fraction == 0 ? whole + 1 : whole;
  std::memcpy(at, rest.data() + tail_begin, used - tail_begin);
  at += used - tail_begin;
  return std::string_view(out, static_cast<std::size_t>(at - out));
}

std::optional<std::string_view> parse_time(Arena& arena, std::string_view text, bool fhir) {
  text = base::trim(text);
  std::array<char, 6> digits{'0', '0', '0', '0', '0', '0'};
  std::size_t count = 0, at = 0;
  for (; at < text.size() && count < 6; ++at) {
    if (digit(text[at])) {
      digits[count++] = text[at];
    } else if (text[at] != ':' || count % 2 != 0 || count == 0) {
      break;
    }
  }
  if (count < 2 || count % 2 != 0) return std::nullopt;
  std::string_view fraction;
  if (at < text.size() && text[at] == '.' && count == 6) {
    const std::size_t begin = at++;
    while (at < text.size() && digit(text[at])) ++at;
    fraction = text.substr(begin, at - begin);
    if (fraction.size() < 2) return std::nullopt;
  }
  if (at < text.size() && text[at] != '+' && text[at] != '-') return std::nullopt;
  const auto number = [&](std::size_t i) { return (digits[i] - '0') * 10 + (digits[i + 1] - '0'); };
  if (number(0) > 23 || number(2) > 59 || number(4) > 59) return std::nullopt;
  char* const out = arena.chars(9 + fraction.size());
  char* to = out;
  const std::size_t pairs = fhir ? 3 : count < 4 ? 2 : count / 2;
  for (std::size_t i = 0; i < pairs; ++i) {
    if (fhir && i > 0) *to++ = ':';
    *to++ = digits[2 * i];
    *to++ = digits[2 * i + 1];
  }
  if (!fraction.empty()) std::memcpy(to, fraction.data(), fraction.size());
  to += fraction.size();
  return std::string_view(out, static_cast<std::size_t>(to - out));
}

bool is_code(std::string_view text) {
  if (text.empty()) return false;
  std::size_t solid = 0;
  while (solid < text.size() && static_cast<unsigned char>(text[solid]) > ' ') ++solid;
  if (solid == text.size()) return true;
  bool blank = false;
  for (const char c : text) {
    const bool now = c == ' ';
    if (static_cast<unsigned char>(c) < ' ' || (now && blank)) return false;
    blank = now;
  }
  return true;
}

bool is_id(std::string_view text) {
  if (text.empty() || text.size() > 64) return false;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !digit(c) && c != '-' && c != '.') return false;
  }
  return true;
}

bool is_json_boolean(const base::JsonView& view) {
  return view.is(base::JsonKind::boolean);
}

std::string mask(std::string_view text) {
  constexpr std::size_t kShown = 12;
  std::string out;
  std::size_t shown = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 && byte < 0xC0) continue;  // the rest of a character
    if (shown++ == kShown) return out + "…";
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || byte >= 0x80;
    out += letter ? 'x' : digit(c) ? '9' : byte < ' ' ? ' ' : c;
  }
  return out;
}

}  // namespace kiln::mappings::detail
