#pragma once
// ConceptMap resources (FHIR R4) as rows of a table.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace kiln::mappings {

/// What a table takes of a ConceptMap. Where a code has several targets the first that is no mismatch counts,
/// an equal or equivalent one before the others.
struct ConceptRows {
  std::string url;
  struct Row {
    std::string code, target, display, system;
  };
  std::vector<Row> rows;  ///< one per source code, the first of several
  /// `unmapped` of the groups: keep the code, one fixed code, or the concept map of `other_map`.
  enum class Unmapped { none, keep, fixed, other_map } unmapped = Unmapped::none;
  std::string unmapped_code, unmapped_display, unmapped_system, other_map;
};

/// Errors: those of the JSON reader; bad_value when it is no ConceptMap or has no codes.
base::Result<ConceptRows> read_concept_map(std::string_view json);
/// The `url` of a ConceptMap; empty for any other text.
std::string concept_map_url(std::string_view json);

}  // namespace kiln::mappings
