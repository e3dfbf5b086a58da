#include "fhir/detail/criteria.h"
#include "fhir/detail/operations.h"

namespace kiln::fhir {
namespace {

Answer<Reply> run(const Call& call) {
  TRY(const ParsedSearch criteria,
      parse_search(call.type, call.query, SearchMode::conditional, call.server->base_url));
  TRY_VOID(detail::check_search_access(call.principal, *call.server, criteria.query));
  TRY(const auto matches, detail::find_for_delete(*call.store, criteria.query, *call.server));
  TRY_VOID(detail::check_if_match_of(*call.store, call.headers->get("If-Match"), matches));
  Reply reply;
  reply.status = 204;
  for (const Match& match : matches) {
    TRY(const auto removed, call.store->remove(match.type, match.id, call.server->origin));
    if (removed && matches.size() == 1)
      detail::add_version_headers(reply.headers, removed->vid, removed->updated);
  }
  if (call.prefer == ReturnPreference::outcome) {
    reply.status = 200;
    reply.body = print_outcome(std::vector<Issue>{});
  }
  return reply;
}

constexpr InteractionExample kExamples[] = {{"DELETE /Patient?identifier=urn:x|1", "deletes the one match"}};

}  // namespace

const Interaction& conditional_delete_spec() {
  static const Interaction spec{.name = "conditional-delete",
                                .summary = "deletes what the criteria match",
                                .capability = {},
                                .method = "DELETE",
                                .shape = PathShape::type,
                                .writes = true,
                                .examples = kExamples,
                                .run = run};
  return spec;
}

}  // namespace kiln::fhir
