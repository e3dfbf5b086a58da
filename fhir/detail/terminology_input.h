#pragma once
// The terminology operations: which code, and what there is to look it up in.

#include <memory>
#include <string>
#include <vector>

#include "fhir/conformance/library.h"
#include "fhir/detail/operation_input.h"
#include "fhir/terminology/terminology.h"

namespace kiln::fhir::detail {

struct CodeInput {
  std::string system, version, code, display;
};

/// From `code` and `system` (or another name for it), a `coding`, or each coding of a `codeableConcept`.
/// fhir_required when there is none.
Answer<std::vector<CodeInput>> read_codes(const OperationInput& input,
                                          std::string_view system_name = "system");

/// What is shipped and loaded, and of the stored resources those that a question needs. Not thread-safe.
class TerminologyScope {
 public:
  explicit TerminologyScope(const Call& call) : call_(call) {}

  /// Adds the resource of the body or parameter, or of `/Type/id`; its url comes back. fhir_not_found, or
  /// gone.
  Answer<std::string> add_given(base::JsonView resource);
  Answer<std::string> add_instance();
  /// Adds the stored resource of that url, and those that it names, if there are any.
  Answer<void> add_stored(std::string_view type, std::string_view canonical);

  /// What an operation of `type` (ValueSet, CodeSystem, ConceptMap) is about: the instance of the call, else the
  /// parameter `member`, else the one of parameter `url`. Its url, "" when the request names none.
  Answer<std::string> add_subject(const OperationInput& input, std::string_view type, std::string_view member);

  /// Of the stored ones when some were added, else that of the server.
  const Terminology& terminology();

 private:
  Answer<std::string> add(std::string_view json);
  Answer<void> add_parts(Node resource);

  const Call& call_;
  Library library_;
  std::vector<std::string> seen_;
  std::unique_ptr<Terminology> own_;
};

}  // namespace kiln::fhir::detail
