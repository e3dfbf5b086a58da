#include "fhir/detail/bulk.h"

#include <algorithm>

#include "engine/base/limits.h"
#include "engine/base/partial_date.h"
#include "engine/base/text.h"
#include "fhir/definitions/definitions.h"
#include "fhir/detail/operation_input.h"
#include "fhir/detail/operations.h"
#include "fhir/resource_text.h"
#include "fhir/search/query.h"

namespace kiln::fhir::detail {

using base::ErrorCode;
using base::fail;
using base::JsonView;
using base::JsonWriter;

namespace {

constexpr const char* kRetrySeconds = "5";

bool may_export(const Call& call, std::string_view type) {
  const Access* access = call.server->access;
  return access && access->allow(*call.principal, "search", type, {});
}

/// A parameter of the URL may hold several values, with commas or by being repeated.
std::vector<std::string> listed(const OperationInput& input, std::string_view name) {
  std::vector<std::string> list;
  for (const std::string_view text : input.texts(name))
    for (const std::string_view part : base::split(text, ','))
      if (!base::trim(part).empty()) list.emplace_back(base::trim(part));
  return list;
}

/// What was asked for and may be given; without _type everything that may be given.
Answer<std::vector<std::string>> types_of(const Call& call, const OperationInput& input) {
  std::vector<std::string> types = listed(input, "_type");
  for (const std::string& type : types) {
    if (!find_resource_type(type)) return fail(ErrorCode::fhir_invalid, "_type: not a resource type of R4");
    if (!may_export(call, type)) return fail(ErrorCode::fhir_not_allowed);
  }
  if (types.empty()) {
    for (const TypeDef& type : all_types())
      if (find_resource_type(type.name()) && may_export(call, type.name())) types.emplace_back(type.name());
  }
  if (types.empty()) return fail(ErrorCode::fhir_not_allowed);
  std::sort(types.begin(), types.end());
  types.erase(std::unique(types.begin(), types.end()), types.end());
  return types;
}

Answer<void> check_filters(const std::vector<std::string>& filters, const std::vector<std::string>& types,
                           const ServerContext& server) {
  for (const std::string& filter : filters) {
    const std::size_t question = filter.find('?');
    const std::string type = filter.substr(0, question);
    if (question == filter.npos || !std::binary_search(types.begin(), types.end(), type))
      return fail(ErrorCode::fhir_invalid, "_typeFilter: expected Type?parameter=value of an exported type");
    TRY(const SearchQuery query, parse_criteria(type, filter.substr(question + 1), server.base_url));
    for (const SearchClause& clause : query.clauses) {
      const bool plain = clause.kind == SearchClause::Kind::value && clause.parameter->is_indexed();
      if (!plain && clause.kind != SearchClause::Kind::composite)
        return fail(ErrorCode::fhir_not_supported, "_typeFilter: chains, _has, _id and _lastUpdated do not go here");
    }
  }
  return {};
}

/// The patients who are members now; those who left are not.
Answer<std::set<std::string>> members_of(const Call& call) {
  TRY(const auto group, call.store->read(call.type, call.id));
  if (!group) return fail(ErrorCode::fhir_not_found);
  if (group->deleted()) return tl::unexpected(gone(*group));
  TRY(const base::JsonDocument document, base::parse_json(group->body));
  std::set<std::string> ids;
  for (const JsonView member : document.root()["member"]) {
    if (member["inactive"].boolean()) continue;
    const std::string_view reference = member["entity"]["reference"].text();
    const ReferenceParts parts = parse_reference(reference, call.server->base_url);
    if (parts.type == "Patient" && !parts.id.empty()) ids.emplace(parts.id);
    if (ids.size() > base::limits::kBulkPatientsMax)
      return fail(ErrorCode::limit_exceeded, "the group has too many members");
  }
  return ids;
}

bool wants_async(const Call& call) {
  return call.headers && call.headers->get("Prefer").find("respond-async") != std::string_view::npos;
}

Answer<BulkExport> read_request(const Call& call) {
  TRY(const auto input,
      OperationInput::read(call, {"_outputFormat", "_since", "_type", "_typeFilter", "patient"}));
  BulkExport request;
  request.owner = call.principal->name;
  const std::string_view format = input.text("_outputFormat");
  if (!format.empty() && format != "application/fhir+ndjson" && format != "application/ndjson" && format != "ndjson")
    return fail(ErrorCode::fhir_not_supported, "_outputFormat: only application/fhir+ndjson is written");
  if (const std::string since(input.text("_since")); !since.empty()) {
    const auto time = base::PartialDate::parse_fhir(since);
    if (!time || time->precision < base::DatePrecision::second || !time->has_offset)
      return fail(ErrorCode::fhir_invalid, "_since: expected an instant");
    request.since = base::WallTime{time->lowest_micros()};
  }
  TRY(request.types, types_of(call, input));
  for (const std::string_view filter : input.texts("_typeFilter")) request.filters.emplace_back(filter);
  TRY_VOID(check_filters(request.filters, request.types, *call.server));
  request.patients = !call.type.empty();
  if (call.type == "Group") {
    TRY(request.patient_ids, members_of(call));
  }
  std::set<std::string> named;
  for (const std::string_view reference : input.texts("patient"))
    named.emplace(parse_reference(reference, call.server->base_url).id);
  if (!named.empty()) {
    if (!request.patients) return fail(ErrorCode::fhir_not_supported, "patient: only of Patient and Group");
    if (request.patient_ids)
      std::erase_if(named, [&](const std::string& id) { return request.patient_ids->count(id) == 0; });
    request.patient_ids = std::move(named);
  }
  return request;
}

std::string url_of(const Call& call) {
  std::string url = call.server->base_url;
  if (!call.type.empty()) url += "/" + call.type;
  if (!call.id.empty()) url += "/" + call.id;
  url += "/$export";
  for (std::size_t i = 0; i < call.query.size(); ++i)
    url += (i == 0 ? "?" : "&") + call.query[i].first + "=" + base::percent_encode(call.query[i].second);
  return url;
}

Answer<BulkJobs*> jobs_of(const Call& call) {
  if (!call.server->bulk) return fail(ErrorCode::fhir_not_supported, "this server keeps no bulk jobs");
  return call.server->bulk;
}

std::string parameter_of(const Call& call, std::string_view name) {
  for (const auto& [key, value] : call.query)
    if (key == name) return value;
  return {};
}

void write_files(JsonWriter& out, std::string_view name, const Call& call, const BulkStatus& status, bool deleted) {
  out.key(name).begin_array();
  for (const BulkFile& file : status.files) {
    if (file.deleted != deleted) continue;
    out.begin_object().member("type", file.deleted ? "Bundle" : file.type);
    out.member("url", call.server->base_url + "/$bulk-file?job=" + parameter_of(call, "job") + "&name=" + file.name);
    out.key("count").number(std::to_string(file.count)).end_object();
  }
  out.end_array();
}

}  // namespace

Answer<Reply> run_export(const Call& call) {
  TRY(BulkJobs * jobs, jobs_of(call));
  const bool is_group = call.type == "Group" && !call.id.empty();
  if (!call.type.empty() && !is_group && !(call.type == "Patient" && call.id.empty()))
    return fail(ErrorCode::fhir_unknown_path, "there is no such operation at this address");
  if (!wants_async(call))
    return fail(ErrorCode::fhir_not_supported, "$export answers later: ask with Prefer: respond-async");
  TRY(BulkExport request, read_request(call));
  request.request = url_of(call);
  TRY(const std::string id, jobs->start(std::move(request)));
  Reply reply;
  reply.status = 202;
  reply.headers.set("Content-Location", call.server->base_url + "/$bulk-status?job=" + id);
  return reply;
}

Answer<Reply> run_bulk_status(const Call& call) {
  TRY(BulkJobs * jobs, jobs_of(call));
  const std::string id = parameter_of(call, "job");
  Reply reply;
  if (call.method == "DELETE") {
    TRY_VOID(jobs->remove(id, call.principal->name));
    reply.status = 202;
    return reply;
  }
  TRY(const BulkStatus status, jobs->status(id, call.principal->name));
  if (status.state == BulkStatus::State::failed)
    return fail(ErrorCode::bulk_failed, status.problem, {}, "start it anew");
  if (status.state == BulkStatus::State::running) {
    reply.status = 202;
    reply.headers.set("X-Progress", status.progress);
    reply.headers.set("Retry-After", kRetrySeconds);
    return reply;
  }
  JsonWriter out;
  out.begin_object().member("transactionTime", print_instant(status.transaction_time));
  out.member("request", status.request);
  // Whoever may ask this may fetch the files in the same way.
  out.key("requiresAccessToken").boolean(!call.principal->name.empty());
  write_files(out, "output", call, status, false);
  write_files(out, "deleted", call, status, true);
  out.key("error").begin_array().end_array().end_object();
  reply.body = out.take();
  reply.headers.set("Content-Type", "application/json");
  reply.headers.set("Expires", print_http_date(status.expires));
  return reply;
}

Answer<Reply> run_bulk_file(const Call& call) {
  TRY(BulkJobs * jobs, jobs_of(call));
  const std::string id = parameter_of(call, "job"), name = parameter_of(call, "name");
  TRY(const BulkStatus status, jobs->status(id, call.principal->name));
  const auto file = std::find_if(status.files.begin(), status.files.end(),
                                 [&](const BulkFile& one) { return one.name == name; });
  if (file == status.files.end()) return fail(ErrorCode::fhir_not_found);
  // Rights may have changed since the job was started.
  if (!may_export(call, file->type)) return fail(ErrorCode::fhir_not_allowed);
  Reply reply;
  TRY(reply.body, jobs->file(id, call.principal->name, name));
  reply.headers.set("Content-Type", "application/fhir+ndjson");
  return reply;
}

}  // namespace kiln::fhir::detail
