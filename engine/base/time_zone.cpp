#include <date/tz.h>

#include <exception>

#include "engine/base/partial_date.h"

namespace kiln::base {

std::optional<TimeZone> TimeZone::find(std::string_view name) {
  try {
    return TimeZone(date::locate_zone(std::string(name)));
  } catch (const std::exception&) {
    return std::nullopt;  // the library reports an unknown name by exception
  }
}

std::string_view TimeZone::name() const {
  return static_cast<const date::time_zone*>(zone_)->name();
}

int TimeZone::offset_minutes(const PartialDate& local) const {
  const auto* zone = static_cast<const date::time_zone*>(zone_);
  const auto day =
      date::local_days(date::year(local.year) / std::max<int>(1, local.month) / std::max<int>(1, local.day));
  const auto info = zone->get_info(day + std::chrono::hours(local.hour) + std::chrono::minutes(local.minute) +
                                   std::chrono::seconds(local.second));
  return static_cast<int>(std::chrono::duration_cast<std::chrono::minutes>(info.first.offset).count());
}

PartialDate TimeZone::local(WallTime time, DatePrecision precision) const {
  const auto* zone = static_cast<const date::time_zone*>(zone_);
  const date::sys_seconds seconds(
      std::chrono::floor<std::chrono::seconds>(std::chrono::microseconds(time.micros)));
  const auto offset =
      std::chrono::duration_cast<std::chrono::minutes>(zone->get_info(seconds).offset).count();
  PartialDate d = PartialDate::from_wall({time.micros + offset * 60'000'000}, precision);
  if (d.has_time()) {
    d.has_offset = true;
    d.offset_minutes = static_cast<std::int16_t>(offset);
  }
  return d;
}

}  // namespace kiln::base
