#pragma once
// HL7 v2 over HTTP: which bodies are messages, and how answers are told (hl7v2.md §12). Pure.

#include <optional>
#include <string>
#include <string_view>

#include "engine/base/http_message.h"
#include "engine/base/result.h"

namespace kiln::channels::detail {

enum class Hl7Encoding : std::uint8_t { er7, xml };

/// A media type that carries HL7 v2: application/hl7-v2, application/hl7-v2+er7 and +xml, each also with the
/// prefix x-; text/plain when `plain_text`. Parameters do not matter. nullopt for any other.
std::optional<Hl7Encoding> hl7_encoding(std::string_view content_type, bool plain_text);

/// The body as a message with delimiters. Errors: of from_xml().
base::Result<std::string> hl7_from_body(std::string body, Hl7Encoding encoding);
/// The reverse, for an answer or a message to send; what cannot be parsed stays as it is.
std::string hl7_to_body(std::string message, Hl7Encoding encoding);

/// 200 for AA, CA and what is no acknowledgement; 422 for AE and CE, 400 for AR and CR.
int status_of_acknowledgement(std::string_view acknowledgement);

}  // namespace kiln::channels::detail
