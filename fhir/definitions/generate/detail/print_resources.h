#pragma once
// Private to the generator.

#include <string>

#include "fhir/definitions/generate/model.h"

namespace kiln::fhir::detail {

/// The file generated/packed/resources.zst; its form is in fhir/definitions/detail/packed_file.h.
std::string print_resources(const DefinitionModel& model);

}  // namespace kiln::fhir::detail
