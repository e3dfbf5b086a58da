#include "fhir/router.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "engine/base/gzip.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "fhir/definitions/definitions.h"
#include "fhir/detail/binary.h"
#include "fhir/detail/content.h"
#include "fhir/detail/dispatch.h"
#include "fhir/detail/negotiation.h"
#include "fhir/detail/operations.h"
#include "fhir/interaction.h"
#include "fhir/primitives.h"
#include "fhir/validation/validator.h"

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

/// "/T/id/_history/vid"; a version that is no number is one that does not exist: 0.
PathShape version_shape(std::string_view text, Call& call) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), call.vid);
  if (error != std::errc() || end != text.data() + text.size()) call.vid = 0;
  return PathShape::version;
}

std::optional<PathShape> shape_of(std::vector<std::string>& path, Call& call) {
  if (!path.empty() && path.back().starts_with('$')) {
    call.operation = std::move(path.back());
    path.pop_back();
    if (path.size() > 2) return std::nullopt;
    if (!path.empty()) call.type = path[0];
    if (path.size() == 2) call.id = path[1];
    return PathShape::operation;
  }
  const std::size_t size = path.size();
  if (size == 0) return PathShape::system;
  if (size == 1 && path[0] == "metadata") return PathShape::metadata;
  if (size == 1 && path[0] == "_history") return PathShape::system_history;
  if (size == 1 && path[0] == "_search") return PathShape::system_search;
  call.type = path[0];
  if (size == 1) return PathShape::type;
  if (size == 2 && path[1] == "_search") return PathShape::type_search;
  if (size == 2 && path[1] == "_history") return PathShape::type_history;
  call.id = path[1];
  if (size == 2) return PathShape::instance;
  if (size == 3 && path[2] == "_history") return PathShape::instance_history;
  if (size == 3 && (path[2] == "*" || find_resource_type(path[2]))) {
    call.member = path[2];
    return PathShape::compartment;
  }
  if (size == 4 && path[2] == "_history") return version_shape(path[3], call);
  return std::nullopt;
}

void add_allowed(std::string& allow, std::string_view method) {
  const std::string name = method == "GET" ? "GET, HEAD" : std::string(method);
  if (allow.find(name) == std::string::npos) allow += (allow.empty() ? "" : ", ") + name;
}

Failure method_not_allowed(PathShape shape) {
  Failure failure(base::Error{ErrorCode::fhir_method, {}, {}, {}});
  std::string allow;
  for (const Interaction* interaction : all_interactions())
    if (interaction->shape == shape) add_allowed(allow, interaction->method);
  failure.headers.set("Allow", allow);
  return failure;
}

bool has_level(const Interaction& operation, const Call& call) {
  if (call.type.empty()) return operation.on_system;
  const bool fits = operation.types.empty() || std::find(operation.types.begin(), operation.types.end(),
                                                         call.type) != operation.types.end();
  return fits && (call.id.empty() ? operation.on_type : operation.on_instance);
}

