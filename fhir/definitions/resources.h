#pragma once
// The code systems, value sets, concept maps and profiles of the packages (fhir.md D1, D2): compiled in packed, and
// unpacked one by one when somebody asks. Nothing is done at start; the first call reads an index of about 5,000 urls.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::fhir {

/// The resource as compact JSON without prose (no narrative, definitions, designations, mappings); a profile has its
/// differential only. `type` is CodeSystem, ValueSet, ConceptMap or StructureDefinition; `url` without version.
/// nullopt when it is not shipped. Thread-safe.
std::optional<std::string> shipped_resource(std::string_view type, std::string_view url);
/// It is shipped; nothing is unpacked but the index.
bool is_shipped(std::string_view type, std::string_view url);
/// Urls of a type, sorted.
std::vector<std::string_view> shipped_urls(std::string_view type);

}  // namespace kiln::fhir
