#include "fhir/detail/terminology_input.h"

namespace kiln::fhir {
namespace {

using base::ErrorCode;
using base::fail;

Answer<Reply> answer(const std::vector<detail::CodeInput>& codes, const std::string& target, bool is_set,
                     const Terminology& terminology) {
  bool is_unknown = false;
  std::string message, display;
  bool result = false;
  for (const detail::CodeInput& code : codes) {
    const std::string system = is_set || target.empty() ? code.system : target;
    const Membership membership = is_set ? terminology.in_value_set(target, system, code.code)
                                         : terminology.in_code_system(system, code.code);
    is_unknown = is_unknown || membership == Membership::unknown;
    if (membership != Membership::yes) continue;
    display = terminology.display_of(system, code.code);
    result = true;
    if (!code.display.empty() && !display.empty() && code.display != display) {
      result = false;
      message = "the display is not that of the code";
    }
    break;
  }
  // What cannot be told is no "no" (fhir.md §12).
  if (!result && message.empty() && is_unknown)
    return fail(ErrorCode::fhir_no_expansion,
                "the code system or value set is not known here, or only in part");
  detail::OperationOutput out;
  out.boolean("result", result);
  if (!result) out.text("message", "valueString", message.empty() ? "the code is not in it" : message);
  out.text("display", "valueString", display);
  return out.reply();
}

/// valueset-operation-validate-code.html, codesystem-operation-validate-code.html
Answer<Reply> run(const Call& call) {
  TRY(const auto input,
      detail::OperationInput::read(call, {"url", "valueSet", "codeSystem", "code", "system", "version",
                                          "display", "coding", "codeableConcept"}));
  TRY(const auto codes, detail::read_codes(input));
  detail::TerminologyScope scope(call);
  const bool is_set = call.type == "ValueSet";
  TRY(const std::string target, scope.add_subject(input, call.type, is_set ? "valueSet" : "codeSystem"));
  if (is_set && target.empty())
    return fail(ErrorCode::fhir_required, "which value set? (url, valueSet or an instance)", "url");
  for (const detail::CodeInput& code : codes) TRY_VOID(scope.add_stored("CodeSystem", code.system));
  return answer(codes, target, is_set, scope.terminology());
}

constexpr std::string_view kTypes[] = {"CodeSystem", "ValueSet"};
constexpr InteractionExample kExamples[] = {
    {"GET /ValueSet/$validate-code?url=http://hl7.org/fhir/ValueSet/administrative-gender&code=male",
     "is a code in a value set?"}};

}  // namespace

const Interaction& validate_code_spec() {
  static const Interaction spec{
      .name = "$validate-code",
      .summary = "is a code in a value set or code system?",
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
      .definition = "http://hl7.org/fhir/OperationDefinition/{type}-validate-code"};
  return spec;
}

}  // namespace kiln::fhir
