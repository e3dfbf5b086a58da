#pragma once
// Lines that differ between two texts, as `diff -u` shows them.

#include <string>
#include <string_view>

namespace kiln::engine::detail {

/// Hunks with three lines around each change; empty when the texts are the same. Of texts with more than
/// limits::kDiffLinesMax differing lines only the counts are told.
std::string unified_diff(std::string_view was, std::string_view is);

}  // namespace kiln::engine::detail
