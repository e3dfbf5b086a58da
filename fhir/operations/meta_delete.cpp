#include "fhir/detail/meta_change.h"

namespace kiln::fhir {
namespace {

Answer<Reply> run(const Call& call) {
  return detail::run_meta_change(call, detail::MetaChange::remove);
}

constexpr InteractionExample kExamples[] = {
    {"POST /Patient/p1/$meta-delete with Parameters", "a parameter `meta` with a valueMeta"}};

}  // namespace

const Interaction& meta_delete_spec() {
  static const Interaction spec{.name = "$meta-delete",
                                .summary = "removes profiles, tags and security labels of a resource",
                                .capability = {},
                                .method = "POST",
                                .shape = PathShape::operation,
                                .body = BodyKind::resource,
                                .writes = true,
                                .examples = kExamples,
                                .run = run,
                                .on_instance = true,
                                .definition = "http://hl7.org/fhir/OperationDefinition/Resource-meta-delete"};
  return spec;
}

}  // namespace kiln::fhir
