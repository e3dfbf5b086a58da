#include "fhir/detail/searchset.h"

namespace kiln::fhir {
namespace {

constexpr InteractionExample kExamples[] = {
    {"GET /?_type=Patient,Group&_lastUpdated=ge2024", "one type after the other"}};

}  // namespace

const Interaction& search_system_spec() {
  static const Interaction spec{.name = "search",
                                .summary = "resources of several types",
                                .capability = "search-system",
                                .method = "GET",
                                .shape = PathShape::system,
                                .body = BodyKind::none,
                                .examples = kExamples,
                                .run = detail::run_system_search};
  return spec;
}

}  // namespace kiln::fhir
