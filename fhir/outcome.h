#pragma once
// OperationOutcome: how every failure of the FHIR side is shown (fhir.md §6, §16), and the failure value that
// carries it.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/http_message.h"
#include "engine/base/json.h"
#include "engine/base/result.h"

namespace kiln::fhir {

enum class IssueSeverity : std::uint8_t { fatal, error, warning, information };
std::string_view name_of(IssueSeverity severity);

/// One OperationOutcome.issue. No patient data: `text` names the rule and the shape of what was found.
struct Issue {
  IssueSeverity severity = IssueSeverity::error;
  std::string code;         ///< issue-type code: "structure", "not-found", …
  std::string text;         ///< details.text
  std::string expression;   ///< FHIRPath of the place, or empty
  std::string diagnostics;  ///< stable error code, remedy, or place in the text; may be empty
};

/// An error of an interaction. `error` gives the HTTP status; the outcome shows `issues`, or `error` when
/// there are none.
struct Failure {
  base::Error error;
  std::vector<Issue> issues;
  base::HttpHeaders headers;  ///< extra headers of the answer: Allow of a 405, ETag of a 410

  Failure() = default;
  Failure(base::Error e)
      : error(std::move(e)) {}  // NOLINT(google-explicit-constructor): lets TRY pass plain errors on
  Failure(base::Error e, std::vector<Issue> list) : error(std::move(e)), issues(std::move(list)) {}
  int status() const { return error.info().http_status; }
  /// The issues to show: `issues`, or one made of `error`.
  std::vector<Issue> shown() const;
};

template <class T>
using Answer = tl::expected<T, Failure>;

/// Of an error: severity error, the table's issue type, text, place as expression when that is a FHIRPath; code, place in
/// a text and remedy as diagnostics.
Issue issue_of(const base::Error& error);
/// An OperationOutcome as compact JSON; with no issue it says "All OK" (information).
std::string print_outcome(const std::vector<Issue>& issues);
inline std::string print_outcome(const Failure& failure) {
  return print_outcome(failure.shown());
}

}  // namespace kiln::fhir
