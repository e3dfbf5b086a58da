#pragma once
// Dates, times and their arithmetic (N1 §6.2, §6.7.1, lowBoundary …). Private to fhir/path.

#include <optional>
#include <string>
#include <string_view>

#include "fhir/path/detail/evaluator.h"

namespace kiln::fhir::detail {

/// Text of a literal (without "@") or a string that is converted: date, dateTime with or without a time
/// ("2014T", "2014-01-25T14:30:14.559+10:00"), time ("T14:30", or without "T" when `kind` is time).
std::optional<base::PartialDate> parse_date(std::string_view text);
std::optional<base::PartialDate> parse_date_time(std::string_view text);
std::optional<base::PartialDate> parse_time(std::string_view text);

/// As the text of toString(): "2014-12-14", "2014-12-14T10:30:00.5+01:00", "14:30". Nothing is padded.
std::string print_date(PathKind kind, const base::PartialDate& value);

/// Equal by their common precision; `empty` when only one goes further (seconds and fraction are one
/// precision), or only one has an offset and that matters.
Tri equal_dates(const base::PartialDate& a, const base::PartialDate& b);
/// -1, 0, 1; nothing when the precision does not tell.
std::optional<int> order_dates(const base::PartialDate& a, const base::PartialDate& b);
/// Same precision and same value.
bool equivalent_dates(const base::PartialDate& a, const base::PartialDate& b);

/// value + count units, `unit` a calendar word. Whole units only. A precision that the value does not have is
/// not reached: 2014 + 24 months = 2016. nullopt outside the years 1–9999, or when a time has no such unit.
std::optional<base::PartialDate> add_to_date(PathKind kind, const base::PartialDate& value,
                                             std::int64_t count, std::string_view unit);

/// Digits of the value: 2014 → 4, T10:30 → 4, with milliseconds 17.
int precision_of(PathKind kind, const base::PartialDate& value);
/// The lowest or highest value at that many digits that the value can stand for; nullopt when the number of
/// digits is none.
std::optional<base::PartialDate> boundary(PathKind kind, const base::PartialDate& value, int digits,
                                          bool high);

}  // namespace kiln::fhir::detail
