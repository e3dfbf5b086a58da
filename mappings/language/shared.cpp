// What several requests say about declarations, elements and functions.

#include <algorithm>

#include "engine/base/text.h"
#include "mappings/code_pages.h"
#include "mappings/function.h"
#include "mappings/language/requests.h"

namespace kiln::mappings {

using detail::TokenKind;

const Declaration* declaration_at(const Cursor& cursor, std::size_t token) {
  const Library* library = cursor.library();
  const LibraryFile* file = cursor.file();
  const auto& tokens = cursor.tokens();
  if (library == nullptr || file == nullptr || tokens[token].kind != TokenKind::ident) return nullptr;
  std::size_t first = token;
  while (first >= 2 && tokens[first - 1].kind == TokenKind::dot &&
         tokens[first - 2].kind == TokenKind::ident && !tokens[first].space_before &&
         !tokens[first - 1].space_before)
    first -= 2;
  ast::QName name;
  for (std::size_t i = first; i <= token; i += 2) name.parts.push_back({std::string(cursor.word(i)), {}});
  const Resolution found = library->resolve(*file, name, DeclKind::any);
  if (found.found != nullptr && found.parts == name.parts.size()) return found.found;
  return nullptr;
}

std::string signature_of(const Library& library, const Declaration& declaration) {
  const std::string_view text = library.sources().text(declaration.decl->span);
  std::size_t end = std::min(text.find('{'), text.find('\n'));
  if (declaration.kind == DeclKind::table || declaration.kind == DeclKind::constant) end = text.find('\n');
  return std::string(base::trim(text.substr(0, std::min(end, text.size()))));
}

std::string comment_above(const Library& library, const Declaration& declaration) {
  const std::string_view text = library.sources().file(declaration.file->tree.source).text;
  std::vector<std::string> lines;
  std::size_t begin = declaration.decl->span.begin;
  while (begin > 0) {
    const std::size_t end = text.rfind('\n', begin - 1);
    if (end == std::string_view::npos) break;
    const std::size_t start = end == 0 ? std::string_view::npos : text.rfind('\n', end - 1);
    const std::size_t first = start == std::string_view::npos ? 0 : start + 1;
    const std::string_view line = base::trim(text.substr(first, end - first));
    if (!line.starts_with("//")) break;
    lines.emplace_back(base::trim(line.substr(2)));
    begin = first;
  }
  std::string out;
  for (auto at = lines.rbegin(); at != lines.rend(); ++at) out += (out.empty() ? "" : " ") + *at;
  return out;
}

void write_location(base::JsonWriter& json, const Workspace& workspace, const Library& library,
                    base::Span span) {
  json.begin_object().member("uri", workspace.uri_of(library, span.file)).key("range");
  write_range(json, library.sources().file(span.file).text, span.begin, span.end);
  json.end_object();
}

std::string element_line(const fhir::ElementDef& element) {
  static constexpr const char* kStrength[] = {"", "example", "preferred", "extensible", "required"};
  std::string out = std::to_string(element.min()) + ".." +
                    (element.max() == 0 ? std::string("*") : std::to_string(element.max())) + " ";
  if (element.backbone() != nullptr) out += std::string(element.backbone()->name());
  bool first = true;
  for (const fhir::ElementType& type : element.types()) {
    out += (first ? "" : " | ") + std::string(type.name());
    first = false;
    if (type.targets().empty()) continue;
    out += "(";
    for (std::size_t i = 0; i < type.targets().size(); ++i)
      out += (i == 0 ? "" : " | ") + std::string(type.targets()[i].name());
    out += ")";
  }
  if (const fhir::ValueSet* set = element.value_set())
    out += ", " + std::string(kStrength[static_cast<int>(element.binding())]) + " binding to " +
           std::string(set->url());
  return out;
}

std::string signature_of(const FunctionSpec& spec) {
  std::string out = std::string(spec.name) + "(";
  bool first = true;
  for (const FunctionParameter& parameter : spec.parameters) {
    out += (first ? "" : ", ") + std::string(parameter.name) + ": " + std::string(name_of(parameter.type));
    if (parameter.optional) out += "?";
    first = false;
  }
  if (spec.variadic) out += ", …";
  return out + ") -> " + std::string(name_of(spec.result));
}

std::string function_text(const FunctionSpec& spec) {
  std::string out = std::string(spec.summary) + "\n";
  for (const FunctionParameter& parameter : spec.parameters)
    out += "\n- `" + std::string(parameter.name) + "`: " + std::string(parameter.summary) +
           (parameter.optional ? " (optional)" : "");
  out += "\n\n```hmap\n";
  for (const FunctionExample& example : spec.examples)
    out += std::string(example.call) + "  // " + std::string(example.result) + "\n";
  return out + "```";
}

const std::vector<OptionHelp>* options_at(const Cursor& cursor, const LanguageSurroundings& around) {
  const std::vector<OptionHelp>* at = nullptr;
  for (const Frame& frame : cursor.frames()) {
    if (frame.kind != Frame::Kind::options) continue;
    const std::string_view first = cursor.word(frame.head);
    if (at == nullptr) {
      if (first == "server") at = &around.server;
      const bool source = first == "source", destination = first == "to";
      if (!source && !destination) continue;
      const std::string_view kind = cursor.word(frame.head + (source ? 1 : 3));
      for (const ConnectorHelp& connector : around.connectors)
        if (connector.source == source && connector.name == kind) at = &connector.options;
      continue;
    }
    const auto child =
        std::find_if(at->begin(), at->end(), [&](const auto& option) { return option.name == first; });
    if (child == at->end()) return nullptr;
    at = &child->children;
  }
  return at;
}

std::optional<std::string> read_only_document(std::string_view uri) {
  constexpr std::string_view kScheme = "kiln:/", kPages = "explain/";
  if (!uri.starts_with(kScheme)) return std::nullopt;
  const std::string_view name = uri.substr(kScheme.size());
  if (name.starts_with(kPages) && name.ends_with(".md"))
    return explain_code(name.substr(kPages.size(), name.size() - kPages.size() - 3));
  for (const base::EmbeddedFile& file : library_files())
    if (file.path == name) return std::string(file.text);
  return std::nullopt;
}

}  // namespace kiln::mappings
