#include "fhir/detail/bulk.h"

namespace kiln::fhir {
namespace {

constexpr std::string_view kTypes[] = {"Group"};
constexpr InteractionExample kExamples[] = {{"GET /Group/g1/$export with Prefer: respond-async", "what belongs to the members of a group"}};

}  // namespace

const Interaction& export_group_spec() {
  static const Interaction spec{.name = "$export",
                                .summary = "all that belongs to the patients of a group as NDJSON, asynchronously",
                                .capability = {},
                                .method = "POST",
                                .shape = PathShape::operation,
                                .body = BodyKind::resource,
                                .examples = kExamples,
                                .run = detail::run_export,
                                .also_get = true,
                                .on_instance = true,
                                .types = kTypes,
                                .definition = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export"};
  return spec;
}

}  // namespace kiln::fhir
