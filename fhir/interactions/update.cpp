#include "fhir/detail/operations.h"

namespace kiln::fhir {
namespace {

Answer<Reply> run(const Call& call) {
  TRY_VOID(detail::check_resource(call.body, call.type, call.type, *call.server));
  TRY_VOID(detail::check_body_id(call.body, call.id, call.type));
  const detail::WriteRequest request{call.type,
                                     call.id,
                                     call.body,
                                     {},
                                     call.headers->get("If-Match"),
                                     call.headers->get("If-None-Match"),
                                     WriteMethod::update};
  TRY(const WriteResult result, detail::update(*call.store, request, *call.server));
  return detail::write_reply(call, call.type, call.id, result);
}

constexpr InteractionExample kExamples[] = {
    {"PUT /Patient/p1", "a new version; creates p1 when it is not there"},
    {"PUT /Patient/p1 with If-Match: W/\"3\"", "only when version 3 is current"}};

}  // namespace

const Interaction& update_spec() {
  static const Interaction spec{.name = "update",
                                .summary = "a new version of a resource",
                                .capability = "update",
                                .method = "PUT",
                                .shape = PathShape::instance,
                                .body = BodyKind::resource,
                                .writes = true,
                                .examples = kExamples,
                                .run = run};
  return spec;
}

}  // namespace kiln::fhir