Answer<const Interaction*> find_operation(const Call& call) {
  for (const Interaction* operation : all_operation_files()) {
    if (operation->name != call.operation || !has_level(*operation, call)) continue;
    if (call.method == operation->method || (call.method == "GET" && operation->also_get)) return operation;
    Failure failure(base::Error{ErrorCode::fhir_method, {}, {}, {}});
    std::string allow;
    if (operation->also_get) add_allowed(allow, "GET");
    add_allowed(allow, operation->method);
    failure.headers.set("Allow", allow);
    return tl::unexpected(std::move(failure));
  }
  return fail(ErrorCode::fhir_unknown_path, "there is no such operation at this address");
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

/// How the answer goes out.
struct Wanted {
  detail::Format format = detail::Format::json;
  bool pretty = false;
  bool native = false;  ///< the content of a Binary itself
  bool gzip = false;
};

Reply failure_reply(Failure failure) {
  Reply reply;
  reply.status = failure.status();
  reply.body = print_outcome(failure);
  reply.headers = std::move(failure.headers);
  if (reply.status == 503) reply.headers.set("Retry-After", "5");
  return reply;
}

Answer<HttpResponse> to_response(Reply reply, const Wanted& wanted) {
  HttpResponse response;
  response.status = reply.status;
  response.headers = std::move(reply.headers);
  response.headers.set("Vary", "Accept, Accept-Encoding");
  if (reply.body.empty()) return response;
  if (response.headers.has("Content-Type")) {
    response.body = std::move(reply.body);
  } else {
    TRY(response.body, detail::print_body(std::move(reply.body), wanted.format, wanted.pretty));
    response.headers.set("Content-Type", std::string(detail::content_type_of(wanted.format)));
  }
  return response;
}

HttpResponse answer_of(Answer<Reply> answer, const Wanted& wanted) {
  auto response = to_response(answer ? std::move(*answer) : failure_reply(std::move(answer).error()), wanted);
  if (response) return std::move(*response);
  // XML cannot carry the content; it can carry this.
  auto failed = to_response(failure_reply(std::move(response).error()), wanted);
  return failed ? std::move(*failed) : HttpResponse{500, {}, {}};
}

void compress(HttpResponse& response) {
  if (response.body.size() < base::limits::kCompressedBytesMin || response.headers.has("Content-Encoding"))
    return;
  std::string packed = base::gzip(response.body);
  if (packed.empty()) return;
  response.body = std::move(packed);
  response.headers.set("Content-Encoding", "gzip");
}

/// Takes the body in as the interaction wants it. `document` and `unpacked` own it.
Answer<void> read_request_body(const Interaction& interaction, std::string_view body, Call& call,
                               base::JsonDocument& document) {
  const std::string_view content_type = call.headers->get("Content-Type");
  // An operation that is asked with GET has its parameters in the URL.
  if (interaction.body == BodyKind::none || call.method == "GET") return {};
  if (interaction.body == BodyKind::raw) {
    call.raw_body = body;
    return {};
  }
  if (interaction.body == BodyKind::form) {
    // The form of a POST _search has the same standing as the query of the URL (http#search).
    if (!detail::is_form(content_type))
      return fail(ErrorCode::fhir_media_type, "_search takes application/x-www-form-urlencoded");
    for (auto& pair : base::parse_query(body)) call.query.push_back(std::move(pair));
    return {};
  }
  if (call.shape == PathShape::operation && base::trim(body).empty()) return {};
  const auto format = detail::body_format(content_type);
  if (!format && call.type == "Binary") {
    TRY(document, detail::binary_resource(body, content_type, call));
  } else if (!format) {
    return tl::unexpected(format.error());
  } else {
    TRY(document, detail::parse_body(body, *format));
  }
  call.body = document.root();
  return {};
}

/// What is no text cannot be searched for, and could not be told in an answer either.
Answer<void> check_texts(const QueryPairs& query) {
  for (const auto& [name, value] : query)
    if (!base::is_valid_utf8(name) || !base::is_valid_utf8(value))
      return fail(ErrorCode::fhir_search_invalid, "a parameter is not UTF-8");
  return {};
}

/// `_format` and `_pretty` of the URL count as soon as they are read, so that a failure is answered in that
/// format.
Answer<void> choose_answer(const HttpRequest& request, QueryPairs query, const Call& call,
                           const Interaction* interaction, Wanted& wanted) {
  const std::string format = take_parameter(query, "_format");
  wanted.pretty = wanted.pretty || take_parameter(query, "_pretty") == "true";
  auto chosen = detail::choose_format(format, request.headers.get("Accept"));
  if (chosen) {
    wanted.format = *chosen;
    return {};
  }
  if (interaction && interaction->own_format) return {};
  if (call.type != "Binary" || call.method != "GET" || call.id.empty() || !format.empty())
    return tl::unexpected(std::move(chosen).error());
  wanted.native = true;
  return {};
}

Answer<Reply> run(const HttpRequest& request, const Principal& principal, Store& store,
                  const ServerContext& server, Wanted& wanted) {
  Call call;
  call.headers = &request.headers;
  call.principal = &principal;
  call.store = &store;
  call.server = &server;
  const auto target = below_base(request.target, server.base_path);
  if (!target) return fail(ErrorCode::fhir_unknown_path);
  const auto interaction = find_interaction(request.method, *target, call);
  TRY_VOID(choose_answer(request, base::parse_query(request.query()), call, interaction ? *interaction : nullptr, wanted));
  if (!interaction) return tl::unexpected(interaction.error());
  call.strict_search = server.strict_search;
  detail::apply_preferences(request.headers.get("Prefer"), call);
  TRY(const std::optional<std::string> unpacked, detail::unpack_body(request));
  base::JsonDocument document;
  TRY_VOID(read_request_body(**interaction, unpacked ? *unpacked : request.body, call, document));
  if ((*interaction)->body == BodyKind::form) TRY_VOID(choose_answer(request, call.query, call, *interaction, wanted));
  take_parameter(call.query, "_format");
  take_parameter(call.query, "_pretty");
  TRY(Reply reply, detail::run_interaction(**interaction, call));
  if (wanted.native && reply.status == 200) return detail::native_reply(std::move(reply));
  return reply;
}

/// The response in its coding, with what every response has.
HttpResponse finish(const HttpRequest& request, Answer<Reply> answer, const Wanted& wanted) {
  HttpResponse response = answer_of(std::move(answer), wanted);
  if (wanted.gzip) compress(response);
  const std::string_view id = request.headers.get("X-Request-Id");
  if (is_request_id(id)) response.headers.set("X-Request-Id", std::string(id));
  if (request.method == "HEAD") {
    response.headers.set("Content-Length", std::to_string(response.body.size()));
    response.body.clear();
  }
  return response;
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
  if (*shape == PathShape::operation) return find_operation(call);
  for (const Interaction* interaction : all_interactions())
    if (interaction->shape == *shape && interaction->method == call.method) return interaction;
  return tl::unexpected(method_not_allowed(*shape));
}

namespace {

/// False when a Bundle certainly has only GET and HEAD entries: no other method is in it, in whatever way a text may
/// be written.
bool may_write(const HttpRequest& request) {
  const std::string_view body = request.body;
  if (body.empty() || request.headers.has("Content-Encoding")) return true;
  for (const std::string_view sign : {"PUT", "POST", "DELETE", "PATCH", "\\u", "&#"})
    if (body.find(sign) != std::string_view::npos) return true;
  return false;
}

}  // namespace

bool is_write(const HttpRequest& request, const ServerContext& context) {
  Call call;
  const auto target = below_base(request.target, context.base_path);
  if (!target) return false;
  const auto interaction = find_interaction(request.method, *target, call);
  if (!interaction || !(*interaction)->writes) return false;
  return call.shape != PathShape::system || may_write(request);
}

HttpResponse handle(const HttpRequest& request, const Principal& principal, Store& store,
                    const ServerContext& context) {
  Wanted wanted;
  wanted.gzip = detail::accepts_gzip(request.headers.get("Accept-Encoding"));
  return finish(request, run(request, principal, store, context, wanted), wanted);
}

HttpResponse respond(const HttpRequest& request, Answer<Reply> answer) {
  Wanted wanted;
  wanted.gzip = detail::accepts_gzip(request.headers.get("Accept-Encoding"));
  const auto chosen = choose_answer(request, base::parse_query(request.query()), Call(), nullptr, wanted);
  if (!chosen) answer = tl::unexpected(chosen.error());
  return finish(request, std::move(answer), wanted);
}

Answer<void> check_written(base::JsonView resource, std::string_view type, const ServerContext& server) {
  TRY_VOID(detail::check_resource(resource, type, type, server));
  return {};
}

Answer<base::JsonDocument> read_resource(const HttpRequest& request) {
  TRY(const std::optional<std::string> unpacked, detail::unpack_body(request));
  TRY(const detail::Format format, detail::body_format(request.headers.get("Content-Type")));
  return detail::parse_body(unpacked ? *unpacked : request.body, format);
}

std::optional<std::string> below_base(std::string_view target, std::string_view base_path) {
  if (target.substr(0, base_path.size()) != base_path) return std::nullopt;
  target.remove_prefix(base_path.size());
  if (!target.empty() && target.front() != '/' && target.front() != '?') return std::nullopt;
  return std::string(target);
}

bool is_request_id(std::string_view text) {
  return !text.empty() && text.size() <= 128 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F && c != '"'; });
}

