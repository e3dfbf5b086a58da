#include "fhir/detail/terminology_input.h"

namespace kiln::fhir {
namespace {

void write_property(detail::OperationOutput& out, std::string_view code, const std::string& value) {
  base::JsonWriter& json = out.parameter("property");
  json.key("part").begin_array();
  json.begin_object().member("name", "code").member("valueCode", code).end_object();
  json.begin_object().member("name", "value").member("valueCode", value).end_object();
  json.end_array();
  out.end();
}

/// codesystem-operation-lookup.html
Answer<Reply> run(const Call& call) {
  TRY(const auto input,
      detail::OperationInput::read(call, {"code", "system", "version", "coding", "property"}));
  TRY(const auto codes, detail::read_codes(input));
  detail::TerminologyScope scope(call);
  TRY_VOID(scope.add_stored("CodeSystem", codes.front().system));
  TRY(const CodeLookup found, scope.terminology().lookup(codes.front().system, codes.front().code));
  detail::OperationOutput out;
  out.text("name", "valueString", found.system_name.empty() ? codes.front().system : found.system_name);
  out.text("version", "valueString", found.version);
  out.text("display", "valueString", found.display.empty() ? found.code : found.display);
  if (found.is_abstract) out.boolean("abstract", true);
  for (const std::string& parent : found.parents) write_property(out, "parent", parent);
  for (const std::string& child : found.children) write_property(out, "child", child);
  if (!found.canonical.empty()) write_property(out, "canonical", found.canonical);
  return out.reply();
}

constexpr std::string_view kTypes[] = {"CodeSystem"};
constexpr InteractionExample kExamples[] = {
    {"GET /CodeSystem/$lookup?system=http://hl7.org/fhir/administrative-gender&code=male",
     "what a code means"}};

}  // namespace

const Interaction& lookup_spec() {
  static const Interaction spec{.name = "$lookup",
                                .summary = "display, parents and children of a code",
                                .capability = {},
                                .method = "POST",
                                .shape = PathShape::operation,
                                .body = BodyKind::resource,
                                .examples = kExamples,
                                .run = run,
                                .also_get = true,
                                .on_type = true,
                                .types = kTypes,
                                .definition = "http://hl7.org/fhir/OperationDefinition/CodeSystem-lookup"};
  return spec;
}

}  // namespace kiln::fhir
