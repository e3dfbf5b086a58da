#include "mappings/language/workspace.h"

#include <algorithm>

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "mappings/compiler.h"
#include "mappings/tables.h"

namespace kiln::mappings {

namespace {

/// A site without channels, or a single file.
Findings check_maps(base::Env& env, const std::string& path, bool folder) {
  Findings out;
  auto library = std::make_shared<Library>();
  const base::Status status =
      folder ? library->add_site(env, path, out.diagnostics) : library->add_file(env, path, out.diagnostics);
  library->link(out.diagnostics);
  if (status) {
    library->set_tables(load_tables(*library, env, out.diagnostics));
    compile(*library, out.diagnostics);
  }
  out.library = std::move(library);
  return out;
}

}  // namespace

bool Workspace::open(const std::string& uri, std::string text) {
  if (documents_.size() >= kDocumentsMax && !documents_.contains(uri)) return false;
  if (text.size() > base::limits::kHmapFileBytesMax || !base::is_valid_utf8(text)) return false;
  auto& document = documents_[uri];
  document = std::make_unique<TextDocument>(uri, std::move(text));
  texts_[document->path()] = &document->text();
  touch(*document);
  return true;
}

void Workspace::close(const std::string& uri) {
  const auto found = documents_.find(uri);
  if (found == documents_.end()) return;
  touch(*found->second);
  texts_.erase(found->second->path());
  documents_.erase(found);
}

TextDocument* Workspace::find(std::string_view uri) {
  const auto found = documents_.find(uri);
  return found == documents_.end() ? nullptr : found->second.get();
}

void Workspace::touch(const TextDocument& document) {
  const std::string site = site_of(document);
  checked_.erase(site);
  touched_.insert(site);
}

std::vector<std::string> Workspace::take_touched() {
  std::vector<std::string> out(touched_.begin(), touched_.end());
  touched_.clear();
  return out;
}

std::string Workspace::site_of(const TextDocument& document) {
  const std::string& path = document.path();
  if (!path.starts_with('/')) return path;
  const std::string folder(base::folder_of(path));
  const std::string_view name = base::name_of(folder);
  const bool inside = name == "maps" || name == "channels";
  const std::string above(base::folder_of(folder));
  if (inside && above != "." && above != "/") return above;
  if (disk_.exists(base::join_path(folder, "kiln.conf")) || path.ends_with("/kiln.conf")) return folder;
  return path;
}

bool Workspace::has_open(const std::string& site) {
  return std::any_of(documents_.begin(), documents_.end(),
                     [&](const auto& entry) { return site_of(*entry.second) == site; });
}

Findings Workspace::check(const std::string& site) {
  OverlayEnv env(disk_, texts_);
  const bool folder = !texts_.contains(site);
  if (!folder || !around_.check_site) return check_maps(env, site, folder);
  auto checked = around_.check_site(env, site);
  if (checked && checked->library) return std::move(*checked);
  return check_maps(env, site, folder);
}

const Findings& Workspace::findings(const std::string& site) {
  const auto known = checked_.find(site);
  if (known != checked_.end()) return known->second;
  return checked_[site] = check(site);
}

const LibraryFile* Workspace::file_of(const TextDocument& document) {
  const Findings& found = findings(site_of(document));
  for (const auto& file : found.library->files()) {
    if (!file->shipped && base::join_path(found.library->root(), file->name) == document.path())
      return file.get();
  }
  for (const auto& file : found.library->files()) {
    if (!file->shipped && file->name == document.path()) return file.get();
  }
  return nullptr;
}

std::string Workspace::uri_of(const Library& library, std::uint32_t source) const {
  const std::string& name = library.sources().file(source).name;
  for (const auto& file : library.files())
    if (file->tree.source == source && file->shipped) return "kiln:/" + name;
  const std::string path = texts_.contains(name) ? name : base::join_path(library.root(), name);
  for (const auto& [uri, document] : documents_)
    if (document->path() == path) return uri;
  return uri_of_path(path);
}

}  // namespace kiln::mappings
