#pragma once
// Moments of the day in a time zone: "06:30", "Mon-Fri 18:00, Sat 12:00".

#include <string_view>
#include <vector>

#include "engine/base/calendar.h"

namespace kiln::channels::detail {

/// Each local time comes once a day: one that the clock skips comes as much later as it was set forward, one that it has twice
/// comes the first time. Immutable.
class DayTimes {
 public:
  /// Errors: bad_value with the part as place; for a zone that does not exist.
  static base::Result<DayTimes> parse(std::string_view text, std::string_view zone);
  base::WallTime next(base::WallTime after) const;  ///< the first one behind `after`
  base::WallTime last(base::WallTime at) const;     ///< the newest one that is not behind `at`

 private:
  struct Part {
    base::Calendar days;
    int minute = 0;  ///< of the day
  };
  explicit DayTimes(base::TimeZone zone) : zone_(zone) {}
  std::vector<std::int64_t> around(base::WallTime at) const;
  std::vector<Part> parts_;
  base::TimeZone zone_;
};

}  // namespace kiln::channels::detail
