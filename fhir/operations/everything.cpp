#include "fhir/detail/everything.h"

namespace kiln::fhir {
namespace {

constexpr std::string_view kTypes[] = {"Patient", "Encounter"};
constexpr InteractionExample kExamples[] = {
    {"GET /Patient/p1/$everything", "the patient's compartment and what it refers to"},
    {"GET /Encounter/e1/$everything?_type=Observation", "only the observations of an encounter"}};

}  // namespace

const Interaction& everything_spec() {
  static const Interaction spec{.name = "$everything",
                                .summary = "all that is known about a patient or an encounter",
                                .capability = {},
                                .method = "POST",
                                .shape = PathShape::operation,
                                .body = BodyKind::resource,
                                .examples = kExamples,
                                .run = detail::run_everything,
                                .also_get = true,
                                .on_instance = true,
                                .types = kTypes,
                                .definition = "http://hl7.org/fhir/OperationDefinition/{type}-everything"};
  return spec;
}

}  // namespace kiln::fhir
