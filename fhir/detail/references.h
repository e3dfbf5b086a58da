#pragma once
// Finding the literal references of a resource.

#include <functional>
#include <string>
#include <string_view>

#include "engine/base/json.h"
#include "fhir/outcome.h"

namespace kiln::fhir::detail {

/// Calls `visit` with the text of every Reference.reference below `resource`, contained resources included.
/// `path` gives the FHIRPath of the reference below `resource` ("subject.reference"); it is only built when
/// called.
using ReferenceVisitor =
    std::function<Answer<void>(std::string_view text, const std::function<std::string()>& path)>;
Answer<void> for_each_reference(base::JsonView resource, const ReferenceVisitor& visit);

}  // namespace kiln::fhir::detail
