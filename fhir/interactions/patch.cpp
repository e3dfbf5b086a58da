#include "fhir/detail/patching.h"

namespace kiln::fhir {
namespace {

Answer<Reply> run(const Call& call) {
  return detail::run_patch(call, call.id);
}

constexpr InteractionExample kExamples[] = {
    {"PATCH /Patient/p1 with a JSON Patch", "application/json-patch+json (RFC 6902)"},
    {"PATCH /Patient/p1 with an XML Patch", "application/xml-patch+xml (RFC 5261)"},
    {"PATCH /Patient/p1 with Parameters", "a FHIRPath Patch"}};

}  // namespace

const Interaction& patch_spec() {
  static const Interaction spec{.name = "patch",
                                .summary = "changes some elements of a resource",
                                .capability = "patch",
                                .method = "PATCH",
                                .shape = PathShape::instance,
                                .body = BodyKind::raw,
                                .writes = true,
                                .examples = kExamples,
                                .run = run};
  return spec;
}

}  // namespace kiln::fhir
