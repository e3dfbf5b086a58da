#include "fhir/detail/searchset.h"

namespace kiln::fhir {
namespace {

constexpr InteractionExample kExamples[] = {{"GET /Patient?name=eve&birthdate=ge1990", "a searchset"}};

}  // namespace

const Interaction& search_spec() {
  static const Interaction spec{.name = "search",
                                .summary = "resources of a type by criteria",
                                .capability = "search-type",
                                .method = "GET",
                                .shape = PathShape::type,
                                .examples = kExamples,
                                .run = detail::run_search};
  return spec;
}

}  // namespace kiln::fhir
