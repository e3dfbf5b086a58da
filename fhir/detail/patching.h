#pragma once
// PATCH as a write: the patch is applied to the current version, and the result is stored like an update
// (fhir.md §9; http#patch).

#include <string_view>

#include "fhir/interaction.h"

namespace kiln::fhir::detail {

/// A patch as it came: a JSON Patch or an XML Patch as text, or a FHIRPath Patch as Parameters.
struct PatchDocument {
  std::string json_patch, xml_patch;
  base::JsonView parameters;  ///< absent for the two others
};

/// Of the body of a PATCH; `document` owns the Parameters. fhir_media_type for other formats.
Answer<PatchDocument> patch_of_body(const Call& call, base::JsonDocument& document);
/// Of the resource of a Bundle entry: Parameters, or a Binary that holds a JSON Patch or an XML Patch.
Answer<PatchDocument> patch_of_entry(base::JsonView resource);

/// The resource after the patch. Failures: fhir_patch (400), fhir_patch_failed (422) also for a result that
/// is no valid resource; its issues then name what is wrong. A generated narrative that the patch left as it
/// was is dropped when something else changed: it would tell the old data.
Answer<base::JsonDocument> apply_patch(const StoredVersion& current, const PatchDocument& patch,
                                       const ServerContext& server);

/// PATCH of a known id, If-Match included. 404 and 410 as for a read.
Answer<Reply> run_patch(const Call& call, const std::string& id);

}  // namespace kiln::fhir::detail
