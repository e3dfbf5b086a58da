#pragma once
// Parts of resources: _summary and _elements (search#summary, search#elements).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"
#include "fhir/outcome.h"

namespace kiln::fhir {

struct Subset {
  enum class Mode : std::uint8_t {
    all,
    summary,   ///< elements marked so in the definitions, and mandatory ones
    text,      ///< id, meta, text and mandatory elements
    data,      ///< all but the narrative
    elements,  ///< those listed, mandatory and modifier elements
  };
  Mode mode = Mode::all;
  std::vector<std::string> elements;  ///< base names at the root of the resource

  bool is_all() const { return mode == Mode::all; }
};

/// Takes `_summary` (true, text, data, false; not count) and `_elements` (names, or Type.name for that type
/// only). False: not one of them. Failure: fhir_search_invalid.
Answer<bool> parse_subset(Subset& subset, std::string_view type, std::string_view name,
                          std::string_view value);

/// That part of a resource of ours, with the tag SUBSETTED when it may be incomplete (fhir.md Q8). A text
/// that is no valid resource comes back as it is.
std::string apply_subset(std::string resource, const Subset& subset);

/// The resource carries the tag SUBSETTED: it must not be stored.
bool is_subsetted(base::JsonView resource);

}  // namespace kiln::fhir
