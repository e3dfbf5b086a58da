#include "fhir/detail/operations.h"

namespace kiln::fhir {
namespace {

/// Answered by the engine, which knows the channels; here only what cannot reach it (a batch).
Answer<Reply> run(const Call&) {
  return base::fail(base::ErrorCode::fhir_not_supported,
                    "$process-message cannot stand in a Bundle; send the message by itself");
}

constexpr InteractionExample kExamples[] = {
    {"POST /$process-message", "a message Bundle enters the channel that takes its event"}};

}  // namespace

const Interaction& process_message_spec() {
  static const Interaction spec{
      .name = "$process-message",
      .summary = "a message Bundle enters a channel; the answer is a message",
      .capability = {},
      .method = "POST",
      .shape = PathShape::operation,
      .body = BodyKind::resource,
      .examples = kExamples,
      .run = run,
      .on_system = true,
      .definition = "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"};
  return spec;
}

}  // namespace kiln::fhir
