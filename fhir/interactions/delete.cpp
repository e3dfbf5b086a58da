#include "fhir/detail/operations.h"

namespace kiln::fhir {
namespace {

Answer<Reply> run(const Call& call) {
  const std::string_view if_match = call.headers->get("If-Match");
  if (!if_match.empty()) {
    TRY(const auto current, call.store->read(call.type, call.id));
    TRY_VOID(detail::check_if_match(if_match, current));
  }
  TRY(const auto removed, call.store->remove(call.type, call.id, call.server->origin));
  Reply reply;
  reply.status = 204;
  if (removed) detail::add_version_headers(reply.headers, removed->vid, removed->updated);
  if (call.prefer == ReturnPreference::outcome) {
    reply.status = 200;
    reply.body = print_outcome(std::vector<Issue>{});
  }
  return reply;
}

constexpr InteractionExample kExamples[] = {{"DELETE /Patient/p1", "204, also when it is not there"}};

}  // namespace

const Interaction& delete_spec() {
  static const Interaction spec{.name = "delete",
                                .summary = "deletes a resource; old versions stay readable",
                                .capability = "delete",
                                .method = "DELETE",
                                .shape = PathShape::instance,
                                .writes = true,
                                .examples = kExamples,
                                .run = run};
  return spec;
}

}  // namespace kiln::fhir
