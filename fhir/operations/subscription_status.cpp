#include "fhir/detail/operations.h"

namespace kiln::fhir {
namespace {

/// Answered by the engine, which knows the events; here only what cannot reach it (a batch).
Answer<Reply> run(const Call&) {
  return base::fail(base::ErrorCode::fhir_not_supported,
                    "$status cannot stand in a Bundle; ask for it by itself");
}

constexpr std::string_view kTypes[] = {"Subscription"};
constexpr InteractionExample kExamples[] = {
    {"GET /Subscription/s1/$status",
     "a searchset with the state of the subscription and its number of events"}};

}  // namespace

const Interaction& subscription_status_spec() {
  static const Interaction spec{
      .name = "$status",
      .summary = "state of a subscription and how many events it had",
      .capability = {},
      .method = "POST",
      .shape = PathShape::operation,
      .body = BodyKind::resource,
      .examples = kExamples,
      .run = run,
      .also_get = true,
      .on_instance = true,
      .types = kTypes,
      .definition =
          "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-status"};
  return spec;
}

}  // namespace kiln::fhir
