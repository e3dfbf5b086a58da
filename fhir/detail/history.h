#pragma once
#include "fhir/interaction.h"

namespace kiln::fhir::detail {

/// History of an instance, a type or everything, by the shape of the call: newest first, `_since`, `_count`,
/// paging.
Answer<Reply> run_history(const Call& call);

}  // namespace kiln::fhir::detail
