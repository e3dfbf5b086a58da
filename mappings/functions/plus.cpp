#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

constexpr std::int64_t kDay = 86'400;

/// Days since 1970-01-01 in the proleptic Gregorian calendar.
std::int64_t days_of(int year, unsigned month, unsigned day) {
  const int y = month <= 2 ? year - 1 : year;
  const int era = (y >= 0 ? y : y - 399) / 400;
  const auto yoe = static_cast<unsigned>(y - era * 400);
  const unsigned doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return static_cast<std::int64_t>(era) * 146'097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719'468;
}

unsigned days_in_month(int year, unsigned month) {
  if (month == 12) return 31;
  return static_cast<unsigned>(days_of(year, month + 1, 1) - days_of(year, month, 1));
}

bool set_local(base::PartialDate& when, std::int64_t seconds) {
  std::int64_t days = seconds / kDay, rest = seconds % kDay;
  if (rest < 0) {
    rest += kDay;
    --days;
  }
  const std::int64_t z = days + 719'468;
  const std::int64_t era = (z >= 0 ? z : z - 146'096) / 146'097;
  const auto doe = static_cast<unsigned>(z - era * 146'097);
  const unsigned yoe = (doe - doe / 1460 + doe / 36'524 - doe / 146'096) / 365;
  const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const unsigned mp = (5 * doy + 2) / 153;
  const unsigned month = mp < 10 ? mp + 3 : mp - 9;
  const std::int64_t year = static_cast<std::int64_t>(yoe) + era * 400 + (month <= 2 ? 1 : 0);
  if (year < 1 || year > 9999) return false;
  when.year = static_cast<std::int16_t>(year);
  when.month = static_cast<std::uint8_t>(month);
  when.day = static_cast<std::uint8_t>(doy - (153 * mp + 2) / 5 + 1);
  if (when.precision >= base::DatePrecision::hour) {
    when.hour = static_cast<std::uint8_t>(rest / 3600);
    when.minute = static_cast<std::uint8_t>(rest / 60 % 60);
    when.second = static_cast<std::uint8_t>(rest % 60);
  }
  return true;
}

bool add_months(base::PartialDate& when, std::int64_t months) {
  const bool has_month = when.precision >= base::DatePrecision::month;
  const std::int64_t total =
      static_cast<std::int64_t>(when.year) * 12 + (has_month ? when.month - 1 : 0) + months;
  if (total < 12 || total / 12 > 9999) return false;
  when.year = static_cast<std::int16_t>(total / 12);
  if (has_month) when.month = static_cast<std::uint8_t>(total % 12 + 1);
  if (when.precision >= base::DatePrecision::day) {
    when.day = static_cast<std::uint8_t>(std::min<unsigned>(when.day, days_in_month(when.year, when.month)));
  }
  return true;
}

std::int64_t seconds_of(std::string_view unit) {
  if (unit == "week") return 7 * kDay;
  if (unit == "day") return kDay;
  if (unit == "hour") return 3600;
  if (unit == "minute") return 60;
  return unit == "second" ? 1 : 0;
}

Value call(std::span<const Value> arguments, FunctionContext& context) {
  const std::string_view unit = arguments.size() > 2 ? arguments[2].text() : "day";
  base::PartialDate when = *arguments[0].date;
  std::int64_t amount = arguments[1].integer;
  constexpr std::int64_t kAmountMax = 1'000'000'000;
  if (amount > kAmountMax || amount < -kAmountMax) return Value::bad("too large an amount");
  if (unit == "year" || unit == "month") {
    if (unit == "month" && when.precision < base::DatePrecision::month)
      return Value::bad("the date has no month");
    if (!add_months(when, unit == "year" ? amount * 12 : amount)) return Value::bad("beyond the calendar");
    return Value::of_date(context.arena.make<base::PartialDate>(when));
  }
  const std::int64_t seconds = seconds_of(unit);
  if (seconds == 0) return Value::bad("plus does not know this unit");
  const bool needs_time = seconds < kDay;
  if (needs_time ? !when.has_time() : when.precision < base::DatePrecision::day)
    return Value::bad("the date is not that precise");
  // Local arithmetic: the offset stays, so the sum of a local time and whole days keeps its time of day.
  const std::int64_t local = days_of(when.year, when.month, when.day) * kDay + when.hour * 3600 +
                             when.minute * 60 + when.second + amount * seconds;
  if (!set_local(when, local)) return Value::bad("beyond the calendar");
  return Value::of_date(context.arena.make<base::PartialDate>(when));
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"when", FunctionType::date, false, "date or time"},
    FunctionParameter{"amount", FunctionType::integer, false, "may be negative"},
    FunctionParameter{"unit", FunctionType::string, true,
                      "\"year\" \"month\" \"week\" \"day\" (default) \"hour\" \"minute\" \"second\""}};
constexpr FunctionExample kExamples[] = {
    FunctionExample{"plus(\"2025-01-31\", 1, \"month\")", "\"2025-02-28\""},
    FunctionExample{"plus(\"2025-12-31\", 1)", "\"2026-01-01\""},
    FunctionExample{"plus(\"2025-08-18T23:30:00Z\", 45, \"minute\")", "\"2025-08-19T00:15:00Z\""},
    FunctionExample{"plus(\"196106\", 0 - 1, \"month\")", "\"1961-05\""}};

}  // namespace

const FunctionSpec& plus_spec() {
  static const FunctionSpec spec{
      "plus",      "a date moved by years, months, weeks, days, hours, minutes or seconds",
      kParameters, false,
      false,       FunctionType::date,
      kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
