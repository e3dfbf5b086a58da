#include "fhir/detail/operations.h"

namespace kiln::fhir {
namespace {

Answer<Reply> run(const Call& call) {
  TRY(auto found, call.store->read(call.type, call.id));
  if (!found) return base::fail(base::ErrorCode::fhir_not_found);
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

constexpr InteractionExample kExamples[] = {
    {"GET /Patient/p1", "the current version"},
    {"GET /Patient/p1 with If-None-Match: W/\"2\"", "304 while version 2 is current"}};

}  // namespace

const Interaction& read_spec() {
  static const Interaction spec{.name = "read",
                                .summary = "the current version of a resource",
                                .capability = "read",
                                .method = "GET",
                                .shape = PathShape::instance,
                                .examples = kExamples,
                                .run = run};
  return spec;
}

}  // namespace kiln::fhir
