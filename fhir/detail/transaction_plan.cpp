#include "fhir/detail/transaction_plan.h"

#include <unordered_set>
#include <utility>

#include "engine/base/limits.h"
#include "fhir/definitions/definitions.h"
#include "fhir/detail/patching.h"
#include "fhir/primitives.h"

namespace kiln::fhir::detail {
namespace {

using base::ErrorCode;
using base::fail;
using base::JsonView;

Answer<EntryMethod> parse_method(std::string_view text) {
  if (text == "GET" || text == "HEAD") return EntryMethod::get;
  if (text == "POST") return EntryMethod::post;
  if (text == "PUT") return EntryMethod::put;
  if (text == "PATCH") return EntryMethod::patch;
  if (text == "DELETE") return EntryMethod::remove;
  if (text.empty()) return fail(ErrorCode::fhir_required, "request.method is missing", "request.method");
  return fail(ErrorCode::fhir_not_supported, "this request.method is not supported in a transaction",
              "request.method");
}

/// Type, id and criteria of a request.url ("Patient", "Patient/p1", "Patient?identifier=x", also below the
/// own base).
Answer<void> parse_url(PlannedEntry& entry, const ServerContext& server) {
  std::string_view url = entry.request["url"].text();
  if (url.empty()) return fail(ErrorCode::fhir_required, "request.url is missing", "request.url");
  if (url.substr(0, server.base_url.size()) == server.base_url) url.remove_prefix(server.base_url.size());
  while (!url.empty() && url.front() == '/') url.remove_prefix(1);
  entry.target = "/" + std::string(url);
  if (entry.method == EntryMethod::get) return {};
  const std::size_t question = url.find('?');
  if (question != std::string_view::npos) entry.query = std::string(url.substr(question + 1));
  const std::string_view path = url.substr(0, question);
  const std::size_t slash = path.find('/');
  entry.type = path.substr(0, slash);
  if (slash != std::string_view::npos) entry.id = base::percent_decode(path.substr(slash + 1), false);
  if (!find_resource_type(entry.type))
    return fail(ErrorCode::fhir_unknown_path, "not a resource type of R4", "request.url");
  const bool has_id = slash != std::string_view::npos;
  if (has_id && !is_valid_id(entry.id))
    return fail(ErrorCode::bad_value, "the id is not valid: 1 to 64 of A-Z a-z 0-9 - .", "request.url");
  const bool fits =
      entry.method == EntryMethod::post ? !has_id && !entry.query : has_id != entry.query.has_value();
  if (!fits)
    return fail(ErrorCode::fhir_invalid,
                "the url does not fit the method (POST Type; PUT, PATCH and DELETE Type/id or Type?criteria)",
                "request.url");
  return {};
}

/// fullUrl, and its base when it is an http URL that ends in Type/id.
Answer<void> parse_full_url(PlannedEntry& entry, JsonView full_url) {
  entry.full_url = full_url.text();
  if (entry.full_url.empty()) return {};
  const ReferenceParts parts = parse_reference(entry.full_url);
  if (parts.form == ReferenceParts::Form::absolute) {
    entry.base = parts.base;
    return {};
  }
  if (entry.full_url.find(':') == std::string::npos)
    return fail(ErrorCode::fhir_invalid, "fullUrl must be absolute (urn:uuid:… or a URL)", "fullUrl");
  return {};
}

Answer<PlannedEntry> plan_entry(JsonView json, std::size_t index, const ServerContext& server) {
  PlannedEntry entry;
  entry.index = index;
  entry.request = json["request"];
  entry.resource = json["resource"];
  if (!entry.request.is_object())
    return fail(ErrorCode::fhir_required, "the entry has no request", "request");
  TRY(entry.method, parse_method(entry.request["method"].text()));
  TRY_VOID(parse_url(entry, server));
  TRY_VOID(parse_full_url(entry, json["fullUrl"]));
  if (entry.method == EntryMethod::post || entry.method == EntryMethod::put) {
    const std::string place = "Bundle.entry[" + std::to_string(index) + "].resource";
    if (entry.type == "Bundle" &&
        (entry.resource["type"].text() == "transaction" || entry.resource["type"].text() == "batch"))
      return fail(ErrorCode::fhir_not_supported, "a transaction or batch inside a transaction", "resource");
    TRY_VOID(check_resource(entry.resource, entry.type, place, server));
    if (entry.method == EntryMethod::put && !entry.query)
      TRY_VOID(check_body_id(entry.resource, entry.id, place));
    if (entry.method == EntryMethod::post) entry.id.clear();
  }
  if (entry.method == EntryMethod::patch) TRY_VOID(patch_of_entry(entry.resource));
  // A criterion that is there but empty is still a conditional create, and refused.
  const JsonView if_none_exist = entry.request["ifNoneExist"];
  if (entry.method == EntryMethod::post && if_none_exist) {
    auto criteria = parse_criteria(entry.type, if_none_exist.text(), server.base_url);
    if (!criteria) {
      Failure failure = std::move(criteria).error();
      failure.error.place = "request.ifNoneExist";
      return tl::unexpected(std::move(failure));
    }
    entry.criteria = std::move(*criteria);
  }
  if (entry.query) {
    auto criteria = parse_criteria(entry.type, *entry.query, server.base_url);
    if (!criteria) {
      Failure failure = std::move(criteria).error();
      failure.error.place = "request.url";
      return tl::unexpected(std::move(failure));
    }
    entry.criteria = std::move(*criteria);
  }
  return entry;
}

}  // namespace

Failure at_entry(Failure failure, std::size_t index, std::string_view part) {
  const std::string entry = "Bundle.entry[" + std::to_string(index) + "]";
  if (failure.issues.empty()) failure.issues.push_back(issue_of(failure.error));
  for (Issue& issue : failure.issues) {
    if (issue.expression.substr(0, 7) == "Bundle.") continue;
    if (issue.expression.empty()) issue.expression = part;
    issue.expression = issue.expression.empty() ? entry : entry + "." + issue.expression;
  }
  failure.headers = {};
  return failure;
}

Answer<std::vector<PlannedEntry>> plan_entries(JsonView bundle, const ServerContext& server) {
  if (bundle["entry"].size() > server.bundle_entries_max)
    return fail(ErrorCode::limit_exceeded,
                "the Bundle has more than " + std::to_string(server.bundle_entries_max) + " entries",
                "Bundle.entry");
  std::vector<PlannedEntry> entries;
  std::unordered_set<std::string_view> full_urls;
  std::size_t index = 0;
  for (const JsonView json : bundle["entry"]) {
    auto entry = plan_entry(json, index, server);
    if (!entry) return tl::unexpected(at_entry(std::move(entry).error(), index));
    if (!entry->full_url.empty() && !full_urls.insert(json["fullUrl"].text()).second)
      return tl::unexpected(at_entry(
          base::Error{ErrorCode::fhir_overlap, "the fullUrl is already that of another entry", {}, {}}, index,
          "fullUrl"));
    entries.push_back(std::move(*entry));
    ++index;
  }
  return entries;
}

}  // namespace kiln::fhir::detail
