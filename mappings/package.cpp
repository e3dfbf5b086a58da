#include "mappings/package.h"

#include <algorithm>

#include "engine/base/limits.h"
#include "mappings/detail/lexer.h"
#include "mappings/parser.h"

namespace kiln::mappings {

using base::ErrorCode;

/// What `use` brings into one file.
struct Library::Scope {
  std::vector<std::string> packages;                        ///< `use m`
  std::map<std::string, std::string, std::less<>> aliases;  ///< `use m as x`
  /// `use m.{a}`: name -> where it comes from
  std::map<std::string, std::vector<const Declaration*>, std::less<>> names;
  std::set<std::string, std::less<>> mentioned;  ///< every package of a `use`, in any form
};

/// The embedded files by package, parsed only when needed.
struct Library::Shipped {
  struct Source {
    const base::EmbeddedFile* file = nullptr;
    std::string package;
    bool needed = false;
    bool loaded = false;
  };
  std::vector<Source> sources;
  std::set<std::string, std::less<>> packages;
};

namespace {

constexpr std::string_view kImplicitPackage = "std.tables";

bool is_within(std::string_view package, std::string_view outer) {
  return package == outer ||
         (package.size() > outer.size() && package.starts_with(outer) && package[outer.size()] == '.');
}

DeclKind kind_of(const ast::Decl& decl) {
  static constexpr DeclKind kKinds[] = {DeclKind::constant, DeclKind::extension, DeclKind::table,
                                        DeclKind::lookup,   DeclKind::row,       DeclKind::csv,
                                        DeclKind::segment,  DeclKind::fn,        DeclKind::datatype,
                                        DeclKind::fragment, DeclKind::map,       DeclKind::map};
  if (std::holds_alternative<ast::ChannelDecl>(decl.node)) return DeclKind::channel;
  return decl.node.index() < std::size(kKinds) ? kKinds[decl.node.index()] : DeclKind{};
}

/// The name after `module` without parsing the file: the shipped library is large, and most of it stays
/// unused.
std::string package_of(std::string_view text) {
  base::Diagnostics ignored;
  std::size_t line_begin = 0;
  while (line_begin < text.size()) {
    const std::size_t line_end = std::min(text.find('\n', line_begin), text.size());
    const std::string_view line = text.substr(line_begin, line_end - line_begin);
    if (line.starts_with("module ")) {
      std::string name;
      for (const detail::Token& token :
           detail::lex(0, line, 7, static_cast<std::uint32_t>(line.size()), ignored).tokens) {
        name += line.substr(token.begin, token.end - token.begin);
      }
      return name;
    }
    line_begin = line_end + 1;
  }
  return {};
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

Library::Library(std::span<const base::EmbeddedFile> shipped) : shipped_(std::make_unique<Shipped>()) {
  for (const base::EmbeddedFile& file : shipped) {
    if (!std::string_view(file.path).ends_with(".hmap")) continue;
    shipped_->sources.push_back({&file, package_of(file.text), false, false});
    shipped_->packages.insert(shipped_->sources.back().package);
  }
}

Library::Library(Library&&) noexcept = default;
Library& Library::operator=(Library&&) noexcept = default;
Library::~Library() = default;

LibraryFile& Library::add_parsed(std::string name, std::string text, bool shipped,
                                 base::Diagnostics& diagnostics) {
  auto file = std::make_unique<LibraryFile>();
  file->name = name;
  file->shipped = shipped;
  const std::uint32_t source = sources_.add(std::move(name), std::move(text));
  file->tree = parse(sources_, source, diagnostics);
  if (file->tree.module) file->package = file->tree.module->text();
  file_of_source_.resize(source + 1, UINT32_MAX);
  file_of_source_[source] = static_cast<std::uint32_t>(files_.size());
  files_.push_back(std::move(file));
  return *files_.back();
}

void Library::add_text(std::string name, std::string text, base::Diagnostics& diagnostics) {
  add_parsed(std::move(name), std::move(text), false, diagnostics);
}

base::Status Library::add_file(base::Env& env, const std::string& path, base::Diagnostics& diagnostics) {
  TRY(std::string text, env.read_file(path, base::limits::kHmapFileBytesMax + 1));
  root_ = base::folder_of(path);
  add_parsed(path, std::move(text), false, diagnostics);
  return read_beside(env, diagnostics);
}

/// hmap.lock and profiles.
base::Status Library::read_beside(base::Env& env, base::Diagnostics& diagnostics) {
  const std::string folder = base::join_path(root_, "profiles");
  if (env.exists(folder)) {
    TRY(const auto entries, env.list(folder));
    for (const base::FileInfo& entry : entries) {
      if (entry.is_directory || !entry.name.ends_with(".json")) continue;
      const std::string name = base::join_path("profiles", entry.name);
      TRY(const std::string json,
          env.read_file(base::join_path(root_, name), base::limits::kTableBytesMax));
      add_profile(name, json, diagnostics);
    }
  }
  return read_lock(env, diagnostics);
}

void Library::add_profile(const std::string& name, const std::string& json, base::Diagnostics& diagnostics) {
  auto read = read_profile(json);
  if (!read) {
    base::Diagnostic diagnostic;
    diagnostic.code = ErrorCode::E0216;
    diagnostic.message = name + ": " + read.error().message();
    diagnostic.span = {sources_.add(name, ""), 0, 0};
    file_of_source_.resize(diagnostic.span.file + 1, UINT32_MAX);
    diagnostics.add(std::move(diagnostic));
    return;
  }
  auto loaded = std::make_unique<LoadedProfile>();
  loaded->profile = std::move(*read);
  // The constants as hmap text: the checker then treats them as it treats written rules.
  std::string text = "fragment meta() -> Element {\nmeta.profile += \"" + loaded->profile.url + "\"\n}\n";
  for (const auto& [slice, block] : loaded->profile.slices)
    text += "fragment slice() -> Element {\n" + block + "}\n";
  const std::uint32_t source = sources_.add(name, std::move(text));
  file_of_source_.resize(source + 1, UINT32_MAX);
  loaded->tree = parse(sources_, source, diagnostics);
  std::vector<const ast::Block*> blocks;
  for (const ast::Decl& decl : loaded->tree.decls) {
    if (const auto* fragment = decl.get_if<ast::FragmentDecl>()) blocks.push_back(&fragment->body);
  }
  std::size_t next = 0;
  if (next < blocks.size()) loaded->meta = blocks[next++];
  for (const auto& [slice, block] : loaded->profile.slices) {
    if (next < blocks.size()) loaded->slices.emplace(slice, blocks[next++]);
  }
  profiles_.push_back(std::move(loaded));
}

const LoadedProfile* Library::profile(std::string_view name) const {
  for (const auto& loaded : profiles_) {
    if (loaded->profile.id == name || loaded->profile.url == name) return loaded.get();
  }
  return nullptr;
}

base::Status Library::read_lock(base::Env& env, base::Diagnostics& diagnostics) {
  const std::string path = base::join_path(root_, kLockFileName);
  if (!env.exists(path)) return {};
  TRY(std::string text, env.read_file(path, base::limits::kLockFileBytesMax));
  add_lock(std::move(text), diagnostics);
  return {};
}

void Library::add_lock(std::string text, base::Diagnostics& diagnostics) {
  lock_text_ = std::move(text);
  const std::uint32_t source = sources_.add(std::string(kLockFileName), lock_text_);
  file_of_source_.resize(source + 1, UINT32_MAX);
  auto lock = Lock::parse(lock_text_);
  if (lock) {
    lock_ = std::move(*lock);
    return;
  }
  base::Diagnostic diagnostic;
  diagnostic.code = ErrorCode::E0702;
  diagnostic.message = lock.error().text + " (" + lock.error().place + ")";
  diagnostic.span = {source, 0, 1};
  diagnostic.helps.push_back(lock.error().remedy);
  diagnostics.add(std::move(diagnostic));
}

base::Status Library::add_site(base::Env& env, const std::string& folder, base::Diagnostics& diagnostics) {
  root_ = folder;
  std::vector<std::string> names;
  if (env.exists(base::join_path(folder, "kiln.conf"))) names.push_back("kiln.conf");
  const auto add_folder = [&](const std::string& name, std::string_view suffix) -> base::Status {
    const std::string path = base::join_path(folder, name);
    if (!env.exists(path)) return {};
    TRY(const auto entries, env.list(path));
    for (const base::FileInfo& entry : entries) {
      if (!entry.is_directory && entry.name.ends_with(suffix))
        names.push_back(base::join_path(name, entry.name));
    }
    return {};
  };
  TRY_VOID(add_folder("channels", ".channel"));
  TRY_VOID(add_folder("maps", ".hmap"));
  if (names.empty()) {
    return base::fail(ErrorCode::file_not_found, "no kiln.conf, channels/*.channel or maps/*.hmap", folder,
                      "name the folder of a site");
  }
  for (const std::string& name : names) {
    TRY(std::string text, env.read_file(base::join_path(folder, name), base::limits::kHmapFileBytesMax + 1));
    add_parsed(name, std::move(text), false, diagnostics);
  }
  return read_beside(env, diagnostics);
}

// ---- which shipped files are needed ----

void Library::need_package(std::string_view name, bool nested) {
  for (Shipped::Source& source : shipped_->sources) {
    if (nested ? is_within(source.package, name) : source.package == name) source.needed = true;
  }
}

bool Library::require_shipped(std::string_view package_or_map) {
  const auto any_within = [&](std::string_view name) {
    return std::any_of(shipped_->packages.begin(), shipped_->packages.end(),
                       [&](const std::string& package) { return is_within(package, name); });
  };
  if (any_within(package_or_map)) {
    need_package(package_or_map, true);
    return true;
  }
  const std::size_t dot = package_or_map.rfind('.');
  if (dot == std::string_view::npos || !shipped_->packages.contains(package_or_map.substr(0, dot)))
    return false;
  need_package(package_or_map.substr(0, dot), false);
  return true;
}

void Library::require_all_shipped() {
  for (Shipped::Source& source : shipped_->sources) source.needed = true;
}

/// The packages of `use` and of qualified names such as `std.fhirv2.header(…)`, which need no `use`. Names
/// are found in the tokens: a dotted name in any place may be one, and a package loaded for nothing does no
/// harm.
void Library::need_names_of(const LibraryFile& file) {
  for (const ast::UseDecl& use : file.tree.uses) need_package(use.module.text(), false);
  const std::string& text = sources_.file(file.tree.source).text;
  for (const std::string& package : shipped_->packages) {
    const std::size_t dot = package.find('.');
    if (package.empty() || dot == std::string::npos) continue;
    for (std::size_t at = text.find(package); at != std::string::npos; at = text.find(package, at + 1)) {
      if (at + package.size() < text.size() && text[at + package.size()] == '.') {
        need_package(package, false);
        break;
      }
    }
  }
}

void Library::load_needed(base::Diagnostics& diagnostics) {
  need_package(kImplicitPackage, false);
  std::size_t examined = 0;
  for (bool more = true; more;) {
    more = false;
    for (; examined < files_.size(); ++examined) need_names_of(*files_[examined]);
    for (Shipped::Source& source : shipped_->sources) {
      if (!source.needed || source.loaded) continue;
      source.loaded = more = true;
      add_parsed(std::string(source.file->path), std::string(source.file->text), true, diagnostics);
    }
  }
}

// ---- index ----

void Library::link(base::Diagnostics& diagnostics) {
  load_needed(diagnostics);
  index_declarations(diagnostics);
  resolve_uses(diagnostics);
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
