#pragma once
// Content negotiation (fhir.md §16): JSON is spoken, other formats are refused by name.

#include <string_view>

#include "fhir/interaction.h"

namespace kiln::fhir::detail {

/// fhir_not_acceptable unless JSON is among what `_format` (which wins) or Accept allows.
Answer<void> check_accept(std::string_view format, std::string_view accept);
/// fhir_media_type unless the Content-Type is FHIR or plain JSON in UTF-8, or absent.
Answer<void> check_content_type(std::string_view content_type);
/// application/x-www-form-urlencoded, for POST _search.
bool is_form(std::string_view content_type);

}  // namespace kiln::fhir::detail
