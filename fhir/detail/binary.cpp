#include "fhir/detail/binary.h"

#include "engine/base/text.h"

namespace kiln::fhir::detail {

using base::ErrorCode;
using base::fail;

Answer<base::JsonDocument> binary_resource(std::string_view body, std::string_view content_type,
                                           const Call& call) {
  base::JsonWriter out;
  out.begin_object().member("resourceType", "Binary");
  if (!call.id.empty()) out.member("id", call.id);
  out.member("contentType", base::trim(content_type));
  if (const auto context = call.headers->get("X-Security-Context"); !context.empty())
    out.key("securityContext").begin_object().member("reference", context).end_object();
  if (!body.empty()) out.member("data", base::base64_encode(body));
  out.end_object();
  // Base64 is a third longer than what it holds, and that was allowed.
  TRY(base::JsonDocument document,
      base::parse_json(out.str(), {base::limits::kMessageBytesMax * 3 / 2, base::limits::kJsonDepthMax}));
  return document;
}

Answer<Reply> native_reply(Reply reply) {
  TRY(const base::JsonDocument document,
      base::parse_json(reply.body, {base::limits::kArchiveFileBytesMax, base::limits::kJsonDepthMax}));
  const base::JsonView binary = document.root();
  std::string bytes;
  if (!base::base64_decode(std::string(binary["data"].text()), bytes))
    return fail(ErrorCode::fhir_invalid, "the data of the Binary is not base64");
  const std::string_view type = binary["contentType"].text();
  const bool clean = !type.empty() && type.find_first_of("\r\n") == std::string_view::npos;
  reply.headers.set("Content-Type", clean ? std::string(type) : "application/octet-stream");
  reply.headers.set("Content-Disposition", "attachment");
  reply.headers.set("X-Content-Type-Options", "nosniff");
  if (const auto context = binary["securityContext"]["reference"].text();
      !context.empty() && context.find_first_of("\r\n") == std::string_view::npos)
    reply.headers.set("X-Security-Context", std::string(context));
  reply.body = std::move(bytes);
  return reply;
}

}  // namespace kiln::fhir::detail
