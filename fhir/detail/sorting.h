#pragma once
// _sort by values of parameters (search#sort).

#include <string>
#include <string_view>

#include "fhir/search/query.h"
#include "fhir/store.h"

namespace kiln::fhir::detail {

struct SortedPage {
  std::vector<StoredVersion> rows;
  std::string last;  ///< where the page ends: `after` of the next one
  bool more = false;
};

/// One page of a search that has ParsedSearch::sort. A resource with several values counts by the one that
/// comes first in that order, one without comes last, equal ones by id. fhir_too_costly beyond
/// limits::kSearchSortedMax matches: all of them are looked at.
Answer<SortedPage> sorted_page(Store& store, const ParsedSearch& search, std::string_view after,
                               std::string_view own_base);

}  // namespace kiln::fhir::detail
