#pragma once
// $meta-add and $meta-delete (resource-operation-meta-add.html, resource-operation-meta-delete.html).

#include "fhir/interaction.h"

namespace kiln::fhir::detail {

/// Adds the profiles, tags and security labels of the parameter `meta` to the current version of a resource, or removes
/// them from it; a tag or label is known by its system and code. It is a write like a patch: a new version, and who asks
/// must have the right to patch. Nothing is written when nothing changes. Failures: as of a patch; fhir_required without
/// `meta`.
enum class MetaChange : std::uint8_t { add, remove };
Answer<Reply> run_meta_change(const Call& call, MetaChange change);

}  // namespace kiln::fhir::detail
