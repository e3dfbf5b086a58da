#include "fhir/detail/criteria.h"
#include "fhir/detail/operations.h"

namespace kiln::fhir {
namespace {

/// http#cond-update: the one match is updated; none: the id of the body, or a new one.
Answer<Reply> run(const Call& call) {
  TRY_VOID(detail::check_resource(call.body, call.type, call.type, *call.server));
  TRY(const ParsedSearch criteria,
      parse_search(call.type, call.query, SearchMode::conditional, call.server->base_url));
  TRY_VOID(detail::check_search_access(call.principal, *call.server, criteria.query));
  TRY(const auto match, detail::find_one(*call.store, criteria.query));
  const std::string_view body_id = call.body["id"].text();
  std::string id;
  if (match) {
    if (!body_id.empty() && body_id != match->id)
      return base::fail(base::ErrorCode::fhir_invalid, "the id of the resource is not that of the one match",
                        call.type + ".id");
    id = match->id;
  } else {
    TRY(id, detail::id_without_match(*call.store, call.type, body_id, *call.server, call.type));
  }
  const detail::WriteRequest request{call.type,
                                     id,
                                     call.body,
                                     {},
                                     call.headers->get("If-Match"),
                                     call.headers->get("If-None-Match"),
                                     WriteMethod::update};
  TRY(const WriteResult result, detail::update(*call.store, request, *call.server));
  return detail::write_reply(call, call.type, id, result);
}

constexpr InteractionExample kExamples[] = {
    {"PUT /Patient?identifier=urn:x|1", "updates the one match, or creates it"}};

}  // namespace

const Interaction& conditional_update_spec() {
  static const Interaction spec{.name = "conditional-update",
                                .summary = "update of what the criteria match",
                                .capability = {},
                                .method = "PUT",
                                .shape = PathShape::type,
                                .body = BodyKind::resource,
                                .writes = true,
                                .examples = kExamples,
                                .run = run};
  return spec;
}

}  // namespace kiln::fhir
