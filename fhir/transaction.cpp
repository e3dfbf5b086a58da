#include "fhir/transaction.h"

#include "fhir/detail/transaction_plan.h"
#include "fhir/primitives.h"

namespace kiln::fhir {
namespace {

using base::ErrorCode;
using base::fail;
using base::JsonView;

/// A single resource, as a mapping may make it: update when it has an id, else create.
Answer<TransactionOutcome> apply_resource(Store& store, JsonView resource, const ServerContext& context,
                                          const ApplyOptions& options) {
  TRY(const std::string_view type, detail::check_resource(resource, {}, {}, context));
  TRY(StoreScope scope, StoreScope::open(store));
  ServerContext server = context;
  server.origin = options.origin;
  EntryOutcome entry;
  entry.type = type;
  entry.id = resource["id"].text();
  const bool fresh = entry.id.empty();
  if (fresh) entry.id = server.ids->next();
  if (!is_valid_id(entry.id))
    return fail(ErrorCode::bad_value, "the id is not valid: 1 to 64 of A-Z a-z 0-9 - .", entry.type + ".id");
  if (options.principal &&
      !(server.access && server.access->allow(*options.principal, fresh ? "create" : "update", type, {})))
    return fail(ErrorCode::fhir_not_allowed);
  const detail::WriteRequest request{type, entry.id, resource, {}, {}, {}, WriteMethod::update};
  auto result = fresh ? detail::create(store, request, server) : detail::update(store, request, server);
  if (!result) return tl::unexpected(std::move(result).error());
  entry.status = result->created ? 201 : 200;
  entry.vid = result->vid;
  entry.updated = result->updated;
  entry.unchanged = result->unchanged;
  entry.body = std::move(result->body);
  TRY_VOID(scope.keep());
  return TransactionOutcome{{std::move(entry)}};
}

}  // namespace

Answer<TransactionOutcome> apply_transaction(Store& store, JsonView bundle, const ServerContext& context,
                                             const ApplyOptions& options) {
  TRY(auto entries, detail::plan_entries(bundle, context));
  TRY(StoreScope scope, StoreScope::open(store));
  detail::TransactionRun run(store, std::move(entries), context, options);
  TRY(TransactionOutcome outcome, run.run());
  TRY_VOID(scope.keep());
  return outcome;
}

Answer<TransactionOutcome> apply_bundle(Store& store, JsonView bundle, const ServerContext& context,
                                        const ApplyOptions& options) {
  if (bundle["resourceType"].text() != "Bundle") return apply_resource(store, bundle, context, options);
  const std::string_view type = bundle["type"].text();
  // A batch that a channel delivers is one delivery: it is done as a whole or tried again.
  if (type == "transaction" || type == "batch") return apply_transaction(store, bundle, context, options);
  return apply_resource(store, bundle, context, options);
}

}  // namespace kiln::fhir
