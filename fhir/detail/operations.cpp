#include "fhir/detail/operations.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "engine/base/text.h"
#include "fhir/definitions/definitions.h"
#include "fhir/resource_text.h"
#include "fhir/search/custom_parameters.h"
#include "fhir/validation/validator.h"

namespace kiln::fhir::detail {

using base::ErrorCode;
using base::fail;

std::string etag(std::int64_t vid) {
  return "W/\"" + std::to_string(vid) + "\"";
}

std::optional<std::int64_t> parse_etag(std::string_view text) {
  if (text.substr(0, 2) == "W/") text.remove_prefix(2);
  if (text.size() < 3 || text.front() != '"' || text.back() != '"') return std::nullopt;
  text = text.substr(1, text.size() - 2);
  std::int64_t vid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), vid);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return vid;
}

bool is_not_modified(const base::HttpHeaders& headers, const StoredVersion& version) {
  const std::string_view if_none_match = headers.get("If-None-Match");
  if (!if_none_match.empty()) {
    const auto tags = base::split(if_none_match, ',');
    return std::any_of(tags.begin(), tags.end(), [&](std::string_view tag) {
      tag = base::trim(tag);
      return tag == "*" || parse_etag(tag) == version.vid;
    });
  }
  base::WallTime since;
  if (!parse_http_date(headers.get("If-Modified-Since"), since)) return false;
  return version.updated.micros / 1'000'000 <= since.micros / 1'000'000;
}

Answer<Subset> read_subset(const Call& call) {
  Subset subset;
  for (const auto& [name, value] : call.query) {
    if (value.empty()) continue;
    TRY(const bool used, parse_subset(subset, call.type, name, value));
    if (!used && call.strict_search)
      return fail(ErrorCode::fhir_search_unknown, "parameter '" + name + "' is not supported for a read");
  }
  return subset;
}

void add_version_headers(base::HttpHeaders& headers, std::int64_t vid, base::WallTime updated) {
  headers.set("ETag", etag(vid));
  headers.set("Last-Modified", print_http_date(updated));
}

std::string location(const ServerContext& server, std::string_view type, std::string_view id,
                     std::int64_t vid) {
  return server.base_url + "/" + std::string(type) + "/" + std::string(id) + "/_history/" +
         std::to_string(vid);
}

Failure gone(const StoredVersion& deletion) {
  Failure failure(base::Error{ErrorCode::fhir_gone, {}, {}, {}});
  add_version_headers(failure.headers, deletion.vid, deletion.updated);
  return failure;
}

Answer<std::string_view> check_resource(base::JsonView resource, std::string_view type,
                                        std::string_view place, const ServerContext& server) {
  if (!resource.is_object())
    return fail(ErrorCode::fhir_required, "a resource is expected", std::string(place));
  const std::string_view found = resource["resourceType"].text();
  if (found.empty()) return fail(ErrorCode::fhir_required, "resourceType is missing", std::string(place));
  if (!find_resource_type(found))
    return fail(ErrorCode::fhir_invalid, "resourceType is not an R4 resource", std::string(place));
  if (!type.empty() && found != type)
    return fail(ErrorCode::fhir_invalid,
                "resourceType is " + std::string(found) + ", the request is about " + std::string(type),
                std::string(place));
  if (is_subsetted(resource))
    return fail(ErrorCode::fhir_rule, "the resource is only a part of the whole (tag SUBSETTED)",
                std::string(place) + ".meta.tag");
  if (found == "SearchParameter") {
    auto usable = read_search_parameter(resource);
    if (!usable) return tl::unexpected(std::move(usable).error());
  }
  if (!server.validate) return found;
  const std::string text = base::print_json(resource);
  std::vector<Issue> issues = validate_structure(text);
  ErrorCode code = ErrorCode::fhir_invalid;
  if (is_valid(issues) && server.validate_profiles) {
    ValidatorOptions options;
    if (server.clock) options.now = server.clock->wall();
    issues = validator_of(server).validate_text(text, options);
    code = ErrorCode::fhir_rule;
  }
  // Places in the printed copy are not those of the request.
  for (Issue& issue : issues) issue.diagnostics.clear();
  if (is_valid(issues)) return found;
  // Issues start at the type ("Patient.name[0]"); inside a Bundle they start at the entry.
  if (!place.empty() && place != found) {
    for (Issue& issue : issues)
      if (issue.expression.substr(0, found.size()) == found) issue.expression.replace(0, found.size(), place);
  }
  return tl::unexpected(Failure({code, {}, std::string(place), {}}, std::move(issues)));
}

