#pragma once
// Tables with `reload` (hmap.md §8): a changed file becomes a new version of the site, whole or not at all.

#include <map>
#include <memory>
#include <string>

#include "channels/definition.h"
#include "engine/base/env.h"

namespace kiln::engine {

/// Looks at the files of one running site. One thread at a time.
class TableWatch {
 public:
  TableWatch(std::shared_ptr<const channels::Site> site, base::Env& env);

  /// Shortest `reload` of the site's tables in milliseconds; 0: none reloads.
  std::int64_t interval_ms() const { return interval_ms_; }

  struct Change {
    std::shared_ptr<const channels::Site> site;  ///< null: nothing changed, or it cannot be used
    std::string problem;                         ///< why it cannot be used; one line, without cells
  };
  /// Reads what changed since the last look and checks the whole site with it: the maps are those that run, only
  /// tables differ. What is broken is said once and tried again when the file changes again.
  Change look();

 private:
  std::shared_ptr<const channels::Site> site_;
  base::Env& env_;
  std::int64_t interval_ms_ = 0;
  struct Seen {
    std::uint64_t size = 0;
    base::WallTime modified;
  };
  std::map<std::string, Seen> files_;  ///< by name relative to the site
};

}  // namespace kiln::engine
