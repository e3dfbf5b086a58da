#pragma once
// Index rows through FHIRPath. Private to fhir/search.

#include "engine/base/json.h"
#include "fhir/search/parameters.h"

namespace kiln::fhir::detail {

/// Adds the rows of those parameters that have no extractor of their own. A resource that is no valid FHIR
/// JSON has none.
void extract_by_path(const TypeParameters& parameters, base::JsonView resource,
                     const ReferenceRewrite* rewrite, std::string_view own_base, IndexRows& rows);

/// Sorts each list and removes doubles.
void tidy(IndexRows& rows);

}  // namespace kiln::fhir::detail
