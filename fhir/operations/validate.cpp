#include "fhir/detail/operation_input.h"
#include "fhir/detail/operations.h"
#include "fhir/validation/validator.h"

namespace kiln::fhir {
namespace {

using base::ErrorCode;
using base::fail;

/// The resource to look at: that of the request, or (an instance, none sent) the stored one.
Answer<std::string> text_to_validate(const Call& call, base::JsonView sent) {
  if (sent) return base::print_json(sent);
  if (call.id.empty()) return fail(ErrorCode::fhir_required, "the parameter resource is missing", "resource");
  TRY(const auto found, call.store->read(call.type, call.id));
  if (!found) return fail(ErrorCode::fhir_not_found);
  if (found->deleted()) return tl::unexpected(detail::gone(*found));
  return found->body;
}

/// What the mode adds: could this be written now? (resource-operation-validate.html)
std::vector<Issue> mode_issues(const Call& call, std::string_view mode, base::JsonView sent) {
  if (mode == "create" && sent["id"])
    return {{IssueSeverity::information,
             "informational",
             "the id will not be kept by a create",
             call.type + ".id",
             {}}};
  if (mode == "update" && sent && !call.id.empty() && sent["id"].text() != call.id)
    return {{IssueSeverity::error,
             "invalid",
             "the id of the resource is not that of the request",
             call.type + ".id",
             {}}};
  return {};
}

Answer<Reply> run(const Call& call) {
  TRY(const auto input, detail::OperationInput::read(call, {"resource", "mode", "profile"}));
  const std::string_view mode = input.text("mode");
  if (!mode.empty() && mode != "create" && mode != "update" && mode != "delete")
    return fail(ErrorCode::fhir_not_supported, "mode: create, update and delete are supported", "mode");
  const base::JsonView sent = input.resource("resource");
  ValidatorOptions options;
  options.expected_type = call.type;
  if (call.server->clock) options.now = call.server->clock->wall();
  if (const auto profile = input.text("profile"); !profile.empty()) options.profiles.emplace_back(profile);
  TRY(const std::string text, text_to_validate(call, mode == "delete" ? base::JsonView() : sent));
  std::vector<Issue> issues = mode_issues(call, mode, sent);
  if (mode != "delete") {
    for (Issue& issue : validator_of(*call.server).validate_text(text, options)) {
      issue.diagnostics.clear();  // places in a printed copy
      issues.push_back(std::move(issue));
    }
  }
  Reply reply;
  reply.body = print_outcome(issues);
  return reply;
}

constexpr InteractionExample kExamples[] = {
    {"POST /Patient/$validate with a Patient", "an OperationOutcome, also when it is valid"},
    {"GET /Patient/p1/$validate?profile=http://example.org/p", "the stored resource against a profile"}};

}  // namespace

const Interaction& validate_spec() {
  static const Interaction spec{.name = "$validate",
                                .summary = "holds a resource against R4 and profiles, without storing it",
                                .capability = {},
                                .method = "POST",
                                .shape = PathShape::operation,
                                .body = BodyKind::resource,
                                .examples = kExamples,
                                .run = run,
                                .also_get = true,
                                .on_type = true,
                                .on_instance = true,
                                .definition = "http://hl7.org/fhir/OperationDefinition/Resource-validate"};
  return spec;
}

}  // namespace kiln::fhir
