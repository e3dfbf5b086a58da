#include "fhir/outcome.h"

#include <algorithm>

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

namespace {

/// "Patient.name[0].given[1]": nothing that a FHIRPath of elements has not.
bool is_path(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return !text.empty() && is_letter(text.front()) && std::all_of(text.begin(), text.end(), [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '[' || c == ']' || c == '_' || c == '-';
  });
}

/// "line 1, column 38, Patient.active": the path is the expression, where it stands in a text belongs to the diagnostics.
void add_place(Issue& issue, std::string_view place) {
  std::string other;
  while (!place.empty()) {
    const std::size_t comma = place.find(", ");
    const std::string_view part = place.substr(0, comma);
    place = comma == place.npos ? std::string_view() : place.substr(comma + 2);
    if (is_path(part))
      issue.expression = part;
    else
      other.append(other.empty() ? "; " : ", ").append(part);
  }
  issue.diagnostics += other;
}

}  // namespace

Issue issue_of(const base::Error& error) {
  Issue issue;
  issue.code = error.info().issue_type;
  // What broke inside is for the log, not for a client.
  const bool internal = error.info().http_status >= 500;
  issue.text = internal || error.text.empty() ? error.info().text : error.text;
  issue.diagnostics = error.info().code;
  if (!internal) add_place(issue, error.place);
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
