#pragma once
// The functions of FHIRPath: each file of functions/ defines one group, `const PathFunctionGroup& <stem>_spec()`; the build lists
// them. To add a function, add it to a group or add a file.

#include <span>

namespace kiln::fhir {

struct PathFunctionGroup;

/// All files (generated).
std::span<const PathFunctionGroup* const> all_path_functions();

}  // namespace kiln::fhir
