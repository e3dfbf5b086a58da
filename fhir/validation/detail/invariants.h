#pragma once
// Private to fhir/validation.

#include <span>
#include <string_view>
#include <vector>

#include "fhir/path/path.h"

namespace kiln::fhir::detail {

struct Session;

/// An invariant that is decided, or nearly always decided, without FHIRPath.
struct HandInvariant {
  std::string_view key;
  bool (*check)(Node node);
  bool decides;  ///< false: when the check says no, the expression has the last word
};
std::span<const HandInvariant> hand_invariants();

struct CompiledInvariant {
  const HandInvariant* hand = nullptr;
  PathExpression expression;  ///< not compiled() when `hand` decides, or when there is none
};
/// By position in all_invariants(); made at the first call.
const std::vector<CompiledInvariant>& compiled_invariants();

void report_invariant(Session& session, Node node, std::string_view key, bool is_error);
/// An issue when the expression does not hold for the node.
void check_expression(Session& session, Node node, const PathExpression& expression, std::string_view key,
                      bool is_error);

}  // namespace kiln::fhir::detail
