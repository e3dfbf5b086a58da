#include "channels/connectors/detail/day_times.h"

#include <algorithm>

#include "engine/base/text.h"

namespace kiln::channels::detail {

namespace {

using base::ErrorCode;

constexpr std::int64_t kMinute = 60'000'000;  ///< microseconds
constexpr std::int64_t kDay = 1'440 * kMinute;
constexpr int kWeek = 7;

/// "06:30" -> 390.
std::optional<int> minute_of(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const auto two = [text](std::size_t at) {
    const char tens = text[at], ones = text[at + 1];
    return tens < '0' || tens > '9' || ones < '0' || ones > '9' ? 99 : (tens - '0') * 10 + (ones - '0');
  };
  if (two(0) > 23 || two(3) > 59) return std::nullopt;
  return two(0) * 60 + two(3);
}

}  // namespace

base::Result<DayTimes> DayTimes::parse(std::string_view text, std::string_view zone) {
  const auto found = base::TimeZone::find(zone);
  if (!found) return base::fail(ErrorCode::bad_value, "there is no such time zone", std::string(zone));
  DayTimes out(*found);
  for (const std::string_view each : base::split(text, ',')) {
    const std::string_view part = base::trim(each);
    const auto space = part.rfind(' ');
    const auto minute = minute_of(part.substr(space == part.npos ? 0 : space + 1));
    const std::string_view on = space == part.npos ? std::string_view() : part.substr(0, space);
    if (!minute || on.find(':') != on.npos)  // hours are no days
      return base::fail(ErrorCode::bad_value, "this is no time of the day", std::string(part), "Mon-Fri 06:30");
    TRY(base::Calendar days, base::Calendar::parse(on));
    out.parts_.push_back({std::move(days), *minute});
  }
  return out;
}

/// Those of the week before and after the local day of `at`, in order.
std::vector<std::int64_t> DayTimes::around(base::WallTime at) const {
  static const base::TimeZone kUtc = *base::TimeZone::find("UTC");
  base::PartialDate today = zone_.local(at, base::DatePrecision::day);
  today.has_offset = false;
  const std::int64_t midnight = today.lowest_micros();
  std::vector<std::int64_t> out;
  for (int day = -kWeek - 1; day <= kWeek + 1; ++day)
    for (const Part& part : parts_) {
      const std::int64_t local = midnight + day * kDay + part.minute * kMinute;
      if (!part.days.is_active({midnight + day * kDay}, kUtc)) continue;
      base::PartialDate moment = base::PartialDate::from_wall({local}, base::DatePrecision::minute);
      moment.has_offset = false;
      out.push_back(local - zone_.offset_minutes(moment) * kMinute);
    }
  std::sort(out.begin(), out.end());
  return out;
}

base::WallTime DayTimes::next(base::WallTime after) const {
  const auto all = around(after);
  return {*std::upper_bound(all.begin(), all.end(), after.micros)};
}

base::WallTime DayTimes::last(base::WallTime at) const {
  const auto all = around(at);
  return {*std::prev(std::upper_bound(all.begin(), all.end(), at.micros))};
}

}  // namespace kiln::channels::detail
