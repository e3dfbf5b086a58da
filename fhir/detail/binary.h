#pragma once
// Binary in its own format (binary.html): the content itself in and out instead of a resource with base64.

#include <string_view>

#include "fhir/interaction.h"

namespace kiln::fhir::detail {

/// A Binary made of a body that is no FHIR: its content type, its bytes, X-Security-Context as reference, and
/// for a PUT the id of the URL.
Answer<base::JsonDocument> binary_resource(std::string_view body, std::string_view content_type,
                                           const Call& call);

/// The reply of a read turned into the content. It is never shown inline by a browser (a stored HTML file
/// would be a program with the rights of this server's origin).
Answer<Reply> native_reply(Reply reply);

}  // namespace kiln::fhir::detail
