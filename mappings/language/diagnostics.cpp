// textDocument/publishDiagnostics.

#include <algorithm>
#include <map>

#include "mappings/code_pages.h"
#include "mappings/language/requests.h"

namespace kiln::mappings {

namespace {

int severity_of(base::Severity severity) {
  return severity == base::Severity::error ? 1 : severity == base::Severity::warning ? 2 : 3;
}

/// The place that a note names ("maps/adt.hmap:14:3"), else `otherwise`.
base::Span place_in(const std::string& note, const base::SourceMap& sources, base::Span otherwise) {
  for (std::uint32_t file = 0; file < sources.size(); ++file) {
    const std::string name = sources.file(file).name + ":";
    const std::size_t at = name.size() > 1 ? note.find(name) : std::string::npos;
    if (at == std::string::npos) continue;
    const std::uint32_t line =
        static_cast<std::uint32_t>(std::strtoul(note.c_str() + at + name.size(), nullptr, 10));
    if (line == 0) continue;
    const std::string& text = sources.file(file).text;
    const LineIndex index(text);
    const auto begin = static_cast<std::uint32_t>(index.offset(text, {line - 1, 0}));
    return {file, begin, static_cast<std::uint32_t>(index.offset(text, {line - 1, UINT32_MAX}))};
  }
  return otherwise;
}

void write_diagnostic(base::JsonWriter& json, const Workspace& workspace, const Library& library,
                      const base::Diagnostic& finding) {
  const base::SourceMap& sources = library.sources();
  const std::string code = base::error_info(finding.code).code;
  json.begin_object().key("range");
  write_range(json, sources.file(finding.span.file).text, finding.span.begin, finding.span.end);
  json.key("severity").integer(severity_of(finding.severity)).member("code", code).member("source", "kiln");
  if (explain_code(code))
    json.key("codeDescription").begin_object().member("href", "kiln:/explain/" + code + ".md").end_object();
  std::string message = finding.message;
  if (!finding.label.empty()) message += "\n" + finding.label;
  for (const std::string& help : finding.helps) message += "\nhelp: " + help;
  json.member("message", message);
  if (!finding.notes.empty()) {
    json.key("relatedInformation").begin_array();
    for (const std::string& note : finding.notes) {
      json.begin_object().key("location");
      write_location(json, workspace, library, place_in(note, sources, finding.span));
      json.member("message", note).end_object();
    }
    json.end_array();
  }
  json.end_object();
}

}  // namespace

std::vector<std::pair<std::string, std::string>> diagnostics_of(Workspace& workspace, const std::string& site,
                                                                const std::set<std::string>& before) {
  const Findings& findings = workspace.findings(site);
  const Library& library = *findings.library;
  std::map<std::string, std::vector<const base::Diagnostic*>> by_uri;
  for (const std::string& uri : before) by_uri[uri];
  for (const base::Diagnostic& finding : findings.diagnostics.list())
    if (finding.span.file < library.sources().size())
      by_uri[workspace.uri_of(library, finding.span.file)].push_back(&finding);
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [uri, list] : by_uri) {
    base::JsonWriter json;
    json.begin_object().member("uri", uri).key("diagnostics").begin_array();
    for (const base::Diagnostic* finding : list) write_diagnostic(json, workspace, library, *finding);
    out.emplace_back(uri, json.end_array().end_object().take());
  }
  return out;
}

}  // namespace kiln::mappings
