#pragma once
// The structural check that every write passes (fhir.md §4 layers 1–4 and 6, without loading anything): form,
// elements, cardinality, primitive formats, required bindings, reference targets. Profiles and invariants are
// later layers.

#include <string_view>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "fhir/outcome.h"

namespace kiln::fhir {

struct ValidateOptions {
  /// The text `resource` was parsed from; when given, `diagnostics` of an issue is "line L, column C"
  /// (columns in characters, from 1). Views into it are not kept.
  std::string_view source;
  /// Further issues are not listed; one more, of severity information, says so.
  std::size_t issues_max = base::limits::kValidationIssuesMax;
  /// When not empty: the resource type expected. Another one is an error.
  std::string_view expected_type;
};

/// Checks one resource, with those contained in it or in its entries. Issues come in the order of the text (a
/// missing element where its parent stands), the same on every run; empty when all is well. Each has
/// severity, issue type code, FHIRPath expression and a text that names the rule and the shape of what was
/// found, never its value.
///   structure    unknown element, wrong JSON kind, a list where one value stands or the other way round, a
///   choice given
///                twice, null, {}, [] or "" where something must be, `_x` without or unlike its `x`, unknown
///                resource type
///   required     a mandatory element is missing
///   value        a primitive does not have its form; a reference points at a type that is not allowed
///   code-invalid a code is not in the value set of a required binding
/// Time is linear in the size of the resource. Thread-safe.
std::vector<Issue> validate_resource(base::JsonView resource, const ValidateOptions& options = {});

/// No issue is an error or fatal.
bool is_valid(const std::vector<Issue>& issues);

}  // namespace kiln::fhir
