#pragma once
// What differs between two versions of a site, in the words of an operator and as work for a reload
// (reliability.md R13). Pure.

#include <map>
#include <string>
#include <vector>

#include "channels/definition.h"
#include "engine/pipeline.h"

namespace kiln::engine {

struct SiteDiff {
  struct Channel {
    enum class Kind : std::uint8_t { added, removed, changed } kind = Kind::changed;
    ChannelChange connectors;  ///< of a changed one
    bool other_maps = false;   ///< only filter, maps, acknowledgement or conditions differ
  };
  std::map<std::string, Channel> channels;  ///< those that differ; disabled ones count as absent
  std::vector<std::string>
      effects;  ///< one line each: "adt_in: destination pas changes (host \"a\" -> \"b\"): …"
  std::vector<std::string> restart;  ///< options of `server` that take effect at the next start
  struct File {
    std::string name;
    std::string change;  ///< added, removed, changed
    std::string diff;    ///< unified, of text files
  };
  std::vector<File> files;
  bool same() const { return files.empty() && channels.empty() && restart.empty(); }
};

/// Both sites are resolved. Values of options that came from references are not told.
SiteDiff diff_sites(const channels::Site& running, const channels::Site& wanted);

/// As JSON members "running", "disk", "same", "effects", "restart", "files" of one object.
std::string print_diff(const SiteDiff& diff, const std::string& running, const std::string& wanted);

}  // namespace kiln::engine
