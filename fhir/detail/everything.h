#pragma once
#include "fhir/interaction.h"

namespace kiln::fhir::detail {

/// $everything of a compartment's resource (patient-operations-everything.html,
/// encounter-operations-everything.html): the resource, what is in its compartment, and what that refers to
/// of organizations, practitioners, places, medications and devices. `start`, `end` (dates of care),
/// `_since`, `_type`, `_count`; pages like a search.
Answer<Reply> run_everything(const Call& call);

}  // namespace kiln::fhir::detail
