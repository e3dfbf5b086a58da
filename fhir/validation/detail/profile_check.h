#pragma once
// Nodes against the rules of a profile. Private to fhir/validation.

#include <vector>

#include "fhir/validation/detail/profile.h"
#include "fhir/validation/detail/session.h"

namespace kiln::fhir::detail {

/// What a rule says about one node and its content.
void check_rule(Session& session, Node node, const ElementRule& rule);
/// Slices: which items belong to which, how many there are, their order, and what each says.
void check_slices(Session& session, Node parent, const ElementRule& rule, const std::vector<Node>& items);
/// Whether a node is in the slice of that name that the profile has where the node stands; nullopt when it has none.
std::optional<bool> is_in_slice(Session& session, Node node, std::string_view profile, std::string_view slice);
/// True when the rule holds for the node; nothing is reported.
bool rule_holds(Session& session, Node node, const ElementRule& rule);
/// True when the node conforms to one of the profiles (or base types); unknown profiles count as conformed to.
bool conforms_to_any(Session& session, Node node, const std::vector<std::string>& profiles);
/// Runs a check without telling what it finds; the number of errors it found.
template <class Check>
std::size_t errors_of(Session& session, Check check) {
  const std::size_t size = session.issues.size(), errors = session.issues.errors();
  const bool truncated = session.issues.truncated();
  check();
  const std::size_t found = session.issues.errors() - errors;
  session.issues.drop(size, truncated);
  return found;
}

}  // namespace kiln::fhir::detail
