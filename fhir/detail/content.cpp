#include "fhir/detail/content.h"

#include "engine/base/archive.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "fhir/model/json.h"
#include "fhir/model/xml.h"

namespace kiln::fhir::detail {

using base::ErrorCode;
using base::fail;

Answer<std::optional<std::string>> unpack_body(const base::HttpRequest& request) {
  const std::string coding = base::lower_ascii(base::trim(request.headers.get("Content-Encoding")));
  if (coding.empty() || coding == "identity" || request.body.empty()) return std::optional<std::string>();
  if (coding != "gzip" && coding != "x-gzip")
    return fail(ErrorCode::fhir_media_type, "the Content-Encoding is not supported", {}, "use gzip or none");
  auto unpacked = base::gunzip(request.body, base::limits::kMessageBytesMax);
  if (unpacked) return std::optional<std::string>(std::move(*unpacked));
  if (unpacked.error().code == ErrorCode::limit_exceeded) return fail(std::move(unpacked).error());
  return fail(ErrorCode::fhir_invalid, "the body is not the gzip data that Content-Encoding promises");
}

Answer<base::JsonDocument> parse_body(std::string_view body, Format format) {
  if (base::trim(body).empty()) return fail(ErrorCode::fhir_required, "the request has no body");
  if (format == Format::json) {
    TRY(base::JsonDocument document, base::parse_json(body));
    return document;
  }
  TRY(const Tree tree, read_xml(body));
  TRY(base::JsonDocument document, base::parse_json(write_json(tree.root())));
  return document;
}

Answer<std::string> print_body(std::string json, Format format, bool pretty) {
  if (format == Format::json && !pretty) return json;
  ReadOptions options;
  options.unknown = UnknownElements::keep;
  // What we print ourselves may be larger and deeper than what is taken: a page of resources.
  options.bytes_max = base::limits::kArchiveFileBytesMax;
  options.depth_max = base::limits::kJsonDepthMax + 8;
  if (format == Format::json) {
    const auto document = base::parse_json(json, {options.bytes_max, options.depth_max});
    return document ? base::print_json(document->root(), true) : std::move(json);
  }
  TRY(const Tree tree, read_json(json, options));
  TRY(std::string xml, write_xml(tree.root(), pretty));
  return xml;
}

}  // namespace kiln::fhir::detail
