#include "fhir/detail/operation_input.h"
#include "fhir/detail/operations.h"

namespace kiln::fhir {
namespace {

/// resource-operation-meta.html, of one resource.
Answer<Reply> run(const Call& call) {
  TRY(const auto found, call.store->read(call.type, call.id));
  if (!found) return base::fail(base::ErrorCode::fhir_not_found);
  if (found->deleted()) return tl::unexpected(detail::gone(*found));
  TRY(const base::JsonDocument document, base::parse_json(found->body));
  detail::OperationOutput out;
  out.parameter("return").key("valueMeta").value(document.root()["meta"]);
  out.end();
  return out.reply();
}

constexpr InteractionExample kExamples[] = {
    {"GET /Patient/p1/$meta", "profiles, tags and labels of one resource"}};

}  // namespace

const Interaction& meta_spec() {
  static const Interaction spec{.name = "$meta",
                                .summary = "profiles, tags and security labels of a resource",
                                .capability = {},
                                .method = "POST",
                                .shape = PathShape::operation,
                                .body = BodyKind::resource,
                                .examples = kExamples,
                                .run = run,
                                .also_get = true,
                                .on_instance = true,
                                .definition = "http://hl7.org/fhir/OperationDefinition/Resource-meta"};
  return spec;
}

}  // namespace kiln::fhir
