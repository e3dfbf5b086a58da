#pragma once
// Some members of a stored resource without reading the rest.

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace kiln::engine {

/// `body` (a JSON object as the store keeps it) with only those of its own members that are named, as JSON text. nullopt
/// when the text is not of the expected form; then it must be read as a whole.
std::optional<std::string> members_of_body(std::string_view body, std::span<const std::string_view> names);

}  // namespace kiln::engine
