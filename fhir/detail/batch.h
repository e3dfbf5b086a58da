#pragma once
#include "fhir/interaction.h"
#include "fhir/transaction.h"

namespace kiln::fhir::detail {

/// A batch Bundle: each entry is an interaction for itself (fhir.md T6, T7); the answer is always 200.
Answer<Reply> run_batch(const Call& call);

/// The transaction-response Bundle, in request order, with the bodies that `Prefer: return` asks for.
std::string print_transaction_response(const TransactionOutcome& outcome, const Call& call);

}  // namespace kiln::fhir::detail
