#include "fhir/detail/negotiation.h"

#include <algorithm>
#include <array>
#include <string>

#include "engine/base/text.h"

namespace kiln::fhir::detail {
namespace {

using base::ErrorCode;
using base::fail;

/// A media range: "application/fhir+json;fhirVersion=4.0;q=0.8".
struct MediaRange {
  std::string type;
  std::string fhir_version, charset;
  bool refused = false;  ///< q=0
};

std::string_view unquoted(std::string_view text) {
  text = base::trim(text);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return text;
}

MediaRange parse_range(std::string_view text) {
  MediaRange range;
  bool first = true;
  for (const std::string_view part : base::split(text, ';')) {
    if (first) {
      range.type = base::lower_ascii(base::trim(part));
      // A '+' that was not percent-encoded in _format arrives as a space.
      std::replace(range.type.begin(), range.type.end(), ' ', '+');
      first = false;
      continue;
    }
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string name = base::lower_ascii(base::trim(part.substr(0, equals)));
    const std::string_view value = unquoted(part.substr(equals + 1));
    if (name == "fhirversion") range.fhir_version = value;
    if (name == "charset") range.charset = base::lower_ascii(value);
    if (name == "q")
      range.refused = !value.empty() && value.find_first_not_of("0.") == std::string_view::npos;
  }
  return range;
}

bool is_json(std::string_view type) {
  static constexpr std::array<std::string_view, 5> kNames = {
      "json", "text/json", "application/json", "application/fhir+json", "application/json+fhir"};
  return std::find(kNames.begin(), kNames.end(), type) != kNames.end();
}

bool is_known_version(std::string_view version) {
  return version.empty() || version == "4.0" || version == "4.0.1";
}

constexpr const char* kOnlyJson = "application/fhir+json is the only format spoken here";

}  // namespace

Answer<void> check_accept(std::string_view format, std::string_view accept) {
  if (!format.empty()) {
    const MediaRange range = parse_range(format);
    if (is_json(range.type) && is_known_version(range.fhir_version)) return {};
    return fail(ErrorCode::fhir_not_acceptable, "_format asks for a format that is not available", {},
                kOnlyJson);
  }
  if (base::trim(accept).empty()) return {};
  for (const std::string_view part : base::split(accept, ',')) {
    const MediaRange range = parse_range(part);
    const bool fits =
        is_json(range.type) || range.type == "*/*" || range.type == "application/*" || range.type == "*";
    if (fits && !range.refused && is_known_version(range.fhir_version)) return {};
  }
  return fail(ErrorCode::fhir_not_acceptable, "Accept asks for a format that is not available", {},
              kOnlyJson);
}

Answer<void> check_content_type(std::string_view content_type) {
  if (base::trim(content_type).empty()) return {};
  const MediaRange range = parse_range(content_type);
  if (!is_json(range.type))
    return fail(ErrorCode::fhir_media_type, "the Content-Type is not supported", {}, kOnlyJson);
  if (!range.charset.empty() && range.charset != "utf-8" && range.charset != "utf8")
    return fail(ErrorCode::fhir_media_type, "the charset must be UTF-8");
  if (!is_known_version(range.fhir_version))
    return fail(ErrorCode::fhir_media_type, "fhirVersion must be 4.0");
  return {};
}

bool is_form(std::string_view content_type) {
  return parse_range(content_type).type == "application/x-www-form-urlencoded";
}

}  // namespace kiln::fhir::detail
