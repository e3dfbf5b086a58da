#pragma once
// The conformance resources that validation and terminology work with: those that are shipped, and those that were
// loaded on top (files, folders, packages; fhir.md D7).

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/env.h"
#include "engine/base/result.h"
#include "fhir/model/tree.h"

namespace kiln::fhir {

/// "http://x/y|1.0" in two parts.
struct Canonical {
  std::string_view url, version;
};
Canonical split_canonical(std::string_view canonical);

/// Load first, then ask: find() may be called from any thread, load() and add() must not run beside it. Nodes stay
/// valid as long as the library.
class Library {
 public:
  Library();
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  /// A file (JSON or XML), a folder (its .json, .xml and .tgz files, sorted) or a package (.tgz). A file that cannot be
  /// read as FHIR refuses the whole path; nothing of it is loaded then. Errors: of reading, each with the file's name.
  base::Status load(base::Env& env, const std::string& path);
  /// One resource; of a Bundle each entry. A later one of the same url and version takes the place of an earlier one.
  void add(Tree tree);

  /// By type and canonical url ("url" or "url|version"): loaded ones first, then what is shipped. Without a version the
  /// one loaded last. Absent when there is none.
  Node find(std::string_view type, std::string_view canonical) const;
  /// One of that url was loaded (in whatever version).
  bool is_loaded(std::string_view type, std::string_view url) const;
  /// Profiles that loaded implementation guides ask of every resource of a type.
  std::vector<std::string> global_profiles(std::string_view type) const;
  /// By "Type/id", loaded ones only.
  Node find_by_id(std::string_view type, std::string_view id) const;
  /// Urls of all resources of a type that were loaded or are shipped, sorted, each once.
  std::vector<std::string> urls(std::string_view type) const;
  std::size_t loaded() const { return loaded_count_; }

 private:
  struct Entry {
    std::string version;
    Node node;
  };
  using Key = std::pair<std::string, std::string>;

  base::Status read(base::Env& env, const std::string& path, std::vector<Tree>& trees) const;
  void add_resource(Node resource);

  std::vector<Tree> trees_;
  std::map<Key, std::vector<Entry>, std::less<>> by_url_;
  std::map<Key, Node, std::less<>> by_id_;
  std::vector<std::pair<std::string, std::string>> globals_;  ///< type, profile
  std::size_t loaded_count_ = 0;

  mutable std::mutex mutex_;  ///< guards what find() makes of shipped resources
  mutable std::map<Key, Tree, std::less<>> shipped_;
};

}  // namespace kiln::fhir
