#pragma once
// gen/segments.hmap and gen/datatypes.hmap: the rows of the guide that are rules as they stand.

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/embedded_file.h"
#include "mappings/importer/decisions.h"
#include "mappings/importer/guide.h"

namespace kiln::mappings {

struct GeneratedMaps {
  /// File below std/v2fhir -> text in canonical style. The same input gives the same bytes.
  std::map<std::string, std::string> files;
  /// "kind|map|row" -> "gen/segments.hmap fragment PID_Patient".
  std::map<std::string, std::string> places;
  /// "kind|map|row" -> why the row is no rule.
  std::map<std::string, std::string> by_hand;
};

std::string row_key(const GuideSheet& sheet, int row);

/// A sheet becomes a fragment where a file written by hand includes it: `include guide.PID_Patient`. Rows
/// that `decisions` names are left out: the overlay has them, or nobody.
GeneratedMaps generated_maps(std::span<const GuideSheet> sheets, std::span<const base::EmbeddedFile> library,
                             const Decisions& decisions);

}  // namespace kiln::mappings
