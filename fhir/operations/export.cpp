#include "fhir/detail/bulk.h"

namespace kiln::fhir {
namespace {

constexpr InteractionExample kExamples[] = {{"GET /$export?_type=Patient with Prefer: respond-async", "202, and the address of the status"}};

}  // namespace

const Interaction& export_spec() {
  static const Interaction spec{.name = "$export",
                                .summary = "all resources as NDJSON, asynchronously",
                                .capability = {},
                                .method = "POST",
                                .shape = PathShape::operation,
                                .body = BodyKind::resource,
                                .examples = kExamples,
                                .run = detail::run_export,
                                .also_get = true,
                                .on_system = true,
                                .definition = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export"};
  return spec;
}

}  // namespace kiln::fhir
