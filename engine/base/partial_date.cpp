#include "engine/base/partial_date.h"

#include <date/date.h>

#include <array>
#include <cstdio>

namespace kiln::base {
namespace {

constexpr std::array<std::string_view, 7> kPrecisionNames = {"year",   "month",  "day",     "hour",
                                                             "minute", "second", "fraction"};

/// Reads digits from the front of a text.
class Digits {
 public:
  explicit Digits(std::string_view text) : text_(text) {}
  bool empty() const { return text_.empty(); }
  bool at(char c) const { return !text_.empty() && text_.front() == c; }
  bool take(char c) {
    if (!at(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool digit_next() const { return !text_.empty() && text_.front() >= '0' && text_.front() <= '9'; }
  /// Exactly `count` digits.
  bool number(int count, int& out) {
    if (text_.size() < static_cast<std::size_t>(count)) return false;
    out = 0;
    for (int i = 0; i < count; ++i) {
      const char c = text_[static_cast<std::size_t>(i)];
      if (c < '0' || c > '9') return false;
      out = out * 10 + (c - '0');
    }
    text_.remove_prefix(static_cast<std::size_t>(count));
    return true;
  }
  /// One or more digits of a fraction, kept to nanoseconds.
  bool fraction(std::uint32_t& nanos, std::uint8_t& digits) {
    nanos = 0;
    digits = 0;
    std::uint32_t unit = 100'000'000;
    while (digit_next()) {
      if (digits < 9) {
        nanos += static_cast<std::uint32_t>(text_.front() - '0') * unit;
        unit /= 10;
        ++digits;
      }
      text_.remove_prefix(1);
    }
    return digits > 0;
  }
  bool offset(PartialDate& out, bool colon) {
    const bool minus = at('-');
    if (!take('+') && !take('-')) return false;
    int hours = 0, minutes = 0;
    if (!number(2, hours)) return false;
    if (colon && !take(':')) return false;
    if (!number(2, minutes) || hours > 14 || minutes > 59) return false;
    out.has_offset = true;
    out.offset_minutes = static_cast<std::int16_t>((hours * 60 + minutes) * (minus ? -1 : 1));
    return true;
  }

 private:
  std::string_view text_;
};

bool valid_date(const PartialDate& d) {
  if (d.year < 1) return false;
  if (d.precision == DatePrecision::year) return true;
  if (d.month < 1 || d.month > 12) return false;
  if (d.precision == DatePrecision::month) return true;
  return date::year_month_day(date::year(d.year), date::month(d.month), date::day(d.day)).ok();
}

std::int64_t local_seconds(const PartialDate& d) {
  const auto days = date::sys_days(date::year(d.year) / std::max<int>(1, d.month) / std::max<int>(1, d.day));
  return days.time_since_epoch().count() * 86400LL + d.hour * 3600 + d.minute * 60 + d.second;
}

void set_from_local_seconds(PartialDate& d, std::int64_t seconds) {
  const std::int64_t day_number = seconds >= 0 ? seconds / 86400 : -((-seconds + 86399) / 86400);
  const std::int64_t rest = seconds - day_number * 86400;
  const date::year_month_day ymd{date::sys_days(date::days(day_number))};
  d.year = static_cast<std::int16_t>(int(ymd.year()));
  d.month = static_cast<std::uint8_t>(unsigned(ymd.month()));
  d.day = static_cast<std::uint8_t>(unsigned(ymd.day()));
  d.hour = static_cast<std::uint8_t>(rest / 3600);
  d.minute = static_cast<std::uint8_t>(rest / 60 % 60);
  d.second = static_cast<std::uint8_t>(rest % 60);
}

/// 24:00[:00] and second 60 move to the moment they stand for.
bool settle_time(PartialDate& d) {
  const bool midnight = d.hour == 24 && d.minute == 0 && d.second == 0 && d.nanos == 0;
  if ((d.hour > 23 && !midnight) || d.minute > 59 || d.second > 60) return false;
  if (midnight || d.second == 60) set_from_local_seconds(d, local_seconds(d));
  return true;
}

/// `value` is not negative; `width` 1 to 9, more digits than that are written too.
void append_number(std::string& out, int value, int width) {
  char buffer[16];
  char* const end = buffer + sizeof buffer;
  char* at = end;
  for (; value != 0 || end - at < width; value /= 10) *--at = static_cast<char>('0' + value % 10);
  out.append(at, end);
}

void append_fraction(std::string& out, const PartialDate& d) {
  char buffer[16];
  std::snprintf(buffer, sizeof buffer, "%09u", d.nanos);
  out += '.';
  out.append(buffer, d.fraction_digits);
}

void append_offset(std::string& out, int minutes, const char* separator) {
  out += minutes < 0 ? '-' : '+';
  const int size = minutes < 0 ? -minutes : minutes;
  append_number(out, size / 60, 2);
  out += separator;
  append_number(out, size % 60, 2);
}

}  // namespace

std::string_view name_of(DatePrecision precision) {
  return kPrecisionNames[static_cast<std::size_t>(precision)];
}

std::optional<DatePrecision> date_precision(std::string_view name) {
  for (std::size_t i = 0; i < kPrecisionNames.size(); ++i)
    if (kPrecisionNames[i] == name) return static_cast<DatePrecision>(i);
  return std::nullopt;
}

std::optional<PartialDate> PartialDate::parse_hl7(std::string_view text) {
  PartialDate d;
  Digits in(text);
  int value = 0;
  if (!in.number(4, value)) return std::nullopt;
  d.year = static_cast<std::int16_t>(value);
  std::uint8_t* const parts[] = {&d.month, &d.day, &d.hour, &d.minute, &d.second};
  for (std::size_t i = 0; i < 5 && in.digit_next(); ++i) {
    if (!in.number(2, value)) return std::nullopt;
    *parts[i] = static_cast<std::uint8_t>(value);
    d.precision = static_cast<DatePrecision>(i + 1);
  }
  if (in.at('.')) {
    if (d.precision != DatePrecision::second) return std::nullopt;
    in.take('.');
    if (!in.fraction(d.nanos, d.fraction_digits)) return std::nullopt;
    d.precision = DatePrecision::fraction;
  }
  if ((in.at('+') || in.at('-')) && !in.offset(d, false)) return std::nullopt;
  if (!in.empty() || !valid_date(d) || !settle_time(d)) return std::nullopt;
  return d;
}

std::optional<PartialDate> PartialDate::parse_fhir(std::string_view text) {
  PartialDate d;
  Digits in(text);
  int value = 0;
  if (!in.number(4, value)) return std::nullopt;
  d.year = static_cast<std::int16_t>(value);
  if (in.take('-')) {
    if (!in.number(2, value)) return std::nullopt;
    d.month = static_cast<std::uint8_t>(value);
    d.precision = DatePrecision::month;
    if (in.take('-')) {
      if (!in.number(2, value)) return std::nullopt;
      d.day = static_cast<std::uint8_t>(value);
      d.precision = DatePrecision::day;
    }
  }
  if (in.take('T')) {
    int hour = 0, minute = 0, second = 0;
    if (d.precision != DatePrecision::day || !in.number(2, hour) || !in.take(':') || !in.number(2, minute) ||
        !in.take(':') || !in.number(2, second))
      return std::nullopt;
    d.hour = static_cast<std::uint8_t>(hour);
    d.minute = static_cast<std::uint8_t>(minute);
    d.second = static_cast<std::uint8_t>(second);
    d.precision = DatePrecision::second;
    if (in.take('.')) {
      if (!in.fraction(d.nanos, d.fraction_digits)) return std::nullopt;
      d.precision = DatePrecision::fraction;
    }
    if (in.take('Z'))
      d.has_offset = true;
    else if (!in.empty() && !in.offset(d, true))
      return std::nullopt;
  }
  if (!in.empty() || !valid_date(d) || !settle_time(d)) return std::nullopt;
  return d;
}

std::optional<PartialDate> PartialDate::parse_pattern(std::string_view text, std::string_view pattern) {
  struct Part {
    std::string_view letters;
    DatePrecision precision;
  };
  static constexpr Part kParts[] = {{"yyyy", DatePrecision::year}, {"MM", DatePrecision::month},
                                    {"dd", DatePrecision::day},    {"HH", DatePrecision::hour},
                                    {"mm", DatePrecision::minute}, {"ss", DatePrecision::second}};
  PartialDate d;
  Digits in(text);
  while (!pattern.empty()) {
    bool matched = false;
    for (const Part& part : kParts) {
      if (!pattern.starts_with(part.letters)) continue;
      int value = 0;
      if (!in.number(static_cast<int>(part.letters.size()), value)) return std::nullopt;
      switch (part.precision) {
        case DatePrecision::year:
          d.year = static_cast<std::int16_t>(value);
          break;
        case DatePrecision::month:
          d.month = static_cast<std::uint8_t>(value);
          break;
        case DatePrecision::day:
          d.day = static_cast<std::uint8_t>(value);
          break;
        case DatePrecision::hour:
          d.hour = static_cast<std::uint8_t>(value);
          break;
        case DatePrecision::minute:
          d.minute = static_cast<std::uint8_t>(value);
          break;
        default:
          d.second = static_cast<std::uint8_t>(value);
          break;
      }
      d.precision = std::max(d.precision, part.precision);
      pattern.remove_prefix(part.letters.size());
      matched = true;
      break;
    }
    if (matched) continue;
    if (!in.take(pattern.front())) return std::nullopt;
    pattern.remove_prefix(1);
  }
  if (!in.empty() || !valid_date(d) || !settle_time(d)) return std::nullopt;
  return d;
}

PartialDate PartialDate::from_wall(WallTime time, DatePrecision precision) {
  PartialDate d;
  const std::int64_t seconds =
      time.micros >= 0 ? time.micros / 1'000'000 : -((-time.micros + 999'999) / 1'000'000);
  set_from_local_seconds(d, seconds);
  d.nanos = static_cast<std::uint32_t>((time.micros - seconds * 1'000'000) * 1000);
  d.fraction_digits = 3;
  d.precision = DatePrecision::fraction;
  d.has_offset = true;
  return d.truncated(precision);
}

std::string PartialDate::print_hl7() const {
  std::string out;
  append_number(out, year, 4);
  const int parts[] = {month, day, hour, minute, second};
  for (std::size_t i = 0; i < 5 && static_cast<std::size_t>(precision) > i; ++i)
    append_number(out, parts[i], 2);
  if (precision == DatePrecision::fraction) append_fraction(out, *this);
  if (has_offset && has_time()) append_offset(out, offset_minutes, "");
  return out;
}

std::string PartialDate::print_fhir() const {
  std::string out;
  append_number(out, year, 4);
  if (precision >= DatePrecision::month) append_number(out += '-', month, 2);
  if (precision >= DatePrecision::day) append_number(out += '-', day, 2);
  if (!has_time()) return out;
  append_number(out += 'T', hour, 2);
  append_number(out += ':', minute, 2);
  append_number(out += ':', second, 2);
  if (precision == DatePrecision::fraction) append_fraction(out, *this);
  if (!has_offset) return out;
  if (offset_minutes == 0)
    out += 'Z';
  else
    append_offset(out, offset_minutes, ":");
  return out;
}

std::string PartialDate::print_pattern(std::string_view pattern) const {
  std::string out;
  while (!pattern.empty()) {
    const auto field = [&](std::string_view letters, int value) {
      if (!pattern.starts_with(letters)) return false;
      append_number(out, value, static_cast<int>(letters.size()));
      pattern.remove_prefix(letters.size());
      return true;
    };
    if (field("yyyy", year) || field("MM", month) || field("dd", day) || field("HH", hour) ||
        field("mm", minute) || field("ss", second))
      continue;
    out += pattern.front();
    pattern.remove_prefix(1);
  }
  return out;
}

PartialDate PartialDate::truncated(DatePrecision to) const {
  PartialDate d = *this;
  if (to >= precision) return d;
  d.precision = to;
  d.nanos = 0;
  d.fraction_digits = 0;
  if (to < DatePrecision::second) d.second = 0;
  if (to < DatePrecision::minute) d.minute = 0;
  if (to < DatePrecision::hour) {
    d.hour = 0;
    d.has_offset = false;
    d.offset_minutes = 0;
  }
  if (to < DatePrecision::day) d.day = 0;
  if (to < DatePrecision::month) d.month = 0;
  return d;
}

std::int64_t PartialDate::lowest_micros() const {
  return (local_seconds(*this) - offset_minutes * 60) * 1'000'000 + nanos / 1000;
}

std::int64_t PartialDate::highest_micros() const {
  PartialDate next = *this;
  std::int64_t width = 1;
  switch (precision) {
    case DatePrecision::year:
      ++next.year;
      return next.lowest_micros() - 1;
    case DatePrecision::month:
      if (month == 12) {
        next.month = 1;
        ++next.year;
      } else {
        ++next.month;
      }
      return next.lowest_micros() - 1;
    case DatePrecision::day:
      width = 86'400'000'000;
      break;
    case DatePrecision::hour:
      width = 3'600'000'000;
      break;
    case DatePrecision::minute:
      width = 60'000'000;
      break;
    case DatePrecision::second:
      width = 1'000'000;
      break;
    case DatePrecision::fraction:
      for (int i = fraction_digits; i < 6; ++i) width *= 10;
      break;
  }
  return lowest_micros() + width - 1;
}

}  // namespace kiln::base
