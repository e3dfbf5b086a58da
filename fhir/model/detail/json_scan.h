#pragma once
// Looks ahead in JSON text that was not parsed yet.

#include <string_view>

namespace kiln::fhir::detail {

/// The text of the member resourceType of the object that starts `text`; empty when it has none, or no
/// string. `text` may be malformed. Linear in the object; at once when it is the first member, as it nearly
/// always is.
std::string_view find_resource_type(std::string_view text);

}  // namespace kiln::fhir::detail
