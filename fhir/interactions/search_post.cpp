#include "fhir/detail/searchset.h"

namespace kiln::fhir {
namespace {

constexpr InteractionExample kExamples[] = {
    {"POST /Patient/_search with name=eve as form", "the same without criteria in logs"}};

}  // namespace

const Interaction& search_post_spec() {
  static const Interaction spec{.name = "search",
                                .summary = "search with the criteria in the body",
                                .capability = {},
                                .method = "POST",
                                .shape = PathShape::type_search,
                                .body = BodyKind::form,
                                .examples = kExamples,
                                .run = detail::run_search};
  return spec;
}

}  // namespace kiln::fhir