Answer<std::optional<Match>> find_one(Store& store, const SearchQuery& criteria) {
  TRY(std::vector<Match> matches, store.find(criteria, 2));
  if (matches.size() > 1) return fail(ErrorCode::fhir_multiple_matches);
  if (matches.empty()) return std::optional<Match>();
  return std::optional<Match>(std::move(matches.front()));
}

Answer<void> check_if_match(std::string_view if_match, const std::optional<StoredVersion>& current) {
  if (if_match.empty()) return {};
  const bool exists = current && !current->deleted();
  if (if_match == "*" && exists) return {};
  const auto wanted = parse_etag(if_match);
  if (!wanted && if_match != "*")
    return fail(ErrorCode::fhir_invalid, "If-Match is not an ETag of this server (W/\"version\")");
  if (exists && wanted && *wanted == current->vid) return {};
  return fail(ErrorCode::fhir_conflict, exists ? "If-Match does not name the current version"
                                               : "If-Match is given, but the resource does not exist");
}

Answer<WriteResult> update(Store& store, const WriteRequest& request, const ServerContext& server) {
  if (server.write_rule) TRY_VOID(server.write_rule->check(request.type, request.resource));
  const bool conditional = !request.if_match.empty() || !request.if_none_match.empty();
  if (conditional || !server.update_create) {
    TRY(const auto current, store.read(request.type, request.id));
    TRY_VOID(check_if_match(request.if_match, current));
    const bool exists = current && !current->deleted();
    if (request.if_none_match == "*" && exists)
      return fail(ErrorCode::fhir_conflict, "If-None-Match: * is given and the resource exists");
    if (!exists && !server.update_create)
      return fail(ErrorCode::fhir_method, "the resource does not exist, and clients may not choose ids here");
  }
  Write write;
  write.type = request.type;
  write.id = request.id;
  write.resource = request.resource;
  write.references = request.references;
  write.method = request.method;
  write.origin = server.origin;
  write.skip_identical = server.skip_identical;
  TRY(WriteResult result, store.put(write));
  return result;
}

Answer<WriteResult> create(Store& store, const WriteRequest& request, const ServerContext& server) {
  if (server.write_rule) TRY_VOID(server.write_rule->check(request.type, request.resource));
  Write write;
  write.type = request.type;
  write.id = request.id;
  write.resource = request.resource;
  write.references = request.references;
  write.method = WriteMethod::create;
  write.origin = server.origin;
  TRY(WriteResult result, store.put(write));
  return result;
}

namespace {

/// The body that Prefer asks for after a success.
std::string preferred_body(const Call& call, std::string_view body) {
  switch (call.prefer) {
    case ReturnPreference::minimal:
      return {};
    case ReturnPreference::representation:
      return std::string(body);
    case ReturnPreference::outcome:
      return print_outcome(std::vector<Issue>{});
  }
  return {};
}

}  // namespace

Reply write_reply(const Call& call, std::string_view type, std::string_view id, const WriteResult& result) {
  Reply reply;
  reply.status = result.created ? 201 : 200;
  add_version_headers(reply.headers, result.vid, result.updated);
  reply.headers.set("Location", location(*call.server, type, id, result.vid));
  reply.body = preferred_body(call, result.body);
  return reply;
}

Reply found_reply(const Call& call, int status, const StoredVersion& version) {
  Reply reply;
  reply.status = status;
  add_version_headers(reply.headers, version.vid, version.updated);
  reply.headers.set("Location", location(*call.server, version.type, version.id, version.vid));
  reply.body = preferred_body(call, version.body);
  return reply;
}

Answer<void> check_body_id(base::JsonView resource, std::string_view id, std::string_view place) {
  const base::JsonView found = resource["id"];
  if (!found) return fail(ErrorCode::fhir_required, "the resource has no id", std::string(place) + ".id");
  if (found.text() != id)
    return fail(ErrorCode::fhir_invalid, "the id of the resource is not that of the request",
                std::string(place) + ".id");
  return {};
}

}  // namespace kiln::fhir::detail
