#include "engine/base/calendar.h"

#include <algorithm>
#include <array>
#include <optional>

#include "engine/base/text.h"

namespace kiln::base {
namespace {

constexpr std::array<std::string_view, 7> kDays = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
constexpr int kDayMinutes = 1'440;
constexpr std::int64_t kMicrosAMinute = 60'000'000;

std::optional<int> day_of(std::string_view text) {
  const std::string name = lower_ascii(trim(text));
  for (std::size_t i = 0; i < kDays.size(); ++i)
    if (name == kDays[i]) return static_cast<int>(i);
  return std::nullopt;
}

/// "07:00" -> 420.
std::optional<int> minute_of(std::string_view text) {
  constexpr std::size_t kLength = 5;
  text = trim(text);
  if (text.size() != kLength || text[2] != ':') return std::nullopt;
  for (const std::size_t i : {0U, 1U, 3U, 4U})
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
  const int hour = (text[0] - '0') * 10 + (text[1] - '0'), minute = (text[3] - '0') * 10 + (text[4] - '0');
  if (minute > 59 || hour > 24 || (hour == 24 && minute > 0)) return std::nullopt;
  return hour * 60 + minute;
}

tl::unexpected<Error> bad(std::string_view part) {
  return fail(ErrorCode::bad_value, "this is no time of the week", std::string(part),
                    "Mon-Fri 07:00-19:00, Sat 08:00-12:00");
}

/// 0 = Monday.
int weekday(const PartialDate& date) {
  constexpr std::int64_t kMicrosADay = 86'400'000'000;
  PartialDate day = date;
  day.precision = DatePrecision::day;
  day.has_offset = false;
  const std::int64_t days = day.lowest_micros() / kMicrosADay;  // 1970-01-01 was a Thursday
  return static_cast<int>(((days + 3) % 7 + 7) % 7);
}

}  // namespace

Result<Calendar> Calendar::parse(std::string_view active) {
  Calendar out;
  if (trim(active).empty()) return out;
  for (const std::string_view part : split(active, ',')) {
    const std::string_view text = trim(part);
    const auto space = text.find(' ');
    Span span;
    const auto days = split(text.substr(0, space), '-');
    const auto first = day_of(days.front()), last = day_of(days.back());
    if (!first || !last || days.size() > 2) return bad(text);
    for (int day = *first;; day = (day + 1) % 7) {
      span.days |= 1U << day;
      if (day == *last) break;
    }
    if (space != std::string_view::npos) {
      const auto times = split(text.substr(space + 1), '-');
      const auto from = minute_of(times.front()), to = minute_of(times.back());
      if (times.size() != 2 || !from || !to || *from == *to) return bad(text);
      span.from = *from;
      span.to = *to;
    }
    out.spans_.push_back(span);
  }
  return out;
}

Status Calendar::add_holidays(std::string_view text) {
  int number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    line = trim(line);
    if (line.empty() || line.front() == '#') continue;
    constexpr std::size_t kLength = 10;
    const auto date = PartialDate::parse_fhir(line.substr(0, kLength));
    if (!date || date->precision != DatePrecision::day)
      return fail(ErrorCode::bad_date, "this is no day", "line " + std::to_string(number), "2026-12-25 Christmas");
    holidays_.insert(date->print_fhir());
  }
  return {};
}

bool Calendar::covers(const PartialDate& local) const {
  if (spans_.empty()) return true;
  const int minute = local.hour * 60 + local.minute, day = weekday(local), before = (day + 6) % 7;
  for (const Span& span : spans_) {
    if (span.from < span.to) {
      if ((span.days & (1U << day)) != 0 && minute >= span.from && minute < span.to) return true;
      continue;
    }
    if ((span.days & (1U << day)) != 0 && minute >= span.from) return true;
    if ((span.days & (1U << before)) != 0 && minute < span.to) return true;
  }
  return false;
}

bool Calendar::is_active(WallTime at, const TimeZone& zone) const {
  const PartialDate local = zone.local(at, DatePrecision::minute);
  if (!holidays_.empty() && holidays_.contains(local.truncated(DatePrecision::day).print_fhir())) return false;
  return covers(local);
}

std::int64_t Calendar::active_micros(WallTime at, std::int64_t micros, const TimeZone& zone) const {
  if (spans_.empty() && holidays_.empty()) return micros;
  constexpr std::int64_t kMost = std::int64_t{7} * kDayMinutes * kMicrosAMinute;
  std::int64_t active = 0;
  for (std::int64_t back = 0; back < std::min(micros, kMost); back += kMicrosAMinute)
    if (is_active({at.micros - back}, zone)) active += std::min(kMicrosAMinute, micros - back);
  return active;
}

Result<OpenHours> OpenHours::parse(std::string_view text, std::string_view zone) {
  TRY(Calendar calendar, Calendar::parse(text));
  const auto found = TimeZone::find(zone.empty() ? std::string_view("UTC") : zone);
  if (!found) return fail(ErrorCode::bad_value, "there is no such time zone", std::string(zone));
  return OpenHours(std::move(calendar), *found, std::string(trim(text)));
}

std::optional<WallTime> OpenHours::next(WallTime at) const {
  const std::int64_t begin = at.micros - at.micros % kMicrosAMinute;
  for (std::int64_t step = 1; step <= std::int64_t{8} * kDayMinutes; ++step) {
    const WallTime then{begin + step * kMicrosAMinute};
    if (open(then)) return then;
  }
  return std::nullopt;
}

std::string OpenHours::reason(WallTime at) const {
  const std::string out = "open " + text_ + " (" + std::string(zone_.name()) + ")";
  const auto opens = next(at);
  if (!opens) return out;
  std::string text = zone_.local(*opens, DatePrecision::minute).print_fhir().substr(0, 16);
  text[10] = ' ';
  return out + ", next at " + text;
}

}  // namespace kiln::base
