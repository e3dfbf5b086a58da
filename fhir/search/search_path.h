#pragma once
// Search parameters through FHIRPath (fhir.md D6): every expression of R4, composites and their components
// included.

#include <string_view>

#include "fhir/definitions/definitions.h"
#include "fhir/path/path.h"
#include "fhir/reference.h"

namespace kiln::fhir {

/// The compiled expression; nullptr when the parameter has none. Compiled at the first call for it;
/// thread-safe; lives as long as the process.
const PathExpression* search_path(const SearchParameter& parameter);
/// The expression of a composite's component, relative to an item of the composite's own expression.
const PathExpression* component_path(const SearchParameter& composite, std::size_t component);

/// What the expressions are evaluated with: `resolve() is X` is decided from the text of the reference (after
/// `rewrite`, which may be null), nothing is loaded. `rewrite` and `own_base` must outlive it.
PathEnvironment search_environment(const ReferenceRewrite* rewrite, std::string_view own_base);

}  // namespace kiln::fhir
