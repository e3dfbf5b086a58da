#pragma once
// One reader per resource type that holds definitions. Each adds to the model; the first definition of a url
// wins.

#include <string>
#include <string_view>

#include "engine/base/json.h"
#include "fhir/definitions/generate/model.h"

namespace kiln::fhir::detail {

base::Status read_structure_definition(DefinitionModel& model, base::JsonView definition);
base::Status read_code_system(DefinitionModel& model, base::JsonView definition);
base::Status read_value_set(DefinitionModel& model, base::JsonView definition);
base::Status read_search_parameter(DefinitionModel& model, base::JsonView definition);
base::Status read_compartment(DefinitionModel& model, base::JsonView definition);
base::Status read_operation(DefinitionModel& model, base::JsonView definition);
/// CodeSystem, ValueSet, ConceptMap, StructureDefinition: into DefinitionModel::resources.
base::Status keep_resource(DefinitionModel& model, base::JsonView resource);

/// "http://x/ValueSet/y|4.0.1" -> "http://x/ValueSet/y"
inline std::string without_version(std::string_view canonical) {
  return std::string(canonical.substr(0, canonical.find('|')));
}

}  // namespace kiln::fhir::detail
