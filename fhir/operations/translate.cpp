#include "fhir/detail/terminology_input.h"

namespace kiln::fhir {
namespace {

void write_match(detail::OperationOutput& out, const CodeTranslation& match) {
  base::JsonWriter& json = out.parameter("match");
  json.key("part").begin_array();
  json.begin_object().member("name", "equivalence").member("valueCode", match.equivalence).end_object();
  json.begin_object().member("name", "concept").key("valueCoding").begin_object();
  if (!match.system.empty()) json.member("system", match.system);
  json.member("code", match.code);
  if (!match.display.empty()) json.member("display", match.display);
  json.end_object().end_object();
  if (!match.map_url.empty())
    json.begin_object().member("name", "source").member("valueUri", match.map_url).end_object();
  json.end_array();
  out.end();
}

/// conceptmap-operation-translate.html
Answer<Reply> run(const Call& call) {
  TRY(const auto input,
      detail::OperationInput::read(call, {"url", "conceptMap", "code", "system", "version", "coding",
                                          "codeableConcept", "targetsystem", "target", "source"}));
  TRY(const auto codes, detail::read_codes(input));
  detail::TerminologyScope scope(call);
  TRY(const std::string url, scope.add_subject(input, "ConceptMap", "conceptMap"));
  std::vector<CodeTranslation> matches;
  for (const detail::CodeInput& code : codes) {
    TRY(const auto found,
        scope.terminology().translate(url, code.system, code.code, input.text("targetsystem")));
    matches.insert(matches.end(), found.begin(), found.end());
  }
  bool result = false;
  for (const CodeTranslation& match : matches)
    result = result || (match.equivalence != "unmatched" && match.equivalence != "disjoint");
  detail::OperationOutput out;
  out.boolean("result", result);
  if (matches.empty()) out.text("message", "valueString", "no map has this code");
  for (const CodeTranslation& match : matches) write_match(out, match);
  return out.reply();
}

constexpr std::string_view kTypes[] = {"ConceptMap"};
constexpr InteractionExample kExamples[] = {
    {"GET /ConceptMap/$translate?url=http://example.org/map&system=urn:x&code=a",
     "the code in another system"}};

}  // namespace

const Interaction& translate_spec() {
  static const Interaction spec{.name = "$translate",
                                .summary = "a code in another system, by a concept map",
                                .capability = {},
                                .method = "POST",
                                .shape = PathShape::operation,
                                .body = BodyKind::resource,
                                .examples = kExamples,
                                .run = run,
                                .also_get = true,
                                .on_type = true,
                                .on_instance = true,
                                .types = kTypes,
                                .definition = "http://hl7.org/fhir/OperationDefinition/ConceptMap-translate"};
  return spec;
}

}  // namespace kiln::fhir
