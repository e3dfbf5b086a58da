#pragma once
// Search parameters that are added while the server runs: active SearchParameter resources of the store (fhir.md D7).
// The registry is one for the process, as the definitions are.

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "fhir/outcome.h"
#include "fhir/path/path.h"
#include "fhir/search/extractor.h"
#include "fhir/search/parameters.h"

namespace kiln::fhir {

/// One parameter of one type. Lives as long as the process.
struct CustomDefinition {
  std::string type, code, url, expression;
  SearchType search_type = SearchType::token;
  std::vector<std::string> targets;            ///< of a reference; empty: any type
  std::unique_ptr<detail::Extractor> extractor;  ///< when the expression is one of the small subset
  PathExpression path;                           ///< else: compiled FHIRPath
  mutable std::atomic<bool> is_ready = false;    ///< every resource is indexed
  mutable std::atomic<bool> is_removed = false;

  /// Changes with everything that changes rows: another number means other rows.
  std::string fingerprint() const;
};

/// The parameters that a SearchParameter resource adds: none unless its status is active, else one for each base that
/// R4 has no parameter of that code for. Failure fhir_rule: the expression cannot be compiled, the type is composite or
/// special, a base is no resource type.
Answer<std::vector<std::unique_ptr<CustomDefinition>>> read_search_parameter(base::JsonView resource);

/// Adds it to its type, not ready. From now on every write has its rows.
const CustomDefinition& add_search_parameter(std::unique_ptr<CustomDefinition> definition);

}  // namespace kiln::fhir
