#include "fhir/detail/operation_input.h"
#include "fhir/detail/operations.h"

namespace kiln::fhir {
namespace {

/// resource-operation-convert.html: the answer is the resource in the format that the client accepts.
Answer<Reply> run(const Call& call) {
  TRY(const auto input, detail::OperationInput::read(call, {"input"}));
  // A Parameters may be what is to be converted.
  const base::JsonView wrapped = input.resource("input", false);
  const base::JsonView resource = wrapped ? wrapped : call.body;
  TRY_VOID(detail::check_resource(resource, {}, resource["resourceType"].text(), *call.server));
  Reply reply;
  reply.body = base::print_json(resource);
  return reply;
}

constexpr InteractionExample kExamples[] = {
    {"POST /$convert with a resource in XML and Accept: application/fhir+json", "the resource in JSON"}};

}  // namespace

const Interaction& convert_spec() {
  static const Interaction spec{.name = "$convert",
                                .summary = "a resource from one format to another",
                                .capability = {},
                                .method = "POST",
                                .shape = PathShape::operation,
                                .body = BodyKind::resource,
                                .examples = kExamples,
                                .run = run,
                                .on_system = true,
                                .definition = "http://hl7.org/fhir/OperationDefinition/Resource-convert"};
  return spec;
}

}  // namespace kiln::fhir
