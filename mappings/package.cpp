#include "mappings/package.h"

#include <algorithm>

#include "mappings/detail/library_parts.h"

namespace kiln::mappings {

using base::ErrorCode;
using detail::is_within;
using detail::kImplicitPackage;

namespace {

DeclKind kind_of(const ast::Decl& decl) {
  static constexpr DeclKind kKinds[] = {DeclKind::constant, DeclKind::extension, DeclKind::table,
                                        DeclKind::lookup,   DeclKind::row,       DeclKind::csv,
                                        DeclKind::segment,  DeclKind::fn,        DeclKind::datatype,
                                        DeclKind::fragment, DeclKind::map,       DeclKind::map};
  if (std::holds_alternative<ast::ChannelDecl>(decl.node)) return DeclKind::channel;
  return decl.node.index() < std::size(kKinds) ? kKinds[decl.node.index()] : DeclKind{};
}

std::string joined(const ast::QName& name, std::size_t parts) {
  std::string out;
  for (std::size_t i = 0; i < parts; ++i) {
    if (i != 0) out += '.';
    out += name.parts[i].text;
  }
  return out;
}

}  // namespace

std::string Declaration::qualified() const {
  return package.empty() ? std::string(name) : std::string(package) + "." + std::string(name);
}

// ---- index ----

void Library::link(base::Diagnostics& diagnostics) {
  load_needed(diagnostics);
  index_declarations(diagnostics);
  resolve_uses(diagnostics);
  resolve_settings(diagnostics);
}

void Library::index_declarations(base::Diagnostics& diagnostics) {
  for (const auto& file : files_) {
    auto& names = packages_[file->package];
    for (const ast::Decl& decl : file->tree.decls) {
      const auto* datatype = decl.get_if<ast::DatatypeDecl>();
      const ast::Name* name = datatype != nullptr ? &datatype->source : ast::declared_name(decl);
      if (name == nullptr) continue;
      auto entry = std::make_unique<Declaration>();
      *entry = {kind_of(decl), name->text, file->package, &decl, file.get(), name->span};
      if (datatype == nullptr) {
        auto& same = names[name->text];
        const auto earlier = std::find_if(
            same.begin(), same.end(), [&](const Declaration* other) { return other->kind == entry->kind; });
        if (earlier != same.end()) {
          base::Diagnostic diagnostic;
          diagnostic.code = ErrorCode::E0303;
          diagnostic.message = std::string(keyword_of(decl)) + " `" + name->text + "` is declared twice in " +
                               (file->package.empty() ? "this site" : "package " + file->package);
          diagnostic.span = name->span;
          diagnostic.notes.push_back("first declared at " + sources_.place((*earlier)->span));
          diagnostics.add(std::move(diagnostic));
          continue;
        }
        same.push_back(entry.get());
      }
      declarations_.push_back(std::move(entry));
    }
  }
}

bool Library::has_package(std::string_view package) const {
  if (packages_.contains(package) || shipped_->packages.contains(package)) return true;
  const auto nested = packages_.lower_bound(std::string(package) + ".");
  return nested != packages_.end() && is_within(nested->first, package);
}

void Library::resolve_uses(base::Diagnostics& diagnostics) {
  for (const auto& file : files_) {
    scopes_.push_back(std::make_unique<Scope>());
    for (const ast::UseDecl& use : file->tree.uses) resolve_use(*file, use, diagnostics);
  }
}

void Library::resolve_use(const LibraryFile& file, const ast::UseDecl& use, base::Diagnostics& diagnostics) {
  Scope& scope = *scopes_[file_of_source_[file.tree.source]];
  const std::string module = use.module.text();
  base::Diagnostic diagnostic;
  if (!packages_.contains(module)) {
    diagnostic.code = ErrorCode::E0304;
    diagnostic.message = "there is no module `" + module + "`";
    diagnostic.span = use.module.span;
    std::vector<std::string_view> candidates(shipped_->packages.begin(), shipped_->packages.end());
    for (const auto& [package, names] : packages_) candidates.push_back(package);
    const std::string_view near = base::nearest(module, candidates);
    if (!near.empty()) diagnostic.helps.push_back("did you mean `" + std::string(near) + "`?");
    if (has_package(module)) diagnostic.notes.push_back("packages nest only by name: `use` the nested ones");
    diagnostics.add(std::move(diagnostic));
    return;
  }
  scope.mentioned.insert(module);
  if (use.alias) {
    scope.aliases[use.alias->text] = module;
    return;
  }
  if (!use.has_list) {
    scope.packages.push_back(module);
    return;
  }
  const auto& available = packages_.find(module)->second;
  for (const ast::Name& name : use.names) {
    const auto found = available.find(name.text);
    if (found != available.end()) {
      auto& list = scope.names[name.text];
      list.insert(list.end(), found->second.begin(), found->second.end());
      continue;
    }
    diagnostic = {};
    diagnostic.code = ErrorCode::E0305;
    diagnostic.message = "module `" + module + "` has no `" + name.text + "`";
    diagnostic.span = name.span;
    std::vector<std::string_view> candidates;
    for (const auto& [other, list] : available) candidates.push_back(other);
    const std::string_view near = base::nearest(name.text, candidates);
    if (!near.empty()) diagnostic.helps.push_back("did you mean `" + std::string(near) + "`?");
    diagnostics.add(std::move(diagnostic));
  }
}

void Library::resolve_settings(base::Diagnostics& diagnostics) {
  for (const auto& file : files_) {
    for (const ast::Decl& decl : file->tree.decls) {
      const auto* set = decl.get_if<ast::SetConstDecl>();
      if (set == nullptr) continue;
      const Declaration* constant = find(*file, set->base, DeclKind::constant, diagnostics);
      if (constant == nullptr) continue;
      if (const ConstantSetting* earlier = setting(*constant)) {
        base::Diagnostic diagnostic;
        diagnostic.code = ErrorCode::E0705;
        diagnostic.message = "constant `" + constant->qualified() + "` is set twice";
        diagnostic.span = set->base.span;
        diagnostic.notes.push_back("first set at " + sources_.place(earlier->set->base.span));
        diagnostics.add(std::move(diagnostic));
        continue;
      }
      settings_.push_back({constant, set, file.get(), decl.span});
    }
  }
}

const ConstantSetting* Library::setting(const Declaration& constant) const {
  const auto found =
      std::find_if(settings_.begin(), settings_.end(),
                   [&](const ConstantSetting& setting) { return setting.constant == &constant; });
  return found == settings_.end() ? nullptr : &*found;
}

// ---- lookup ----

const LibraryFile& Library::file_of(std::uint32_t source) const {
  return *files_[file_of_source_[source]];
}
const LibraryFile& Library::file_of(const ast::File& tree) const {
  return file_of(tree.source);
}
const Library::Scope& Library::scope_of(const LibraryFile& file) const {
  return *scopes_[file_of_source_[file.tree.source]];
}

const Declaration* Library::in_package(std::string_view package, std::string_view name,
                                       DeclKind kinds) const {
  const auto names = packages_.find(package);
  if (names == packages_.end()) return nullptr;
  const auto list = names->second.find(name);
  if (list == names->second.end()) return nullptr;
  for (const Declaration* declaration : list->second) {
    if (has_kind(kinds, declaration->kind)) return declaration;
  }
  return nullptr;
}

Resolution Library::resolve(const LibraryFile& file, std::string_view name, DeclKind kinds) const {
  Resolution result;
  result.parts = 1;
  result.found = in_package(file.package, name, kinds);
  if (result.found != nullptr) return result;

  std::vector<const Declaration*> candidates;
  const auto add = [&](const Declaration* candidate) {
    if (candidate == nullptr || !has_kind(kinds, candidate->kind)) return;
    if (std::find(candidates.begin(), candidates.end(), candidate) == candidates.end()) {
      candidates.push_back(candidate);
    }
  };
  const Scope& scope = scope_of(file);
  if (const auto named = scope.names.find(name); named != scope.names.end()) {
    for (const Declaration* declaration : named->second) add(declaration);
  }
  for (const std::string& package : scope.packages) add(in_package(package, name, kinds));
  if (candidates.empty()) add(in_package(kImplicitPackage, name, kinds));
  if (candidates.size() == 1) {
    result.found = candidates.front();
  } else if (candidates.empty()) {
    result.parts = 0;
  } else {
    result.ambiguous = std::move(candidates);
  }
  return result;
}

Resolution Library::resolve_dotted(const LibraryFile& file, const ast::QName& name, std::size_t parts,
                                   DeclKind kinds) const {
  const std::string& last = name.parts[parts - 1].text;
  if (parts == 1) return resolve(file, last, kinds);
  std::string package = joined(name, parts - 1);
  if (parts == 2) {
    const auto& aliases = scope_of(file).aliases;
    if (const auto alias = aliases.find(package); alias != aliases.end()) package = alias->second;
  }
  Resolution result;
  result.found = in_package(package, last, kinds);
  result.parts = result.found != nullptr ? parts : 0;
  return result;
}

Resolution Library::resolve(const LibraryFile& file, const ast::QName& name, DeclKind kinds) const {
  for (std::size_t parts = name.parts.size(); parts > 0; --parts) {
    Resolution result = resolve_dotted(file, name, parts, kinds);
    if (result.parts != 0) return result;
  }
  return {};
}

void Library::report_ambiguous(const Resolution& resolution, std::string_view name, base::Span span,
                               base::Diagnostics& diagnostics) const {
  if (resolution.ambiguous.empty()) return;
  base::Diagnostic diagnostic;
  diagnostic.code = ErrorCode::E0302;
  diagnostic.message =
      "`" + std::string(name) + "` comes from " +
      (resolution.ambiguous.size() == 2 ? std::string("two") : std::to_string(resolution.ambiguous.size())) +
      " imports";
  diagnostic.span = span;
  for (const Declaration* candidate : resolution.ambiguous) {
    diagnostic.notes.push_back(candidate->qualified() + " at " + sources_.place(candidate->span));
  }
  diagnostic.helps.push_back("`use … as x` and `x." + std::string(name) + "`, or the qualified name");
  diagnostics.add(std::move(diagnostic));
}

const Declaration* Library::find(const LibraryFile& file, const ast::QName& name, DeclKind kinds,
                                 base::Diagnostics& diagnostics) const {
  const Resolution result = resolve_dotted(file, name, name.parts.size(), kinds);
  if (result.found != nullptr) return result.found;
  if (!result.ambiguous.empty()) {
    report_ambiguous(result, name.text(), name.span, diagnostics);
    return nullptr;
  }
  base::Diagnostic diagnostic;
  diagnostic.code = ErrorCode::E0305;
  diagnostic.message = "there is no `" + name.text() + "` here";
  diagnostic.span = name.span;
  std::vector<std::string_view> candidates = names_in_scope(file, kinds);
  std::vector<std::string> qualified;
  if (name.parts.size() > 1) {
    for (const auto& declaration : declarations_) {
      if (has_kind(kinds, declaration->kind)) qualified.push_back(declaration->qualified());
    }
    candidates.insert(candidates.end(), qualified.begin(), qualified.end());
  }
  const std::string_view near = base::nearest(name.text(), candidates);
  if (!near.empty()) diagnostic.helps.push_back("did you mean `" + std::string(near) + "`?");
  if (name.parts.size() == 1) {
    for (const auto& declaration : declarations_) {
      if (declaration->name != name.parts[0].text || !has_kind(kinds, declaration->kind)) continue;
      diagnostic.helps.push_back("package " + std::string(declaration->package) + " has one: `use " +
                                 std::string(declaration->package) + "`");
      break;
    }
  }
  diagnostics.add(std::move(diagnostic));
  return nullptr;
}

std::vector<std::string_view> Library::names_in_scope(const LibraryFile& file, DeclKind kinds) const {
  std::vector<std::string_view> names;
  const auto add_package = [&](std::string_view package) {
    const auto found = packages_.find(package);
    if (found == packages_.end()) return;
    for (const auto& [name, list] : found->second) {
      if (in_package(package, name, kinds) != nullptr) names.push_back(name);
    }
  };
  add_package(file.package);
  add_package(kImplicitPackage);
  const Scope& scope = scope_of(file);
  for (const std::string& package : scope.packages) add_package(package);
  for (const auto& [name, list] : scope.names) {
    for (const Declaration* declaration : list) {
      if (has_kind(kinds, declaration->kind)) names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::vector<Conversion> Library::conversions(const LibraryFile& file) const {
  std::map<std::string, int, std::less<>> distance{{file.package, 0}};
  std::vector<std::string> queue{file.package};
  for (std::size_t i = 0; i < queue.size(); ++i) {
    const std::string package = queue[i];
    const int next = distance[package] + 1;
    for (const auto& other : files_) {
      // The file's own `use`, and those of every file of a package that is reached.
      if (i == 0 ? other.get() != &file : other->package != package) continue;
      for (const std::string& used : scope_of(*other).mentioned) {
        if (distance.emplace(used, next).second) queue.push_back(used);
      }
    }
  }
  if (distance.emplace(std::string(kImplicitPackage), static_cast<int>(queue.size())).second) {
    queue.emplace_back(kImplicitPackage);
  }
  std::vector<Conversion> found;
  for (const auto& declaration : declarations_) {
    if (declaration->kind != DeclKind::datatype) continue;
    const auto at = distance.find(declaration->package);
    if (at != distance.end()) found.push_back({declaration.get(), at->second});
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Conversion& a, const Conversion& b) { return a.distance < b.distance; });
  return found;
}

}  // namespace kiln::mappings
