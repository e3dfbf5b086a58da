#pragma once
// The requests of Bulk Data: kick-off, status, files.

#include "fhir/bulk.h"
#include "fhir/interaction.h"

namespace kiln::fhir::detail {

/// $export of the whole system, of all patients, or of the members of a group.
Answer<Reply> run_export(const Call& call);
/// The status of a job (GET), or its end (DELETE).
Answer<Reply> run_bulk_status(const Call& call);
/// A file of a finished job.
Answer<Reply> run_bulk_file(const Call& call);

}  // namespace kiln::fhir::detail
