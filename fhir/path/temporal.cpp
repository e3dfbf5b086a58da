#include "fhir/path/detail/temporal.h"

#include <algorithm>
#include <cstdio>

namespace kiln::fhir::detail {
namespace {

using base::DatePrecision;
using base::PartialDate;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Exactly `count` digits from `at` on.
bool digits(std::string_view text, std::size_t& at, int count, int& out) {
  out = 0;
  for (int i = 0; i < count; ++i, ++at) {
    if (at >= text.size() || !is_digit(text[at])) return false;
    out = out * 10 + (text[at] - '0');
  }
  return true;
}

bool is_leap(int year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}
int days_in_month(int year, int month) {
  static constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/// Days since 1970-01-01 of the proleptic Gregorian calendar.
std::int64_t to_days(int year, int month, int day) {
  const std::int64_t y = month <= 2 ? year - 1 : year;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
  const std::int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}
bool from_days(std::int64_t days, PartialDate& out) {
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097, of_era = days - era * 146097;
  const std::int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const std::int64_t of_year = of_era - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
  const std::int64_t real_month = month < 10 ? month + 3 : month - 9;
  const std::int64_t real_year = year + era * 400 + (real_month <= 2 ? 1 : 0);
  if (real_year < 1 || real_year > 9999) return false;
  out.year = static_cast<std::int16_t>(real_year);
  out.month = static_cast<std::uint8_t>(real_month);
  out.day = static_cast<std::uint8_t>(of_year - (153 * month + 2) / 5 + 1);
  return true;
}

bool time_part(std::string_view text, std::size_t at, PartialDate& out) {
  int value = 0;
  if (!digits(text, at, 2, value) || value > 23) return false;
  out.hour = static_cast<std::uint8_t>(value);
  out.precision = DatePrecision::hour;
  if (at < text.size() && text[at] == ':') {
    if (!digits(text, ++at, 2, value) || value > 59) return false;
    out.minute = static_cast<std::uint8_t>(value);
    out.precision = DatePrecision::minute;
  }
  if (out.precision == DatePrecision::minute && at < text.size() && text[at] == ':') {
    if (!digits(text, ++at, 2, value) || value > 59) return false;
    out.second = static_cast<std::uint8_t>(value);
    out.precision = DatePrecision::second;
    if (at < text.size() && text[at] == '.') {
      const std::size_t begin = ++at;
      std::uint32_t unit = 100'000'000;
      for (; at < text.size() && is_digit(text[at]); ++at, unit /= 10)
        out.nanos += static_cast<std::uint32_t>(text[at] - '0') * unit;
      if (at == begin) return false;
      out.fraction_digits = static_cast<std::uint8_t>(std::min<std::size_t>(9, at - begin));
      out.precision = DatePrecision::fraction;
    }
  }
  if (at == text.size()) return true;
  if (text[at] == 'Z') {
    out.has_offset = true;
    return at + 1 == text.size();
  }
  if (text[at] != '+' && text[at] != '-') return false;
  const int sign = text[at++] == '-' ? -1 : 1;
  int hours = 0;
  if (!digits(text, at, 2, hours) || hours > 14 || at >= text.size() || text[at] != ':' ||
      !digits(text, ++at, 2, value) || value > 59 || at != text.size())
    return false;
  out.has_offset = true;
  out.offset_minutes = static_cast<std::int16_t>(sign * (hours * 60 + value));
  return true;
}

/// The value with its offset taken away, as UTC.
PartialDate to_utc(const PartialDate& value) {
  if (!value.has_offset || value.offset_minutes == 0 || !value.has_time()) return value;
  const std::int64_t minutes = std::int64_t{value.hour} * 60 + value.minute - value.offset_minutes;
  const std::int64_t days = minutes >= 0 ? minutes / 1440 : -((1439 - minutes) / 1440);
  PartialDate out = value;
  out.offset_minutes = 0;
  const std::int64_t rest = minutes - days * 1440;
  out.hour = static_cast<std::uint8_t>(rest / 60);
  out.minute = static_cast<std::uint8_t>(rest % 60);
  if (days != 0 && !from_days(to_days(value.year, value.month, value.day) + days, out)) return value;
  return out;
}

/// Seconds and fractions are compared as one number.
int level(DatePrecision precision) {
  return std::min(static_cast<int>(precision), static_cast<int>(DatePrecision::second));
}

std::int64_t field(const PartialDate& value, int level) {
  switch (level) {
    case 0:
      return value.year;
    case 1:
      return value.month;
    case 2:
      return value.day;
    case 3:
      return value.hour;
    case 4:
      return value.minute;
    default:
      return std::int64_t{value.second} * 1'000'000'000 + value.nanos;
  }
}

/// An offset only one of them has can move the other by a day at most.
bool is_day_apart(const PartialDate& a, const PartialDate& b) {
  const std::int64_t gap = to_days(a.year, a.month, a.day) - to_days(b.year, b.month, b.day);
  return gap >= 2 || gap <= -2;
}

constexpr std::int64_t kNanosOfDay = 86'400'000'000'000;

std::int64_t nanos_of(std::string_view unit) {
  if (unit == "hour") return 3'600'000'000'000;
  if (unit == "minute") return 60'000'000'000;
  if (unit == "second") return 1'000'000'000;
  return unit == "millisecond" ? 1'000'000 : 0;
}

}  // namespace

std::optional<PartialDate> parse_date(std::string_view text) {
  PartialDate out;
  std::size_t at = 0;
  int value = 0;
  if (!digits(text, at, 4, value) || value < 1) return std::nullopt;
  out.year = static_cast<std::int16_t>(value);
  if (at == text.size()) return out;
  if (text[at] != '-' || !digits(text, ++at, 2, value) || value < 1 || value > 12) return std::nullopt;
  out.month = static_cast<std::uint8_t>(value);
  out.precision = DatePrecision::month;
  if (at == text.size()) return out;
  if (text[at] != '-' || !digits(text, ++at, 2, value) || value < 1 ||
      value > days_in_month(out.year, out.month))
    return std::nullopt;
  out.day = static_cast<std::uint8_t>(value);
  out.precision = DatePrecision::day;
  return at == text.size() ? std::optional(out) : std::nullopt;
}

std::optional<PartialDate> parse_date_time(std::string_view text) {
  const std::size_t t = text.find('T');
  auto out = parse_date(text.substr(0, t));
  if (!out || t == std::string_view::npos || t + 1 == text.size()) return out;
  if (out->precision != DatePrecision::day || !time_part(text, t + 1, *out)) return std::nullopt;
  return out;
}

std::optional<PartialDate> parse_time(std::string_view text) {
  PartialDate out;
  if (!time_part(text, text.starts_with('T') ? 1 : 0, out) || out.has_offset) return std::nullopt;
  return out;
}

std::string print_date(PathKind kind, const PartialDate& value) {
  std::string out;
  const auto number = [&out](std::string_view before, unsigned digits_of, int width) {
    char text[16];
    std::snprintf(text, sizeof text, "%0*u", width, digits_of);
    out += before;
    out += text;
  };
  if (kind != PathKind::time) {
    number("", static_cast<unsigned>(value.year), 4);
    if (value.precision >= DatePrecision::month) number("-", value.month, 2);
    if (value.precision >= DatePrecision::day) number("-", value.day, 2);
    if (!value.has_time()) return out;
    out += 'T';
  }
  number("", value.hour, 2);
  if (value.precision >= DatePrecision::minute) number(":", value.minute, 2);
  if (value.precision >= DatePrecision::second) number(":", value.second, 2);
  if (value.precision == DatePrecision::fraction) {
    char text[16];
    std::snprintf(text, sizeof text, "%09u", value.nanos);
    out.append(".").append(text, value.fraction_digits);
  }
  if (!value.has_offset) return out;
  if (value.offset_minutes == 0) return out + "Z";
  const unsigned minutes =
      static_cast<unsigned>(value.offset_minutes < 0 ? -value.offset_minutes : value.offset_minutes);
  number(value.offset_minutes < 0 ? "-" : "+", minutes / 60, 2);
  number(":", minutes % 60, 2);
  return out;
}

std::optional<int> order_dates(const PartialDate& first, const PartialDate& second) {
  const bool both_times = first.has_time() && second.has_time();
  // Times of day and dateTimes start at different fields; the caller keeps them apart.
  if (both_times && first.has_offset != second.has_offset && first.year != 0 && !is_day_apart(first, second))
    return std::nullopt;
  const PartialDate a = both_times ? to_utc(first) : first, b = both_times ? to_utc(second) : second;
  const int levels_a = level(a.precision), levels_b = level(b.precision);
  for (int at = 0; at <= std::min(levels_a, levels_b); ++at) {
    const std::int64_t left = field(a, at), right = field(b, at);
    if (left != right) return left < right ? -1 : 1;
  }
  if (levels_a != levels_b) return std::nullopt;
  return 0;
}

Tri equal_dates(const PartialDate& a, const PartialDate& b) {
  const auto order = order_dates(a, b);
  return order ? tri(*order == 0) : Tri::empty;
}

bool equivalent_dates(const PartialDate& a, const PartialDate& b) {
  return order_dates(a, b) == 0;
}

std::optional<PartialDate> add_to_date(PathKind kind, const PartialDate& value, std::int64_t count,
                                       std::string_view unit) {
  constexpr std::int64_t kCountMax = 10'000'000'000;
  if (count > kCountMax || count < -kCountMax) return std::nullopt;
  PartialDate out = value;
  if (kind == PathKind::time) {
    const std::int64_t nanos = nanos_of(unit);
    if (nanos == 0) return std::nullopt;
    std::int64_t at =
        (value.hour * 3600LL + value.minute * 60LL + value.second) * 1'000'000'000 + value.nanos;
    at = (at + count % (kNanosOfDay / nanos) * nanos) % kNanosOfDay;
    if (at < 0) at += kNanosOfDay;
    out.hour = static_cast<std::uint8_t>(at / 3'600'000'000'000);
    out.minute = static_cast<std::uint8_t>(at / 60'000'000'000 % 60);
    out.second = static_cast<std::uint8_t>(at / 1'000'000'000 % 60);
    out.nanos = static_cast<std::uint32_t>(at % 1'000'000'000);
    if (out.nanos != 0 && out.precision == DatePrecision::second) {
      out.precision = DatePrecision::fraction;
      out.fraction_digits = 3;
    }
    return out;
  }
  if (unit == "year" || unit == "month") {
    std::int64_t months = unit == "year" ? count * 12 : count;
    if (value.precision == DatePrecision::year) months = months / 12 * 12;
    months += std::int64_t{value.year} * 12 + std::max<int>(1, value.month) - 1;
    const std::int64_t year = months / 12;
    if (months < 0 || year < 1 || year > 9999) return std::nullopt;
    out.year = static_cast<std::int16_t>(year);
    if (value.precision != DatePrecision::year) out.month = static_cast<std::uint8_t>(months % 12 + 1);
    if (value.precision >= DatePrecision::day)
      out.day = static_cast<std::uint8_t>(std::min<int>(value.day, days_in_month(out.year, out.month)));
    return out;
  }
  // A unit finer than the value counts as far as it makes whole units of the value's precision.
  std::int64_t days = 0, nanos = 0;
  if (unit == "week" || unit == "day") {
    days = unit == "week" ? count * 7 : count;
  } else {
    const std::int64_t size = nanos_of(unit);
    days = count / (kNanosOfDay / size);
    nanos = count % (kNanosOfDay / size) * size;
  }
  if (value.precision == DatePrecision::year || value.precision == DatePrecision::month) {
    const bool by_year = value.precision == DatePrecision::year;
    return add_to_date(kind, value, days / (by_year ? 365 : 30), by_year ? "year" : "month");
  }
  std::int64_t of_day =
      (value.hour * 3600LL + value.minute * 60LL + value.second) * 1'000'000'000 + value.nanos;
  if (value.precision == DatePrecision::day) nanos = 0;
  if (value.precision == DatePrecision::hour) nanos = nanos / 3'600'000'000'000 * 3'600'000'000'000;
  if (value.precision == DatePrecision::minute) nanos = nanos / 60'000'000'000 * 60'000'000'000;
  of_day += nanos;
  if (of_day < 0) {
    of_day += kNanosOfDay;
    --days;
  }
  days += of_day / kNanosOfDay;
  of_day %= kNanosOfDay;
  if (!from_days(to_days(value.year, value.month, value.day) + days, out)) return std::nullopt;
  out.hour = static_cast<std::uint8_t>(of_day / 3'600'000'000'000);
  out.minute = static_cast<std::uint8_t>(of_day / 60'000'000'000 % 60);
  out.second = static_cast<std::uint8_t>(of_day / 1'000'000'000 % 60);
  out.nanos = static_cast<std::uint32_t>(of_day % 1'000'000'000);
  if (out.nanos != 0 && out.precision == DatePrecision::second) {
    out.precision = DatePrecision::fraction;
    out.fraction_digits = 3;
  }
  return out;
}

int precision_of(PathKind kind, const PartialDate& value) {
  static constexpr int digits_of[] = {4, 6, 8, 10, 12, 14, 17};
  return digits_of[static_cast<int>(value.precision)] - (kind == PathKind::time ? 8 : 0);
}

std::optional<PartialDate> boundary(PathKind kind, const PartialDate& value, int wanted, bool high) {
  if (kind == PathKind::time) wanted += 8;
  static constexpr int digits_of[] = {4, 6, 8, 10, 12, 14, 17};
  const auto found = std::find(std::begin(digits_of), std::end(digits_of), wanted);
  if (found == std::end(digits_of)) return std::nullopt;
  const auto precision = static_cast<DatePrecision>(found - std::begin(digits_of));
  if ((kind == PathKind::date && wanted > 8) || (kind == PathKind::time && wanted < 10)) return std::nullopt;
  PartialDate out = value;
  if (value.precision < DatePrecision::month) out.month = high ? 12 : 1;
  if (value.precision < DatePrecision::day && kind != PathKind::time)
    out.day = static_cast<std::uint8_t>(high ? days_in_month(out.year, out.month) : 1);
  if (value.precision < DatePrecision::hour) out.hour = high ? 23 : 0;
  // The specification's examples take an hour without minutes as its first minute.
  if (value.precision < DatePrecision::minute)
    out.minute = high && value.precision != DatePrecision::hour ? 59 : 0;
  if (value.precision < DatePrecision::second) out.second = high ? 59 : 0;
  if (value.precision < DatePrecision::fraction) out.nanos = high ? 999'000'000 : 0;
  out.fraction_digits = 3;
  if (kind == PathKind::date_time && !value.has_offset && precision >= DatePrecision::hour) {
    out.has_offset = true;
    out.offset_minutes = static_cast<std::int16_t>(high ? -12 * 60 : 14 * 60);
  }
  out.precision = std::max(value.precision, DatePrecision::fraction);
  out = out.truncated(precision);
  if (precision == DatePrecision::fraction) out.fraction_digits = 3;
  if (precision < DatePrecision::hour) {
    out.has_offset = false;
    out.offset_minutes = 0;
  }
  return out;
}

}  // namespace kiln::fhir::detail
