#pragma once
// Which changes of the store are meant: search criteria asked of one version by itself, in memory.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "channels/feed.h"
#include "engine/base/result.h"
#include "fhir/search/query.h"

namespace kiln::channels {

/// Immutable; thread-safe. An empty filter takes every change.
class ChangeFilter {
 public:
  /// Each of `criteria` is a type ("Patient") or a search of it
  /// ("Observation?category=laboratory&status=final"); a change that meets one is meant. `own_base` is the
  /// URL of the server, for absolute references to itself. Errors: channel_option, with what is wrong and in
  /// which criterion; also for what cannot be told from one version alone (chains, _has, _lastUpdated).
  static base::Result<ChangeFilter> parse(const std::vector<std::string>& criteria,
                                          std::string own_base = {});

  /// A deletion is judged by the content before it.
  bool matches(const Change& change) const;
  bool empty() const { return entries_.empty(); }
  /// Whether the filter speaks of the type at all: what does not is passed over without a look at it.
  bool names_type(std::string_view type) const;

 private:
  struct Entry {
    std::string type;
    fhir::SearchQuery query;  ///< no clauses: the whole type
  };
  std::vector<Entry> entries_;
  std::string own_base_;
};

}  // namespace kiln::channels
