#pragma once
// Required bindings: is what was found in the value set?

#include <string>

#include "engine/base/json.h"
#include "fhir/definitions/definitions.h"

namespace kiln::fhir::detail {

/// The text of an issue; lists the codes of a small set.
std::string not_in_value_set(const ValueSet& set);

/// Of a Coding, CodeableConcept or Quantity under a required binding: empty when it is in the set (or nothing
/// can be said), else the text of the issue. A CodeableConcept needs one coding of the set; one with an
/// extension and no coding at all is let through (data-absent-reason).
std::string check_bound_object(const ValueSet& set, const TypeDef& type, base::JsonView value);

}  // namespace kiln::fhir::detail
