#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "fhir/definitions/definitions.h"
#include "fhir/detail/operations.h"
#include "fhir/primitives.h"

namespace kiln::fhir {
namespace {

using base::ErrorCode;
using base::fail;
using base::JsonView;

/// One line: an update of the resource by its id, or a creation when it has none. Undone by itself when it fails.
Answer<void> take_line(const Call& call, std::string_view line) {
  TRY(const base::JsonDocument document, base::parse_json(line));
  const JsonView resource = document.root();
  TRY(const std::string_view type, detail::check_resource(resource, {}, resource["resourceType"].text(), *call.server));
  const std::string_view own = resource["id"].text();
  const Access* access = call.server->access;
  if (!access || !access->allow(*call.principal, own.empty() ? "create" : "update", type, {}))
    return fail(ErrorCode::fhir_not_allowed);
  if (!own.empty() && !is_valid_id(own))
    return fail(ErrorCode::bad_value, "the id is not valid: 1 to 64 of A-Z a-z 0-9 - .");
  TRY(StoreScope scope, StoreScope::open(*call.store));
  const std::string id = own.empty() ? call.server->ids->next() : std::string(own);
  const detail::WriteRequest request{type, id, resource, {}, {}, {}, WriteMethod::update};
  if (own.empty()) {
    TRY_VOID(detail::create(*call.store, request, *call.server));
  } else {
    TRY_VOID(detail::update(*call.store, request, *call.server));
  }
  TRY_VOID(scope.keep());
  return {};
}

void add_issues(std::vector<Issue>& issues, std::size_t number, const Failure& failure) {
  for (Issue issue : failure.shown()) {
    issue.text = "line " + std::to_string(number) + ": " + issue.text;
    issues.push_back(std::move(issue));
  }
}

bool is_ndjson(std::string_view content_type) {
  const std::string name = base::lower_ascii(base::trim(content_type.substr(0, content_type.find(';'))));
  return name == "application/fhir+ndjson" || name == "application/ndjson" || name == "application/x-ndjson";
}

/// All lines in one commit; a line that is refused does not hold up the others, a failing disk all of them.
Answer<Reply> run(const Call& call) {
  if (!is_ndjson(call.headers->get("Content-Type")))
    return fail(ErrorCode::fhir_media_type, "$import takes application/fhir+ndjson");
  std::vector<Issue> issues;
  std::size_t number = 0, taken = 0, refused = 0;
  for (const std::string_view text : base::split(call.raw_body, '\n')) {
    ++number;
    const std::string_view line = base::trim(text);
    if (line.empty()) continue;
    const auto done = take_line(call, line);
    if (done) {
      ++taken;
      continue;
    }
    if (done.error().status() >= 500) return tl::unexpected(done.error());
    if (++refused <= base::limits::kBulkErrorsMax) add_issues(issues, number, done.error());
  }
  issues.insert(issues.begin(), {IssueSeverity::information,
                                 "informational",
                                 std::to_string(taken) + " resources taken in, " + std::to_string(refused) + " refused",
                                 {},
                                 {}});
  Reply reply;
  reply.body = print_outcome(issues);
  return reply;
}

constexpr InteractionExample kExamples[] = {
    {"POST /$import with Content-Type: application/fhir+ndjson", "each line is an update of the resource by its id"}};

}  // namespace

const Interaction& import_spec() {
  static const Interaction spec{.name = "$import",
                                .summary = "resources as NDJSON into the store, in one commit",
                                .capability = {},
                                .method = "POST",
                                .shape = PathShape::operation,
                                .body = BodyKind::raw,
                                .writes = true,
                                .examples = kExamples,
                                .run = run,
                                .on_system = true};
  return spec;
}

}  // namespace kiln::fhir
