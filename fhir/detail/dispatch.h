#pragma once
// Running one interaction: for the router, and for the entries of a batch or transaction.

#include "fhir/interaction.h"

namespace kiln::fhir::detail {

/// Checks access, opens a savepoint for a write, runs, and keeps the savepoint only on success.
Answer<Reply> run_interaction(const Interaction& interaction, const Call& call);

/// Prefer: return=…, handling=…
void apply_preferences(std::string_view prefer, Call& call);

}  // namespace kiln::fhir::detail
