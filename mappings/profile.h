#pragma once
// What maps need of a FHIR profile: its url, and what each slice of it is always made of (hmap.md §6). Read
// from StructureDefinitions in the folder `profiles` of a site.

#include <map>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace kiln::mappings {

struct Profile {
  std::string id, url;
  std::string type;  ///< "Observation"
  /// "category:laboratory", "component:systolic.code.coding:loinc" -> the body of an hmap block with the fixed and
  /// pattern values of the slice
  std::map<std::string, std::string, std::less<>> slices;
};

/// Reads the snapshot, or the differential of a profile without one. Errors: those of the JSON reader;
/// bad_value when it is no constraint on a resource type of R4.
base::Result<Profile> read_profile(std::string_view json);

}  // namespace kiln::mappings
