#include "fhir/detail/criteria.h"
#include "fhir/detail/operations.h"
#include "fhir/detail/patching.h"
#include "fhir/search/query.h"

namespace kiln::fhir {
namespace {

/// http#patch: as a conditional update, but nothing is created.
Answer<Reply> run(const Call& call) {
  TRY(const ParsedSearch criteria,
      parse_search(call.type, call.query, SearchMode::conditional, call.server->base_url));
  TRY_VOID(detail::check_search_access(call.principal, *call.server, criteria.query));
  TRY(const auto match, detail::find_one(*call.store, criteria.query));
  if (!match) return base::fail(base::ErrorCode::fhir_not_found, "the criteria match no resource");
  return detail::run_patch(call, match->id);
}

constexpr InteractionExample kExamples[] = {
    {"PATCH /Patient?identifier=urn:x|1 with a JSON Patch", "changes the one match"}};

}  // namespace

const Interaction& conditional_patch_spec() {
  static const Interaction spec{.name = "conditional-patch",
                                .summary = "changes some elements of what the criteria match",
                                .capability = {},
                                .method = "PATCH",
                                .shape = PathShape::type,
                                .body = BodyKind::raw,
                                .writes = true,
                                .examples = kExamples,
                                .run = run};
  return spec;
}

}  // namespace kiln::fhir
