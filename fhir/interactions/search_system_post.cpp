#include "fhir/detail/searchset.h"

namespace kiln::fhir {
namespace {

constexpr InteractionExample kExamples[] = {
    {"POST /_search with _type=Patient as form", "criteria that no log shows"}};

}  // namespace

const Interaction& search_system_post_spec() {
  static const Interaction spec{.name = "search",
                                .summary = "the same with the criteria in the body",
                                .capability = {},
                                .method = "POST",
                                .shape = PathShape::system_search,
                                .body = BodyKind::form,
                                .examples = kExamples,
                                .run = detail::run_system_search};
  return spec;
}

}  // namespace kiln::fhir
