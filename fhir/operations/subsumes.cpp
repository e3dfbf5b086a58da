#include "fhir/detail/terminology_input.h"

namespace kiln::fhir {
namespace {

using base::ErrorCode;
using base::fail;

struct Pair {
  std::string system, a, b;
};

/// `codeA` and `codeB` of `system`, or `codingA` and `codingB`.
Answer<Pair> read_pair(const detail::OperationInput& input, std::string_view of_instance) {
  Pair pair{std::string(input.text("system")), std::string(input.text("codeA")), std::string(input.text("codeB"))};
  for (const auto& [name, code] : {std::pair{"codingA", &pair.a}, {"codingB", &pair.b}}) {
    const base::JsonView coding = input.value(name);
    if (!coding) continue;
    const std::string_view system = coding["system"].text();
    if (!pair.system.empty() && system != pair.system)
      return fail(ErrorCode::fhir_search_invalid, "the two codes are of different code systems", name);
    pair.system = system;
    *code = coding["code"].text();
  }
  if (pair.system.empty()) pair.system = of_instance;
  if (pair.system.empty()) return fail(ErrorCode::fhir_required, "which code system? (system, codingA or an instance)", "system");
  if (pair.a.empty() || pair.b.empty()) return fail(ErrorCode::fhir_required, "two codes are needed (codeA and codeB)", "codeA");
  return pair;
}

/// codesystem-operation-subsumes.html
Answer<Reply> run(const Call& call) {
  TRY(const auto input, detail::OperationInput::read(call, {"codeA", "codeB", "system", "version", "codingA", "codingB"}));
  detail::TerminologyScope scope(call);
  TRY(const std::string of_instance, scope.add_subject(input, "CodeSystem", "codeSystem"));
  TRY(const Pair pair, read_pair(input, of_instance));
  TRY_VOID(scope.add_stored("CodeSystem", pair.system));
  const Terminology& terminology = scope.terminology();
  for (const std::string* code : {&pair.a, &pair.b}) {
    const Membership known = terminology.in_code_system(pair.system, *code);
    if (known == Membership::unknown) return fail(ErrorCode::fhir_no_expansion, "the code system is not known here, or only in part");
    if (known == Membership::no) return fail(ErrorCode::fhir_unknown_code);
  }
  const Membership down = terminology.subsumes(pair.system, pair.a, pair.b), up = terminology.subsumes(pair.system, pair.b, pair.a);
  if (down == Membership::unknown || up == Membership::unknown)
    return fail(ErrorCode::fhir_no_expansion, "the order of these codes is not known here");
  detail::OperationOutput out;
  const char* const outcome = pair.a == pair.b || (down == Membership::yes && up == Membership::yes) ? "equivalent"
                              : down == Membership::yes                                              ? "subsumes"
                              : up == Membership::yes                                                ? "subsumed-by"
                                                                                                     : "not-subsumed";
  out.text("outcome", "valueCode", outcome);
  return out.reply();
}

constexpr std::string_view kTypes[] = {"CodeSystem"};
constexpr InteractionExample kExamples[] = {
    {"GET /CodeSystem/$subsumes?system=http://terminology.hl7.org/CodeSystem/v3-ActCode&codeA=_ActEncounterCode&codeB=AMB",
     "whether one code is above the other"}};

}  // namespace

const Interaction& subsumes_spec() {
  static const Interaction spec{.name = "$subsumes",
                                .summary = "how two codes of a code system stand to each other",
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
                                .definition = "http://hl7.org/fhir/OperationDefinition/CodeSystem-subsumes"};
  return spec;
}

}  // namespace kiln::fhir
