#include "fhir/outcome.h"

namespace kiln::fhir {

std::string_view name_of(IssueSeverity severity) {
  switch (severity) {
    case IssueSeverity::fatal:
      return "fatal";
    case IssueSeverity::error:
      return "error";
    case IssueSeverity::warning:
      return "warning";
    case IssueSeverity::information:
      return "information";
  }
  return "error";
}

Issue issue_of(const base::Error& error) {
  Issue issue;
  issue.code = error.info().issue_type;
  // What broke inside is for the log, not for a client.
  const bool internal = error.info().http_status >= 500;
  issue.text = internal || error.text.empty() ? error.info().text : error.text;
  if (!internal) issue.expression = error.place;
  issue.diagnostics = error.info().code;
  if (!error.remedy.empty() && !internal) issue.diagnostics += "; " + error.remedy;
  return issue;
}

std::vector<Issue> Failure::shown() const {
  if (!issues.empty()) return issues;
  return {issue_of(error)};
}

std::string print_outcome(const std::vector<Issue>& issues) {
  base::JsonWriter out;
  out.begin_object().member("resourceType", "OperationOutcome").key("issue").begin_array();
  if (issues.empty()) {
    out.begin_object().member("severity", "information").member("code", "informational");
    out.key("details").begin_object().member("text", "All OK").end_object().end_object();
  }
  for (const Issue& issue : issues) {
    out.begin_object().member("severity", name_of(issue.severity)).member("code", issue.code);
    if (!issue.text.empty()) out.key("details").begin_object().member("text", issue.text).end_object();
    if (!issue.diagnostics.empty()) out.member("diagnostics", issue.diagnostics);
    if (!issue.expression.empty()) out.key("expression").begin_array().string(issue.expression).end_array();
    out.end_object();
  }
  out.end_array().end_object();
  return out.take();
}

}  // namespace kiln::fhir
