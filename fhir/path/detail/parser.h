#pragma once
// FHIRPath text → program (N1 appendix B). Private to fhir/path.

#include <memory>

#include "engine/base/result.h"
#include "fhir/path/detail/ast.h"
#include "fhir/path/path.h"

namespace kiln::fhir::detail {

/// Errors: fhirpath_syntax, fhirpath_budget, and fhirpath_semantic for functions that do not exist or take
/// other arguments.
base::Result<std::shared_ptr<PathProgram>> parse_path(std::string_view text);

/// Strict checks: walks the program with the types that each part can have (fhir.md §3). fhirpath_semantic.
base::Status check_path(const PathProgram& program, const TypeDef* context);

}  // namespace kiln::fhir::detail
