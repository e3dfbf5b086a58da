#include "fhir/detail/criteria.h"
#include "fhir/detail/operations.h"

namespace kiln::fhir {
namespace {

Answer<Reply> run(const Call& call) {
  TRY_VOID(detail::check_resource(call.body, call.type, call.type, *call.server));
  const std::string_view criteria = call.headers->get("If-None-Exist");
  if (call.headers->has("If-None-Exist")) {
    TRY(const SearchQuery query, parse_criteria(call.type, criteria, call.server->base_url));
    TRY_VOID(detail::check_search_access(call.principal, *call.server, query));
    TRY(const auto match, detail::find_one(*call.store, query));
    if (match) {
      TRY(const auto existing, call.store->read(match->type, match->id));
      if (existing) return detail::found_reply(call, 200, *existing);
    }
  }
  const std::string id = call.server->ids->next();
  TRY(const WriteResult result,
      detail::create(*call.store, {call.type, id, call.body, {}, {}, {}, WriteMethod::create}, *call.server));
  return detail::write_reply(call, call.type, id, result);
}

constexpr InteractionExample kExamples[] = {
    {"POST /Patient", "a new Patient; id, versionId and lastUpdated of the body are ignored"},
    {"POST /Patient with If-None-Exist: identifier=urn:x|1", "only when no Patient has that identifier"}};

}  // namespace

const Interaction& create_spec() {
  static const Interaction spec{.name = "create",
                                .summary = "a new resource with an id of the server",
                                .capability = "create",
                                .method = "POST",
                                .shape = PathShape::type,
                                .body = BodyKind::resource,
                                .writes = true,
                                .examples = kExamples,
                                .run = run};
  return spec;
}

}  // namespace kiln::fhir
