#include "fhir/detail/negotiation.h"

#include <algorithm>
#include <array>
#include <optional>
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
  int quality = 1000;  ///< q in thousandths
};

/// q of RFC 9110 §12.4.2: "0.8" → 800; what is no such number counts as 1.
int parse_quality(std::string_view text) {
  if (text.empty() || (text[0] != '0' && text[0] != '1') || text.size() > 5) return 1000;
  if (text[0] == '1' || text.size() < 3 || text[1] != '.') return text[0] == '1' ? 1000 : 0;
  int quality = 0, unit = 100;
  for (const char c : text.substr(2)) {
    if (c < '0' || c > '9') return 1000;
    quality += (c - '0') * unit;
    unit /= 10;
  }
  return quality;
}

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
    if (name == "q") range.quality = parse_quality(value);
  }
  return range;
}

constexpr std::array<std::string_view, 5> kJsonNames = {"json", "text/json", "application/json",
                                                        "application/fhir+json", "application/json+fhir"};
constexpr std::array<std::string_view, 5> kXmlNames = {"xml", "text/xml", "application/xml",
                                                       "application/fhir+xml", "application/xml+fhir"};

std::optional<Format> format_named(std::string_view type) {
  if (std::find(kJsonNames.begin(), kJsonNames.end(), type) != kJsonNames.end()) return Format::json;
  if (std::find(kXmlNames.begin(), kXmlNames.end(), type) != kXmlNames.end()) return Format::xml;
  return std::nullopt;
}

bool is_known_version(std::string_view version) {
  return version.empty() || version == "4.0" || version == "4.0.1";
}

/// What an Accept list says about one format: the most specific range counts.
struct Wish {
  int specificity = -1, quality = 0;
  std::size_t position = 0;
  void consider(int specific, int q, std::size_t at) {
    if (specific <= specificity) return;
    specificity = specific;
    quality = q;
    position = at;
  }
};

constexpr const char* kFormats = "application/fhir+json and application/fhir+xml are spoken here";

}  // namespace

Answer<Format> choose_format(std::string_view format, std::string_view accept) {
  if (!format.empty()) {
    const MediaRange range = parse_range(format);
    const auto named = format_named(range.type);
    if (named && is_known_version(range.fhir_version)) return *named;
    return fail(ErrorCode::fhir_not_acceptable, "_format asks for a format that is not available", {},
                kFormats);
  }
  if (base::trim(accept).empty()) return Format::json;
  Wish json, xml;
  std::size_t position = 0;
  for (const std::string_view part : base::split(accept, ',')) {
    const MediaRange range = parse_range(part);
    ++position;
    if (!is_known_version(range.fhir_version)) continue;
    const auto named = format_named(range.type);
    const int specific = named                                                     ? 2
                         : range.type == "application/*" || range.type == "text/*" ? 1
                         : range.type == "*/*" || range.type == "*"                ? 0
                                                                                   : -1;
    if (!named || *named == Format::json) json.consider(specific, range.quality, position);
    if (!named || *named == Format::xml) xml.consider(specific, range.quality, position);
  }
  if (json.quality == 0 && xml.quality == 0)
    return fail(ErrorCode::fhir_not_acceptable, "Accept asks for a format that is not available", {},
                kFormats);
  if (json.quality != xml.quality) return json.quality > xml.quality ? Format::json : Format::xml;
  return xml.position < json.position ? Format::xml : Format::json;
}

Answer<Format> body_format(std::string_view content_type) {
  if (base::trim(content_type).empty()) return Format::json;
  const MediaRange range = parse_range(content_type);
  const auto named = format_named(range.type);
  if (!named) return fail(ErrorCode::fhir_media_type, "the Content-Type is not supported", {}, kFormats);
  if (!range.charset.empty() && range.charset != "utf-8" && range.charset != "utf8")
    return fail(ErrorCode::fhir_media_type, "the charset must be UTF-8");
  if (!is_known_version(range.fhir_version))
    return fail(ErrorCode::fhir_media_type, "fhirVersion must be 4.0");
  return *named;
}

std::string_view content_type_of(Format format) {
  return format == Format::json ? "application/fhir+json; charset=UTF-8"
                                : "application/fhir+xml; charset=UTF-8";
}

bool is_form(std::string_view content_type) {
  return media_type(content_type) == "application/x-www-form-urlencoded";
}

std::string media_type(std::string_view content_type) {
  return parse_range(content_type).type;
}

bool accepts_gzip(std::string_view accept_encoding) {
  for (const std::string_view part : base::split(accept_encoding, ',')) {
    const MediaRange coding = parse_range(part);
    if (coding.type == "gzip" || coding.type == "*") return coding.quality > 0;
  }
  return false;
}

}  // namespace kiln::fhir::detail
