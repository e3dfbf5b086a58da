#pragma once
// Content negotiation (fhir.md §16): JSON and XML are spoken, other formats are refused by name.

#include <string_view>

#include "fhir/interaction.h"

namespace kiln::fhir::detail {

enum class Format : std::uint8_t { json, xml };

/// What `_format` (which wins) or Accept asks for, by q-values and the order of the list; JSON when both are
/// empty or leave the choice. fhir_not_acceptable when neither format is among them.
Answer<Format> choose_format(std::string_view format, std::string_view accept);
/// The format of a body by its Content-Type; JSON when it is absent. fhir_media_type for another one, for a
/// charset other than UTF-8 and another version of FHIR.
Answer<Format> body_format(std::string_view content_type);
/// "application/fhir+json; charset=UTF-8".
std::string_view content_type_of(Format format);
/// application/x-www-form-urlencoded, for POST _search.
bool is_form(std::string_view content_type);
/// The type without parameters, in lower case: "application/json-patch+json".
std::string media_type(std::string_view content_type);
/// Accept-Encoding allows gzip.
bool accepts_gzip(std::string_view accept_encoding);

}  // namespace kiln::fhir::detail
