#include "fhir/detail/bulk.h"

namespace kiln::fhir {
namespace {

constexpr InteractionExample kExamples[] = {{"GET /$bulk-file?job=J&name=Patient.1.ndjson", "a file of a finished export"}};

}  // namespace

const Interaction& bulk_file_spec() {
  static const Interaction spec{.name = "$bulk-file",
                                .summary = "a file of a finished bulk job",
                                .capability = {},
                                .method = "GET",
                                .shape = PathShape::operation,
                                .body = BodyKind::none,
                                .examples = kExamples,
                                .run = detail::run_bulk_file,
                                .also_get = true,
                                .own_format = true,
                                .on_system = true};
  return spec;
}

}  // namespace kiln::fhir
