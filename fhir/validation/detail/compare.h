#pragma once
// Values of a profile against values of a document. Private to fhir/validation.

#include <optional>

#include "fhir/model/tree.h"

namespace kiln::fhir::detail {

/// Exactly the same content, order included (ElementDefinition.fixed[x]).
bool is_equal(Node a, Node b);
/// All that `pattern` says is in `node`; of a list, each item of the pattern is matched by some item
/// (ElementDefinition.pattern[x]).
bool matches_pattern(Node node, Node pattern);
/// `a` before, equal to or after `b`: numbers, dates and times of the same precision, quantities of the same unit.
/// nullopt when they cannot be compared.
std::optional<int> compare_values(Node a, Node b);

}  // namespace kiln::fhir::detail
