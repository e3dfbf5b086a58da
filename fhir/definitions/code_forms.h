#pragma once
// Codes whose system is a syntax (RFC 6838, BCP 47, UCUM, ISO 4217), checked by their form.

#include <string_view>

#include "fhir/definitions/definitions.h"

namespace kiln::fhir {

/// False for a rule that is no syntax.
bool has_code_form(ValueSetRule rule, std::string_view code);

}  // namespace kiln::fhir
