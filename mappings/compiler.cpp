#include "mappings/compiler.h"

#include <algorithm>
#include <utility>

#include "hl7/dictionary/dictionary.h"
#include "mappings/detail/declarations.h"
#include "mappings/detail/extend.h"
#include "mappings/detail/facts.h"

namespace kiln::mappings {

namespace {

/// `segment ZPI { 3 bedCode : CWE }`: fields of datatypes that there are, each once, of a segment that the standard has not.
void check_segment(detail::CompilerState& state, const Declaration& declaration) {
  using base::ErrorCode;
  const auto& decl = *declaration.decl->get_if<ast::SegmentDecl>();
  if (!decl.fields.empty() && hl7::first_version_with_segment(decl.name.text)) {
    state.report(ErrorCode::E0303, decl.name.span, decl.name.text + " is a segment of the standard: its fields are known")
        .helps.push_back("`segment " + decl.name.text + " {}` reads it where it stands; own fields belong in a Z segment");
  }
  for (std::size_t i = 0; i < decl.fields.size(); ++i) {
    const ast::SegmentField& field = decl.fields[i];
    if (!detail::is_datatype(field.type.text))
      state.report(ErrorCode::E0305, field.type.span, "HL7 has no datatype `" + field.type.text + "`");
    for (std::size_t before = 0; before < i; ++before) {
      if (decl.fields[before].number.value != field.number.value) continue;
      state.report(ErrorCode::E0303, field.name.span,
                   decl.name.text + "-" + std::to_string(field.number.value) + " is declared twice");
      break;
    }
  }
}

void compile_declaration(detail::CompilerState& state, const Declaration& declaration,
                         std::vector<MapInfo>& maps) {
  const bool when_used = state.shipped_maps && declaration.file->shipped;
  if (when_used && declaration.kind != DeclKind::map) return;
  switch (declaration.kind) {
    case DeclKind::fn:
      state.fn(declaration, declaration.span);
      break;
    case DeclKind::datatype:
      state.datatype(declaration, declaration.span);
      break;
    case DeclKind::table:
      state.table(declaration);
      break;
    case DeclKind::csv:
      state.csv(declaration);
      break;
    case DeclKind::segment:
      check_segment(state, declaration);
      break;
    case DeclKind::fragment:
      detail::check_fragment(state, declaration);
      break;
    case DeclKind::lookup:
      state.lookup(declaration);
      break;
    case DeclKind::row:
      state.check_row(declaration);
      break;
    case DeclKind::map:
      if (auto info = detail::compile_map(state, declaration)) maps.push_back(std::move(*info));
      break;
    case DeclKind::extension:
      state.type(*declaration.file, declaration.decl->get_if<ast::ExtensionDecl>()->type);
      break;
    default:
      break;
  }
}

}  // namespace

CompiledLibrary compile(const Library& library, base::Diagnostics& diagnostics,
                        std::span<const ExpressionRequest> requests, const CompileOptions& options) {
  detail::CompilerState state(library, diagnostics);
  state.as_version = options.as_version;
  state.strict = options.strict;
  state.shipped_maps = options.shipped_maps;
  CompiledLibrary result;
  for (const auto& declaration : library.declarations())
    compile_declaration(state, *declaration, result.maps);
  detail::check_settings(state);
  for (const auto& request : requests) {
    const std::size_t errors = diagnostics.errors();
    auto made = detail::compile_expression(state, request);
    if (diagnostics.errors() != errors) made.reset();
    result.expressions.push_back(made);
  }
  for (const MapRequest& request : options.maps) {
    const LibraryFile& file = library.file_of(*request.file);
    const Resolution found = library.resolve(file, *request.map, DeclKind::map);
    const bool whole = found.found != nullptr && found.parts == request.map->parts.size();
    const std::size_t errors = diagnostics.errors();
    auto info = whole ? detail::compile_map(state, *found.found, &request, &file) : std::nullopt;
    if (diagnostics.errors() != errors) info.reset();
    result.specialised.push_back(info ? std::optional(info->map) : std::nullopt);
  }
  for (std::size_t i = 0; i < state.unit().exprs.size(); ++i) {
    const ir::Expr& expr = state.unit().exprs[i];
    if (expr.op != ir::Op::v2_path) continue;
    const ir::TypeId type = state.unit().v2_paths[expr.a].type;
    result.path_types.emplace_back(state.unit().expr_spans[i],
                                   std::string(state.unit().text(state.unit().types[type].name)));
  }
  check_lock(library.lock(), state.overridden, diagnostics);
  result.overridden = std::move(state.overridden);
  state.builder.finish();
  result.unit = std::make_shared<const ir::Unit>(std::move(state.unit()));
  result.facts = std::make_shared<detail::SharedFacts>();
  return result;
}

const MapInfo* CompiledLibrary::find_map(std::string_view name) const {
  const MapInfo* by_last = nullptr;
  bool several = false;
  for (const auto& map : maps) {
    if (map.name == name) return &map;
    const auto dot = map.name.rfind('.');
    if (dot == std::string::npos || std::string_view(map.name).substr(dot + 1) != name) continue;
    several = by_last != nullptr;
    by_last = &map;
  }
  return several ? nullptr : by_last;
}

std::vector<const MapInfo*> CompiledLibrary::find_package(std::string_view name) const {
  std::vector<const MapInfo*> found;
  for (const auto& map : maps) {
    if (map.package == name || (map.package.starts_with(name) && map.package[name.size()] == '.'))
      found.push_back(&map);
  }
  std::sort(found.begin(), found.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  return found;
}

Program CompiledLibrary::program(std::string_view name) const {
  if (const MapInfo* map = find_map(name)) return program_of(map->map);
  std::vector<std::uint32_t> indexes;
  for (const auto* map : find_package(name)) indexes.push_back(map->map);
  if (indexes.empty()) return {};
  return Program(unit, facts->of(*unit), std::string(name), std::move(indexes));
}

Program CompiledLibrary::program_of(std::uint32_t map) const {
  return Program(unit, facts->of(*unit), map);
}

Program CompiledLibrary::expressions_program() const {
  return Program(unit, facts->of(*unit), "", {});
}

}  // namespace kiln::mappings