HttpResponse refuse(const base::Error& error) {
  HttpResponse response;
  response.status = error.info().http_status;
  response.headers.set("Content-Type", std::string(detail::content_type_of(detail::Format::json)));
  if (error.info().retry) response.headers.set("Retry-After", error.code == ErrorCode::fhir_throttled ? "1" : "5");
  if (response.status == 401) response.headers.set("WWW-Authenticate", "Bearer realm=\"kiln-fhir\"");
  response.body = print_outcome({issue_of(error)});
  return response;
}

HttpResponse refuse(int status, const std::string& why) {
  HttpResponse response;
  response.status = status;
  response.headers.set("Content-Type", std::string(detail::content_type_of(detail::Format::json)));
  const bool too_long = status == 413 || status == 414 || status == 431;
  const char* code = too_long        ? "too-long"
                     : status == 408 ? "timeout"
                     : status >= 500 ? "not-supported"
                                     : "structure";
  response.body = print_outcome({{IssueSeverity::error, code, why, {}, "http-" + std::to_string(status)}});
  return response;
}

const Validator& validator_of(const ServerContext& context) {
  static const Library shipped;
  static const Validator validator(shipped);
  return context.validator ? *context.validator : validator;
}

namespace detail {

Answer<Reply> run_interaction(const Interaction& interaction, const Call& call) {
  const Access* access = call.server->access;
  std::string query;
  for (const auto& [name, value] : call.query) query += (query.empty() ? "" : "&") + name + "=" + value;
  if (!access || !access->allow(*call.principal, interaction.name, call.type, query))
    return fail(ErrorCode::fhir_not_allowed);
  TRY_VOID(check_texts(call.query));
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

}  // namespace detail
}  // namespace kiln::fhir
