#pragma once
// When something is expected to happen: `active "Mon-Fri 07:00-19:00, Sat 08:00-12:00"; except "holidays.txt"`
// (operations.md §7).

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/partial_date.h"
#include "engine/base/result.h"

namespace kiln::base {

/// Immutable; any thread.
class Calendar {
 public:
  /// Empty: always. `24:00` is the end of the day; a time that goes over midnight (`22:00-06:00`) belongs to the day on which it
  /// begins. Errors: bad_value with the part as place.
  static Result<Calendar> parse(std::string_view active);
  /// Days without any: one a line, 2026-12-25, text after it and lines with # are notes. Errors: bad_date with the line.
  Status add_holidays(std::string_view text);

  bool is_active(WallTime at, const TimeZone& zone) const;
  /// Of the last `micros` before `at`, how many were active, in steps of a minute; at most a week is looked at.
  std::int64_t active_micros(WallTime at, std::int64_t micros, const TimeZone& zone) const;

 private:
  struct Span {
    unsigned days = 0;        ///< bit 0: Monday
    int from = 0, to = 1440;  ///< minutes of the day
  };
  bool covers(const PartialDate& local) const;
  std::vector<Span> spans_;
  std::set<std::string> holidays_;
};

/// Hours in which something is open: a calendar in a time zone.
class OpenHours {
 public:
  /// Errors: as Calendar::parse(); bad_value for a zone that does not exist.
  static Result<OpenHours> parse(std::string_view text, std::string_view zone);

  bool open(WallTime at) const { return calendar_.is_active(at, zone_); }
  /// When it opens, of a time when it is closed, to the minute; a week is looked at.
  std::optional<WallTime> next(WallTime at) const;
  std::string_view zone() const { return zone_.name(); }
  /// "open Mon-Fri 07:00-19:00 (Europe/Berlin), next at 2026-11-23 07:00", of a time when it is closed.
  std::string reason(WallTime at) const;

 private:
  OpenHours(Calendar calendar, TimeZone zone, std::string text)
      : calendar_(std::move(calendar)), zone_(zone), text_(std::move(text)) {}
  Calendar calendar_;
  TimeZone zone_;
  std::string text_;
};

}  // namespace kiln::base
