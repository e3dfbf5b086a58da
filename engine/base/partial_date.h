#pragma once
// Dates and times with the precision they were given: never padded, a date never gains a time (hmap.md §5, hl7v2.md §9).

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/clock.h"

namespace kiln::base {

enum class DatePrecision : std::uint8_t { year, month, day, hour, minute, second, fraction };
std::string_view name_of(DatePrecision precision);                       ///< "year" … "fraction"
std::optional<DatePrecision> date_precision(std::string_view name);

struct PartialDate {
  std::int16_t year = 0;
  std::uint8_t month = 0, day = 0, hour = 0, minute = 0, second = 0;  ///< 0 beyond the precision
  std::uint8_t fraction_digits = 0;                                   ///< 0..9
  std::uint32_t nanos = 0;
  DatePrecision precision = DatePrecision::year;
  bool has_offset = false;
  std::int16_t offset_minutes = 0;

  /// HL7 TS/DTM/DT: YYYY[MM[DD[HH[MM[SS[.f…]]]]]][±ZZZZ]. 24:00 becomes the next day's 00:00; second 60
  /// becomes the next minute's :00.
  /// nullopt for impossible dates, "0", "00000000", empty.
  static std::optional<PartialDate> parse_hl7(std::string_view text);
  /// FHIR date, dateTime, instant.
  static std::optional<PartialDate> parse_fhir(std::string_view text);
  /// A pattern of yyyy MM dd HH mm ss with literals ("dd.MM.yyyy HH:mm"). nullopt when the text does not fit exactly.
  static std::optional<PartialDate> parse_pattern(std::string_view text, std::string_view pattern);
  /// UTC.
  static PartialDate from_wall(WallTime time, DatePrecision precision = DatePrecision::second);

  std::string print_hl7() const;   ///< digits of the precision, offset if there is one and there is a time
  /// Date up to day; with a time: needs seconds in FHIR, so an hour or minute precision prints ":00" for what FHIR
  /// demands; an offset is required by FHIR with a time ("Z" for 0 only when `has_offset`).
  std::string print_fhir() const;
  std::string print_pattern(std::string_view pattern) const;
  /// Same moment, at most that precision.
  PartialDate truncated(DatePrecision to) const;
  bool has_time() const { return precision >= DatePrecision::hour; }
  /// Start of the interval this date stands for, in UTC micros (offset 0 when none is known).
  std::int64_t lowest_micros() const;
  std::int64_t highest_micros() const;  ///< last microsecond of the interval
  bool operator==(const PartialDate&) const = default;
};

/// A time zone by IANA name; loaded once, kept for the process. Thread-safe.
class TimeZone {
 public:
  /// nullopt when the name is unknown. "UTC" is always known.
  static std::optional<TimeZone> find(std::string_view name);
  /// Offset in minutes at a local time (the earlier one when ambiguous, the one before the gap when skipped).
  int offset_minutes(const PartialDate& local) const;
  /// The local time of an instant, with its offset.
  PartialDate local(WallTime time, DatePrecision precision = DatePrecision::second) const;
  std::string_view name() const;

 private:
  explicit TimeZone(const void* zone) : zone_(zone) {}
  const void* zone_;
};

}  // namespace kiln::base
