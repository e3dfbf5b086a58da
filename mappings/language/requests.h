#pragma once
// The requests of the language server protocol, one file each. Every function writes the `result` value of
// its answer; none of them changes a document.

#include "engine/base/json.h"
#include "mappings/language/cursor.h"
#include "mappings/language/workspace.h"

namespace kiln::mappings {

struct LanguageRequest {
  Workspace& workspace;
  TextDocument& document;
  base::JsonView params;
  std::size_t offset = 0;  ///< of `position`, when the request has one
};

void answer_hover(const LanguageRequest& request, base::JsonWriter& result);
void answer_completion(const LanguageRequest& request, base::JsonWriter& result);
void answer_definition(const LanguageRequest& request, base::JsonWriter& result);
void answer_references(const LanguageRequest& request, base::JsonWriter& result);
void answer_symbols(const LanguageRequest& request, base::JsonWriter& result);
void answer_formatting(const LanguageRequest& request, base::JsonWriter& result);
void answer_code_actions(const LanguageRequest& request, base::JsonWriter& result);

/// The `params` of textDocument/publishDiagnostics for every file of a site that has findings, by URI; files
/// of `before` that have none now get an empty list.
std::vector<std::pair<std::string, std::string>> diagnostics_of(Workspace& workspace, const std::string& site,
                                                                const std::set<std::string>& before);
/// The text of a "kiln:/…" document: a shipped file, or the page of a code ("kiln:/explain/E0101.md").
std::optional<std::string> read_only_document(std::string_view uri);

// ---- shared by several requests ----

/// The declaration that the name around a token means, with the parts of the name up to that token; null when
/// it means none.
const Declaration* declaration_at(const Cursor& cursor, std::size_t token);
/// First lines of a declaration as written, up to its block; and the comment above it.
std::string signature_of(const Library& library, const Declaration& declaration);
std::string comment_above(const Library& library, const Declaration& declaration);
/// {"uri": …, "range": …} of a place of the library.
void write_location(base::JsonWriter& json, const Workspace& workspace, const Library& library,
                    base::Span span);
/// "0..1 CodeableConcept, required binding to http://…": one line of Markdown about an element.
std::string element_line(const fhir::ElementDef& element);
std::string function_text(const struct FunctionSpec& spec);
std::string signature_of(const struct FunctionSpec& spec);

/// Completion of `.channel` files and kiln.conf: the options of the block around the cursor; empty elsewhere.
/// `path` are the words of the blocks around it.
const std::vector<OptionHelp>* options_at(const Cursor& cursor, const LanguageSurroundings& around);

}  // namespace kiln::mappings
