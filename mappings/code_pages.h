#pragma once
// What a diagnostic code means and what to do about it: the pages of mappings/explain/pages.md.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::mappings {

/// The page of a code ("E0101"), heading included; nothing when there is none.
std::optional<std::string> explain_code(std::string_view code);
/// Every code that has a page, in order.
std::vector<std::string> explained_codes();

}  // namespace kiln::mappings
