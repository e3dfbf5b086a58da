#include "fhir/detail/searchset.h"

namespace kiln::fhir {
namespace {

constexpr InteractionExample kExamples[] = {
    {"GET /Patient/p1/Observation?code=x", "observations of one patient"}};

}  // namespace

const Interaction& search_compartment_spec() {
  static const Interaction spec{.name = "search",
                                .summary = "resources that belong to a patient, an encounter, …",
                                .capability = {},
                                .method = "GET",
                                .shape = PathShape::compartment,
                                .body = BodyKind::none,
                                .examples = kExamples,
                                .run = detail::run_compartment_search};
  return spec;
}

}  // namespace kiln::fhir
