#pragma once
// What the entries of a transaction are about to write, found by their codes: criteria are held against the few entries
// that may meet them, not against all.

#include <cstddef>
#include <string>
#include <unordered_map>
#include <vector>

#include "fhir/search/query.h"

namespace kiln::fhir::detail {

class NewContent {
 public:
  /// `entry` is the caller's number of it; in ascending order.
  void add(std::size_t entry, std::string_view type, const IndexRows& rows);
  /// Every entry that may meet the query, ascending; others cannot.
  std::vector<std::size_t> candidates(const SearchQuery& query) const;

 private:
  struct OfType {
    std::vector<std::size_t> all;
    std::unordered_map<std::string, std::vector<std::size_t>> by_code;  ///< "ordinal code"
  };
  std::unordered_map<std::string, OfType> types_;
};

}  // namespace kiln::fhir::detail
