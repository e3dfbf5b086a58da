#pragma once
#include "fhir/interaction.h"

namespace kiln::fhir::detail {

/// A search over one type: pairs of `call.query` in, searchset Bundle out.
Answer<Reply> run_search(const Call& call);

}  // namespace kiln::fhir::detail
