// The files of a Library: of a site, single ones, and the shipped ones that are needed.

#include <algorithm>

#include "engine/base/limits.h"
#include "mappings/detail/lexer.h"
#include "mappings/detail/library_parts.h"
#include "mappings/parser.h"

namespace kiln::mappings {

using base::ErrorCode;
using detail::is_within;
using detail::kImplicitPackage;

namespace {

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

}  // namespace

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
      TRY(const std::string json, env.read_file(base::join_path(root_, name), base::limits::kTableBytesMax));
      // The folder also holds conformance profiles of HL7 v2, which channels read.
      if (json.find("\"StructureDefinition\"") != std::string::npos) add_profile(name, json, diagnostics);
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
  // `map message = std.fhirv2`: a whole package, which the input chooses from.
  for (const ast::Decl& decl : file.tree.decls) {
    if (const auto* channel = decl.get_if<ast::ChannelDecl>())
      for (const ast::RouteClause& route : channel->routes) require_shipped(route.map.text());
  }
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

}  // namespace kiln::mappings
