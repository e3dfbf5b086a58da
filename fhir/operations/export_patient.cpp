#include "fhir/detail/bulk.h"

namespace kiln::fhir {
namespace {

constexpr std::string_view kTypes[] = {"Patient"};
constexpr InteractionExample kExamples[] = {{"GET /Patient/$export with Prefer: respond-async", "what belongs to any patient"}};

}  // namespace

const Interaction& export_patient_spec() {
  static const Interaction spec{.name = "$export",
                                .summary = "all that belongs to patients as NDJSON, asynchronously",
                                .capability = {},
                                .method = "POST",
                                .shape = PathShape::operation,
                                .body = BodyKind::resource,
                                .examples = kExamples,
                                .run = detail::run_export,
                                .also_get = true,
                                .on_type = true,
                                .types = kTypes,
                                .definition = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export"};
  return spec;
}

}  // namespace kiln::fhir
