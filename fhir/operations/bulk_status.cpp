#include "fhir/detail/bulk.h"

namespace kiln::fhir {
namespace {

constexpr InteractionExample kExamples[] = {{"GET /$bulk-status?job=J", "is an export done? DELETE ends it"}};

}  // namespace

const Interaction& bulk_status_spec() {
  static const Interaction spec{.name = "$bulk-status",
                                .summary = "status of a bulk job, or its end",
                                .capability = {},
                                .method = "DELETE",
                                .shape = PathShape::operation,
                                .body = BodyKind::none,
                                .examples = kExamples,
                                .run = detail::run_bulk_status,
                                .also_get = true,
                                .on_system = true};
  return spec;
}

}  // namespace kiln::fhir
