#include "fhir/detail/operations.h"

namespace kiln::fhir {
namespace {

/// Answered by the engine, which knows the events; here only what cannot reach it (a batch).
Answer<Reply> run(const Call&) {
  return base::fail(base::ErrorCode::fhir_not_supported,
                    "$events cannot stand in a Bundle; ask for it by itself");
}

constexpr std::string_view kTypes[] = {"Subscription"};
constexpr InteractionExample kExamples[] = {
    {"GET /Subscription/s1/$events?eventsSinceNumber=3&eventsUntilNumber=9",
     "these events again, in a Bundle"}};

}  // namespace

const Interaction& subscription_events_spec() {
  static const Interaction spec{
      .name = "$events",
      .summary = "events of a subscription once more",
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
          "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-events"};
  return spec;
}

}  // namespace kiln::fhir
