#include "fhir/detail/operations.h"

namespace kiln::fhir {
namespace {

Answer<Reply> run(const Call& call) {
  TRY(auto found, call.store->read_version(call.type, call.id, call.vid));
  if (!found) return base::fail(base::ErrorCode::fhir_not_found, "there is no such version");
  if (found->deleted()) return tl::unexpected(detail::gone(*found));
  Reply reply;
  detail::add_version_headers(reply.headers, found->vid, found->updated);
  if (detail::is_not_modified(*call.headers, *found)) {
    reply.status = 304;
  } else {
    TRY(const Subset subset, detail::read_subset(call));
    reply.body = apply_subset(std::move(found->body), subset);
  }
  return reply;
}

constexpr InteractionExample kExamples[] = {{"GET /Patient/p1/_history/2", "the second version"}};

}  // namespace

const Interaction& vread_spec() {
  static const Interaction spec{.name = "vread",
                                .summary = "one version of a resource",
                                .capability = "vread",
                                .method = "GET",
                                .shape = PathShape::version,
                                .examples = kExamples,
                                .run = run};
  return spec;
}

}  // namespace kiln::fhir
