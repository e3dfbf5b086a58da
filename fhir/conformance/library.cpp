#include "fhir/conformance/library.h"

#include <algorithm>

#include "engine/base/archive.h"
#include "fhir/definitions/resources.h"
#include "fhir/model/json.h"
#include "fhir/model/xml.h"

namespace kiln::fhir {
namespace {

using base::Status;

constexpr std::size_t kDefinitionDepthMax = 200;  ///< code systems nest deeply

/// Definitions are read generously: what is odd in them matters only where it is used.
base::Result<Tree> read_definition(std::string_view text, std::vector<ReadIssue>& issues) {
  ReadOptions options;
  options.bytes_max = base::limits::kArchiveFileBytesMax;
  options.depth_max = kDefinitionDepthMax;
  options.issues = &issues;
  const std::size_t first = text.find_first_not_of("\xEF\xBB\xBF \t\r\n");
  const bool is_xml = first != text.npos && text[first] == '<';
  return is_xml ? read_xml(text, options) : read_json(text, options);
}

/// "package/NAME.json"; folders below hold other material.
bool is_package_resource(std::string_view name) {
  constexpr std::string_view kFolder = "package/";
  if (!name.starts_with(kFolder) || !name.ends_with(".json")) return false;
  name.remove_prefix(kFolder.size());
  return name.find('/') == name.npos && name != "package.json" && !name.starts_with('.');
}

/// What is worth keeping of a package: its examples are not.
bool is_conformance(Node resource) {
  static constexpr std::string_view kTypes[] = {"StructureDefinition", "ValueSet",      "CodeSystem", "ConceptMap",
                                                "Questionnaire",       "SearchParameter", "ImplementationGuide"};
  return resource.type() && std::find(std::begin(kTypes), std::end(kTypes), resource.type()->name()) != std::end(kTypes);
}

}  // namespace

Canonical split_canonical(std::string_view canonical) {
  const std::size_t bar = canonical.find('|');
  if (bar == canonical.npos) return {canonical, {}};
  return {canonical.substr(0, bar), canonical.substr(bar + 1)};
}

Library::Library() = default;
Library::~Library() = default;

Status Library::read(base::Env& env, const std::string& path, std::vector<Tree>& trees) const {
  TRY(const std::string bytes, env.read_file(path, base::limits::kArchiveFileBytesMax));
  std::vector<ReadIssue> issues;
  if (!path.ends_with(".tgz")) {
    auto tree = read_definition(bytes, issues);
    if (!tree) {
      tree.error().place = path + ": " + tree.error().place;
      return base::fail(std::move(tree).error());
    }
    trees.push_back(std::move(*tree));
    return {};
  }
  return base::read_tgz(bytes, [&](std::string_view name, std::string_view text) -> Status {
    if (!is_package_resource(name)) return {};
    auto tree = read_definition(text, issues);
    if (!tree) {
      tree.error().place = path + " " + std::string(name) + ": " + tree.error().place;
      return base::fail(std::move(tree).error());
    }
    issues.clear();
    if (is_conformance(tree->root())) trees.push_back(std::move(*tree));
    return {};
  });
}

Status Library::load(base::Env& env, const std::string& path) {
  TRY(const base::FileInfo info, env.info(path));
  std::vector<Tree> trees;
  if (info.is_directory) {
    TRY(const auto files, env.list(path));
    for (const base::FileInfo& file : files) {
      const std::string_view name = file.name;
      if (file.is_directory || !(name.ends_with(".json") || name.ends_with(".xml") || name.ends_with(".tgz"))) continue;
      TRY_VOID(read(env, base::join_path(path, name), trees));
    }
  } else {
    TRY_VOID(read(env, path, trees));
  }
  for (Tree& tree : trees) add(std::move(tree));
  return {};
}

void Library::add(Tree tree) {
  trees_.push_back(std::move(tree));
  const Node root = trees_.back().root();
  if (root.type() && root.type()->name() == "Bundle") {
    for (const Node entry : root) {
      if (entry.name() == "entry" && entry["resource"]) add_resource(entry["resource"]);
    }
  } else {
    add_resource(root);
  }
}

void Library::add_resource(Node resource) {
  if (!resource.type()) return;
  const std::string type(resource.type()->name());
  ++loaded_count_;
  if (const Node id = resource["id"]) by_id_[{type, std::string(id.text())}] = resource;
  if (type == "ImplementationGuide") {
    for (const Node global : resource) {
      if (global.name() == "global")
        globals_.emplace_back(global["type"].text(), global["profile"].text());
    }
  }
  const Node url = resource["url"];
  if (!url) return;
  std::string version(resource["version"].text());
  auto& entries = by_url_[{type, std::string(url.text())}];
  std::erase_if(entries, [&](const Entry& entry) { return entry.version == version; });
  entries.push_back({std::move(version), resource});
}

Node Library::find(std::string_view type, std::string_view canonical) const {
  const auto [url, version] = split_canonical(canonical);
  const Key key{std::string(type), std::string(url)};
  if (const auto found = by_url_.find(key); found != by_url_.end()) {
    if (version.empty()) return found->second.back().node;
    for (const Entry& entry : found->second) {
      if (entry.version == version) return entry.node;
    }
  }
  const std::lock_guard lock(mutex_);
  auto at = shipped_.find(key);
  if (at == shipped_.end()) {
    Tree tree;
    if (const auto text = shipped_resource(type, url)) {
      std::vector<ReadIssue> issues;
      if (auto read = read_definition(*text, issues)) tree = std::move(*read);
    }
    at = shipped_.emplace(key, std::move(tree)).first;
  }
  const Node node = at->second.root();
  return version.empty() || node["version"].text() == version ? node : Node();
}

bool Library::is_loaded(std::string_view type, std::string_view url) const {
  return by_url_.contains(Key{std::string(type), std::string(url)});
}

std::vector<std::string> Library::global_profiles(std::string_view type) const {
  std::vector<std::string> list;
  for (const auto& [of, profile] : globals_) {
    if (of == type) list.push_back(profile);
  }
  return list;
}

Node Library::find_by_id(std::string_view type, std::string_view id) const {
  const auto found = by_id_.find(Key{std::string(type), std::string(id)});
  return found == by_id_.end() ? Node() : found->second;
}

std::vector<std::string> Library::urls(std::string_view type) const {
  std::vector<std::string> list;
  for (const auto& [key, entries] : by_url_) {
    if (key.first == type) list.push_back(key.second);
  }
  for (const std::string_view url : shipped_urls(type)) list.emplace_back(url);
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}

}  // namespace kiln::fhir
