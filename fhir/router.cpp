#include "fhir/router.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "engine/base/text.h"
#include "fhir/definitions/definitions.h"
#include "fhir/detail/dispatch.h"
#include "fhir/detail/negotiation.h"
#include "fhir/interaction.h"
#include "fhir/primitives.h"

namespace kiln::fhir {
namespace {

using base::ErrorCode;
using base::fail;
using base::HttpRequest;
using base::HttpResponse;

/// Path segments below the base, decoded. False when the path is not below the base.
bool segments_of(std::string_view path, std::string_view base_path, std::vector<std::string>& out) {
  if (path.substr(0, base_path.size()) != base_path) return false;
  path.remove_prefix(base_path.size());
  if (!path.empty() && path.front() != '/') return false;
  for (const std::string_view part : base::split(path, '/'))
    if (!part.empty()) out.push_back(base::percent_decode(part, false));
  return true;
}

/// The request target with the base path taken away; nullopt when it is not below it.
std::optional<std::string> below_base(std::string_view target, std::string_view base_path) {
  if (target.substr(0, base_path.size()) != base_path) return std::nullopt;
  target.remove_prefix(base_path.size());
  if (!target.empty() && target.front() != '/' && target.front() != '?') return std::nullopt;
  return std::string(target);
}

std::optional<PathShape> shape_of(const std::vector<std::string>& path, Call& call) {
  const std::size_t size = path.size();
  if (size == 0) return PathShape::system;
  if (size == 1 && path[0] == "metadata") return PathShape::metadata;
  if (size == 1 && path[0] == "_history") return PathShape::system_history;
  call.type = path[0];
  if (size == 1) return PathShape::type;
  if (size == 2 && path[1] == "_search") return PathShape::type_search;
  if (size == 2 && path[1] == "_history") return PathShape::type_history;
  call.id = path[1];
  if (size == 2) return PathShape::instance;
  if (size == 3 && path[2] == "_history") return PathShape::instance_history;
  if (size == 4 && path[2] == "_history") {
    const auto [end, error] = std::from_chars(path[3].data(), path[3].data() + path[3].size(), call.vid);
    if (error != std::errc() || end != path[3].data() + path[3].size()) call.vid = 0;
    return PathShape::version;
  }
  return std::nullopt;
}

Failure method_not_allowed(PathShape shape) {
  Failure failure(base::Error{ErrorCode::fhir_method, {}, {}, {}});
  std::string allow;
  for (const Interaction* interaction : all_interactions()) {
    if (interaction->shape != shape) continue;
    const std::string name = interaction->method == "GET" ? "GET, HEAD" : std::string(interaction->method);
    if (allow.find(name) == std::string::npos) allow += (allow.empty() ? "" : ", ") + name;
  }
  failure.headers.set("Allow", allow);
  return failure;
}

/// _format and _pretty are about the answer as a whole, not about the search.
std::string take_parameter(QueryPairs& query, std::string_view name) {
  std::string value;
  std::erase_if(query, [&](const auto& pair) {
    if (pair.first != name) return false;
    value = pair.second;
    return true;
  });
  return value;
}

HttpResponse to_response(Reply reply, bool pretty) {
  HttpResponse response;
  response.status = reply.status;
  response.headers = std::move(reply.headers);
  response.headers.set("Vary", "Accept");
  if (reply.body.empty()) return response;
  response.headers.set("Content-Type", "application/fhir+json; charset=UTF-8");
  response.body = std::move(reply.body);
  if (pretty) {
    if (const auto document = base::parse_json(response.body))
      response.body = base::print_json(document->root(), true);
  }
  return response;
}

Reply failure_reply(Failure failure) {
  Reply reply;
  reply.status = failure.status();
  reply.body = print_outcome(failure);
  reply.headers = std::move(failure.headers);
  if (reply.status == 503) reply.headers.set("Retry-After", "5");
  return reply;
}

/// A request id may be echoed when it is short and harmless.
bool is_plain_token(std::string_view text) {
  return !text.empty() && text.size() <= 128 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F && c != '"'; });
}

