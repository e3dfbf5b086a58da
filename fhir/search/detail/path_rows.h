#pragma once
// What both ways to index rows share. Private to fhir/search.

#include "fhir/search/parameters.h"

namespace kiln::fhir::detail {

/// Adds to `out` one row for each combination of the rows that each component has; `components` are taken
/// apart.
void combine(std::uint16_t parameter, std::vector<IndexRows>& components, std::vector<CompositeRow>& out);

/// Sorts each list and removes doubles.
void tidy(IndexRows& rows);

}  // namespace kiln::fhir::detail
