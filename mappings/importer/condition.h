#pragma once
// The guide's conditions in pseudo-English as conditions of hmap.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace kiln::mappings {

/// "PID-5" or "CX.4" as hmap writes it; nothing when it is not the segment or datatype at hand, or when no
/// version has it.
using ConditionSource = std::function<std::optional<std::string>(std::string_view)>;

/// `IF ref [IS] [NOT] VALUED`, `IF ref [NOT] EQUALS "x"`, `IF ref [NOT] IN ("a", "b")`, joined by AND and OR
/// of one kind. Nothing for any other sentence: those are decided by hand.
std::optional<std::string> translate_condition(std::string_view text, const ConditionSource& source);

}  // namespace kiln::mappings
