#pragma once
// _sort by values of parameters (search#sort).

#include <string>
#include <string_view>

#include "fhir/search/query.h"
#include "fhir/store.h"

namespace kiln::fhir::detail {

struct SortedPage {
  std::vector<StoredVersion> rows;
  std::int64_t last_seq = 0;  ///< version of the last row: `after` of the next page
  bool more = false;
};

/// One page of a search that has ParsedSearch::sort. A resource with several values counts by the one that
/// comes first in that order, one without comes last, equal ones by id. fhir_too_costly beyond
/// limits::kSearchSortedMax matches, or kSortReadBytesMax of their bodies: all of them are looked at, one by one.
/// `after`: the version that ended the page before (its keys count, whatever has become of the resource); 0: the
/// first page.
Answer<SortedPage> sorted_page(Store& store, const ParsedSearch& search, std::int64_t after,
                               std::string_view own_base);

}  // namespace kiln::fhir::detail
