#pragma once
// Option values as plain text: defaults of the tables and values of env("X").

#include <optional>
#include <string>
#include <string_view>

#include "channels/options.h"

namespace kiln::channels::detail {

/// "30s" -> 30000, "10ms" -> 10; nullopt when it is no duration.
std::optional<std::int64_t> parse_duration(std::string_view text);
/// "4MB" -> 4 << 20; nullopt when it is no size.
std::optional<std::int64_t> parse_size(std::string_view text);

/// Reads `text` as a value of the field's type and checks its range and words. Errors: bad_value with what
/// was expected; the text itself is never in the error (it may be a secret).
base::Result<OptionValue> parse_option_text(const FieldSpec& field, std::string text);

/// Range of an integer, duration or size; empty when `number` is inside, else what was expected.
std::string check_range(const FieldSpec& field, std::int64_t number);

/// The value of the table's default; nullopt when it has none.
std::optional<OptionValue> default_of(const FieldSpec& field);

}  // namespace kiln::channels::detail
