// $convert by a named map, and maps of replies.

#include "engine/base/text.h"
#include "engine/detail/input.h"
#include "engine/facade.h"
#include "mappings/lookup.h"

namespace kiln::engine {

using base::ErrorCode;
using base::JsonView;
using channels::ContentKind;

namespace {

ContentKind kind_of(mappings::DataKind kind) {
  return kind == mappings::DataKind::hl7    ? ContentKind::hl7
         : kind == mappings::DataKind::fhir ? ContentKind::fhir
                                            : ContentKind::csv;
}

/// A message that came as text, with the line ends of text files, has the segment ends of v2.
std::string with_segment_ends(std::string text) {
  if (text.find('\n') == std::string::npos) return text;
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    out += text[i] == '\n' ? '\r' : text[i];
  }
  return out;
}

/// What is to be converted, by which map.
struct Conversion {
  std::string map, text;
  bool with_outcome = false;  ///< Parameters with `return` and `outcome`
};

fhir::Answer<std::string> content_of_binary(JsonView binary) {
  std::string bytes;
  if (!base::base64_decode(binary["data"].text(), bytes))
    return base::fail(ErrorCode::fhir_invalid, "the data of the Binary is not base64", "Binary.data");
  return bytes;
}

/// Parameters with `map`, `input` (a Binary, a string or a resource) and `outcome`; a Binary; any other
/// resource.
fhir::Answer<void> read_resource_input(JsonView root, Conversion& out) {
  if (root["resourceType"].text() == "Binary") {
    TRY(out.text, content_of_binary(root));
    return {};
  }
  bool found = false;
  if (root["resourceType"].text() == "Parameters")
    for (const JsonView one : root["parameter"]) {
      const std::string_view name = one["name"].text();
      for (const char* member : {"valueString", "valueUri", "valueCode"})
        if (name == "map" && one[member]) out.map = one[member].text();
      if (name == "outcome") out.with_outcome = one["valueBoolean"].boolean();
      if (name != "input") continue;
      found = true;
      const JsonView resource = one["resource"];
      if (resource["resourceType"].text() == "Binary") {
        TRY(out.text, content_of_binary(resource));
      } else {
        out.text = resource ? base::print_json(resource) : std::string(one["valueString"].text());
      }
    }
  if (!found) out.text = base::print_json(root);
  return {};
}

fhir::Answer<Conversion> read_conversion(const base::HttpRequest& request, const fhir::QueryPairs& query) {
  Conversion out;
  for (const auto& [name, value] : query) {
    if (name == "map") out.map = value;
    if (name == "outcome") out.with_outcome = value == "true";
  }
  const std::string type = base::lower_ascii(request.headers.get("Content-Type"));
  const bool resource =
      type.empty() || type.find("json") != std::string::npos || type.find("xml") != std::string::npos;
  if (resource) {
    TRY(const base::JsonDocument document, fhir::read_resource(request));
    TRY_VOID(read_resource_input(document.root(), out));
  } else {
    if (request.headers.has("Content-Encoding"))
      return base::fail(ErrorCode::fhir_media_type, "a text is taken without Content-Encoding");
    out.text = request.body;
  }
  if (out.map.empty())
    return base::fail(ErrorCode::fhir_required, "which map? $convert?map=std.v2fhir.adt", {},
                      "`kiln doc` lists the maps of a site");
  if (base::trim(out.text).empty())
    return base::fail(ErrorCode::fhir_required, "there is nothing to convert");
  return out;
}

}  // namespace

fhir::Answer<mappings::RunResult> Facade::run_map(const mappings::Program& program, std::string text,
                                                  const std::string& channel) {
  const std::shared_ptr<const channels::Site> site = parts_.site();
  channels::ChannelDefinition definition;
  definition.name = channel;
  channels::MapRoute route;
  route.program = program;
  definition.maps.push_back(std::move(route));
  NewMessage message;
  message.channel = channel;
  message.kind = kind_of(program.input().kind);
  message.received = parts_.clock->wall();
  message.body = message.kind == ContentKind::hl7 ? with_segment_ends(std::move(text)) : std::move(text);
  TRY(const detail::Input input, detail::Input::read(*site, definition, message));
  mappings::LookupRecord record;
  mappings::RunContext context = input.context();
  context.clock = parts_.clock;
  mappings::LookupService* lookups = parts_.lookups == nullptr ? nullptr : parts_.lookups->lookups(*site);
  mappings::RunResult& result =
      mappings::run_with_lookups(runner_, program, input.run_input(), context, lookups, record);
  if (!result.ok())
    return tl::unexpected(fhir::Failure(base::Error{ErrorCode::fhir_not_converted, result.reason, {}, {}},
                                        facade::issues_of(result)));
  return std::move(result);
}

Facade::Replied Facade::convert(const base::HttpRequest& request, const Wanted& wanted) {
  TRY(Conversion conversion, read_conversion(request, wanted.query));
  const mappings::Program program = parts_.site()->compiled->program(conversion.map);
  if (!program)
    return base::fail(ErrorCode::fhir_map_unknown, "the site has no map or package of that name", {},
                      "a site has the maps it declares and those of the modules it uses");
  TRY(const mappings::RunResult result, run_map(program, std::move(conversion.text), "$convert"));
  fhir::Reply out;
  if (request.headers.get("Prefer").find("return=OperationOutcome") != std::string_view::npos) {
    out.body = fhir::print_outcome(facade::issues_of(result));
    return out;
  }
  const bool is_fhir = result.output_kind == mappings::DataKind::fhir;
  if (result.output.empty())
    return tl::unexpected(
        fhir::Failure(base::Error{ErrorCode::fhir_not_converted, "the map wrote nothing", {}, {}}));
  const bool is_hl7 = result.output_kind == mappings::DataKind::hl7;
  const std::string text = is_hl7 || is_fhir ? result.output : result.csv_header + result.output;
  const char* type = is_hl7 ? "x-application/hl7-v2+er7" : "text/csv";
  if (!conversion.with_outcome) {
    out.body = text;
    if (!is_fhir) out.headers.set("Content-Type", std::string(type) + "; charset=UTF-8");
    return out;
  }
  base::JsonWriter json;
  json.begin_object().member("resourceType", "Parameters").key("parameter").begin_array();
  json.begin_object().member("name", "return").key("resource");
  if (is_fhir) {
    json.raw(text);
  } else {
    json.begin_object().member("resourceType", "Binary").member("contentType", type);
    json.member("data", base::base64_encode(text)).end_object();
  }
  json.end_object().begin_object().member("name", "outcome").key("resource");
  json.raw(fhir::print_outcome(facade::issues_of(result))).end_object().end_array().end_object();
  out.body = json.take();
  return out;
}

}  // namespace kiln::engine
