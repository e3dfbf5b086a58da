#include "fhir/detail/batch.h"
#include "fhir/detail/operations.h"
#include "fhir/transaction.h"

namespace kiln::fhir {
namespace {

Answer<Reply> run(const Call& call) {
  if (call.body["resourceType"].text() != "Bundle")
    return base::fail(base::ErrorCode::fhir_invalid, "a Bundle is expected at this address");
  const std::string_view type = call.body["type"].text();
  if (type == "batch") return detail::run_batch(call);
  if (type != "transaction")
    return base::fail(base::ErrorCode::fhir_invalid, "the Bundle must be a transaction or a batch",
                      "Bundle.type");
  ApplyOptions options;
  options.origin = call.server->origin;
  options.principal = call.principal;
  TRY(const TransactionOutcome outcome, apply_transaction(*call.store, call.body, *call.server, options));
  Reply reply;
  reply.body = detail::print_transaction_response(outcome, call);
  return reply;
}

constexpr InteractionExample kExamples[] = {{"POST / with a transaction Bundle", "all entries or none"},
                                            {"POST / with a batch Bundle", "each entry for itself"}};

}  // namespace

const Interaction& bundle_spec() {
  static const Interaction spec{.name = "transaction",
                                .summary = "a transaction or batch Bundle",
                                .capability = "transaction",
                                .method = "POST",
                                .shape = PathShape::system,
                                .body = BodyKind::resource,
                                .writes = true,
                                .examples = kExamples,
                                .run = run};
  return spec;
}

}  // namespace kiln::fhir
