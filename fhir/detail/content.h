#pragma once
// Bodies between the wire and the interactions: inside, everything is JSON without compression.

#include <optional>
#include <string>
#include <string_view>

#include "engine/base/http_message.h"
#include "engine/base/json.h"
#include "fhir/detail/negotiation.h"
#include "fhir/outcome.h"

namespace kiln::fhir::detail {

/// The body without its Content-Encoding; nullopt when it has none. Refused: codings other than gzip
/// (fhir_media_type), damaged ones (fhir_invalid), what is larger than a body may be (limit_exceeded).
Answer<std::optional<std::string>> unpack_body(const base::HttpRequest& request);

/// A resource in either format; an empty body is fhir_required. XML must be a valid resource, of JSON only
/// the syntax is checked here.
Answer<base::JsonDocument> parse_body(std::string_view body, Format format);

/// JSON of ours in the format, and as pretty as asked for. fhir_not_xml when XML cannot carry it.
Answer<std::string> print_body(std::string json, Format format, bool pretty);

}  // namespace kiln::fhir::detail
