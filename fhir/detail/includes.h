#pragma once
// _include and _revinclude (search#include).

#include <vector>

#include "fhir/interaction.h"
#include "fhir/search/query.h"

namespace kiln::fhir::detail {

struct Included {
  std::vector<StoredVersion> rows;  ///< each once, none of the matches
  bool is_cut = false;              ///< there would be more than limits::kSearchIncludedMax
};

/// What the includes of a search bring to a page of matches. Types the principal may not search are left out.
Answer<Included> find_included(const Call& call, const std::vector<Include>& includes,
                               const std::vector<StoredVersion>& matches);

}  // namespace kiln::fhir::detail
