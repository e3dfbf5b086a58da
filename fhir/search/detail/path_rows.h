#pragma once
// What both ways to index rows share. Private to fhir/search.

#include "fhir/search/parameters.h"

namespace kiln::fhir::detail {

/// Adds to `out` one row for each combination of the rows that each component has; `components` are taken
/// apart.
void combine(std::uint16_t parameter, std::vector<IndexRows>& components, std::vector<CompositeRow>& out);

/// Adds the rows of those parameters that were added to the store and have no extractor.
void collect_by_path(std::span<const Parameter> parameters, base::JsonView resource, const ReferenceRewrite* rewrite,
                     std::string_view own_base, IndexRows& rows);

/// Sorts each list and removes doubles.
void tidy(IndexRows& rows);

}  // namespace kiln::fhir::detail