Answer<Reply> run(const HttpRequest& request, const Principal& principal, Store& store,
                  const ServerContext& server, bool& pretty) {
  Call call;
  call.headers = &request.headers;
  call.principal = &principal;
  call.store = &store;
  call.server = &server;
  const auto target = below_base(request.target, server.base_path);
  if (!target) return fail(ErrorCode::fhir_unknown_path);
  TRY(const Interaction* interaction, find_interaction(request.method, *target, call));
  const std::string format = take_parameter(call.query, "_format");
  pretty = take_parameter(call.query, "_pretty") == "true";
  TRY_VOID(detail::check_accept(format, request.headers.get("Accept")));
  call.strict_search = server.strict_search;
  detail::apply_preferences(request.headers.get("Prefer"), call);
  base::JsonDocument body;
  if (call.shape == PathShape::type_search) {
    // The form of a POST _search has the same standing as the query of the URL (http#search).
    if (!detail::is_form(request.headers.get("Content-Type")))
      return fail(ErrorCode::fhir_media_type, "_search takes application/x-www-form-urlencoded");
    for (auto& pair : base::parse_query(request.body)) call.query.push_back(std::move(pair));
  } else if (interaction->method != "GET" && interaction->method != "DELETE") {
    TRY_VOID(detail::check_content_type(request.headers.get("Content-Type")));
    TRY(body, detail::parse_body(request.body));
    call.body = body.root();
  }
  return detail::run_interaction(*interaction, call);
}

}  // namespace

Answer<const Interaction*> find_interaction(std::string_view method, std::string_view target, Call& call) {
  const std::size_t question = target.find('?');
  std::vector<std::string> path;
  if (!segments_of(target.substr(0, question), "", path)) return fail(ErrorCode::fhir_unknown_path);
  const auto shape = shape_of(path, call);
  if (!shape) return fail(ErrorCode::fhir_unknown_path);
  if (!call.type.empty() && !find_resource_type(call.type))
    return fail(ErrorCode::fhir_unknown_path, "not a resource type of R4");
  call.method = method == "HEAD" ? "GET" : std::string(method);
  call.shape = *shape;
  if (!call.id.empty() && !is_valid_id(call.id)) {
    if (call.method == "PUT")
      return fail(ErrorCode::bad_value, "the id is not valid: 1 to 64 of A-Z a-z 0-9 - .");
    return fail(ErrorCode::fhir_not_found);
  }
  if (question != std::string_view::npos) call.query = base::parse_query(target.substr(question + 1));
  for (const Interaction* interaction : all_interactions())
    if (interaction->shape == *shape && interaction->method == call.method) return interaction;
  return tl::unexpected(method_not_allowed(*shape));
}

bool is_write(const HttpRequest& request, const ServerContext& context) {
  Call call;
  const auto target = below_base(request.target, context.base_path);
  if (!target) return false;
  const auto interaction = find_interaction(request.method, *target, call);
  return interaction && (*interaction)->writes;
}

HttpResponse handle(const HttpRequest& request, const Principal& principal, Store& store,
                    const ServerContext& context) {
  bool pretty = false;
  auto answer = run(request, principal, store, context, pretty);
  HttpResponse response =
      to_response(answer ? std::move(*answer) : failure_reply(std::move(answer).error()), pretty);
  const std::string_view id = request.headers.get("X-Request-Id");
  if (is_plain_token(id)) response.headers.set("X-Request-Id", std::string(id));
  if (request.method == "HEAD") response.body.clear();
  return response;
}

namespace detail {

Answer<Reply> run_interaction(const Interaction& interaction, const Call& call) {
  const Access* access = call.server->access;
  std::string query;
  for (const auto& [name, value] : call.query) query += (query.empty() ? "" : "&") + name + "=" + value;
  if (!access || !access->allow(*call.principal, interaction.name, call.type, query))
    return fail(ErrorCode::fhir_not_allowed);
  if (!interaction.writes) return interaction.run(call);
  TRY(StoreScope scope, StoreScope::open(*call.store));
  TRY(Reply reply, interaction.run(call));
  TRY_VOID(scope.keep());
  return reply;
}

void apply_preferences(std::string_view prefer, Call& call) {
  std::string text(prefer);
  std::replace(text.begin(), text.end(), ';', ',');
  for (const std::string_view part : base::split(text, ',')) {
    const std::string_view name = base::trim(part);
    if (name == "return=minimal") call.prefer = ReturnPreference::minimal;
    if (name == "return=representation") call.prefer = ReturnPreference::representation;
    if (name == "return=OperationOutcome") call.prefer = ReturnPreference::outcome;
    if (name == "handling=strict") call.strict_search = true;
    if (name == "handling=lenient") call.strict_search = false;
  }
}

Answer<base::JsonDocument> parse_body(std::string_view body) {
  if (base::trim(body).empty()) return fail(ErrorCode::fhir_required, "the request has no body");
  TRY(base::JsonDocument document, base::parse_json(body));
  return document;
}

}  // namespace detail
}  // namespace kiln::fhir
