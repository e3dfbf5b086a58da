#pragma once
// Scalar texts: parsing and printing without floating point and without allocation outside the arena.

#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/base/json.h"
#include "engine/base/partial_date.h"
#include "mappings/arena.h"

namespace kiln::mappings::detail {

std::string_view print_integer(Arena& arena, std::int64_t value);
/// FHIR spelling of a date, dateTime or instant (base::PartialDate::print_fhir).
std::string_view print_fhir_date(Arena& arena, const base::PartialDate& date);
/// HL7 spelling (base::PartialDate::print_hl7).
std::string_view print_hl7_date(Arena& arena, const base::PartialDate& date);

/// What a pattern of yyyy MM dd HH mm ss asks for; a date of less precision does not fit it.
base::DatePrecision precision_of_pattern(std::string_view pattern);

/// Y N T F 1 0 and true false yes no, in any case.
std::optional<bool> parse_boolean(std::string_view text);
/// Outer blanks and a sign are taken; "2.0" is no integer.
std::optional<std::int64_t> parse_integer(std::string_view text);
/// The number in JSON spelling, digits kept ("007.50" -> "7.50"); `text` itself when it is JSON already.
std::optional<std::string_view> json_number(Arena& arena, std::string_view text);
/// HL7 TM or FHIR time -> hh:mm:ss[.f] (`fhir`) or hhmm[ss[.f]]; seconds missing become :00 in FHIR. An
/// offset is dropped by FHIR's time, which has none.
std::optional<std::string_view> parse_time(Arena& arena, std::string_view text, bool fhir);
bool is_code(std::string_view text);  ///< FHIR code: not empty, single inner blanks
bool is_id(std::string_view text);    ///< FHIR id: [A-Za-z0-9.-]{1,64}
bool is_json_boolean(const base::JsonView& view);
/// letters -> x, digits -> 9, at most 12 characters, then an ellipsis.
std::string mask(std::string_view text);

}  // namespace kiln::mappings::detail
