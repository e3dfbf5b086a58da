#include "engine/fhir_audit.h"

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "fhir/interaction.h"
#include "fhir/resource_text.h"

namespace kiln::engine {

using base::JsonWriter;
using base::Status;

namespace {

constexpr std::string_view kOrigin = "kiln";
constexpr std::size_t kVersionsAtOnce = 1'000;

void write_coding(JsonWriter& out, std::string_view system, std::string_view code) {
  out.begin_object().member("system", system).member("code", code).end_object();
}

/// C, R, U, D or E (execute) of a restful-interaction code.
std::string_view action_of(std::string_view code) {
  if (code == "create") return "C";
  if (code == "update" || code == "patch") return "U";
  if (code == "delete") return "D";
  if (code == "read" || code == "vread" || code.starts_with("history")) return "R";
  return "E";
}

std::string code_of(const fhir::Interaction& interaction, const fhir::Call& call) {
  if (interaction.name.starts_with('$')) return "operation";
  std::string_view name = interaction.name;
  if (name.starts_with("conditional-")) name.remove_prefix(12);
  if (name == "search") return call.type.empty() ? "search-system" : "search-type";
  if (name == "history")
    return call.type.empty() ? "history-system" : call.id.empty() ? "history-type" : "history-instance";
  return std::string(name);
}

void write_agent(JsonWriter& out, const Actor& actor) {
  out.key("agent").begin_array().begin_object();
  out.key("who").begin_object().member("display",
                                       actor.name.empty() ? std::string_view("not logged in") : actor.name);
  out.end_object().key("requestor").boolean(true);
  if (!actor.address.empty()) {
    out.key("network").begin_object().member("address", actor.address).member("type", "2").end_object();
  }
  out.end_object().end_array();
}

void write_entity(JsonWriter& out, std::string_view reference) {
  out.begin_object().key("what").begin_object().member("reference", reference).end_object().key("type");
  write_coding(out, "http://terminology.hl7.org/CodeSystem/audit-entity-type", "2");
  out.key("role");
  write_coding(out, "http://terminology.hl7.org/CodeSystem/object-role", "4");
  out.end_object();
}

void write_query(JsonWriter& out, std::string_view query) {
  out.begin_object().key("type");
  write_coding(out, "http://terminology.hl7.org/CodeSystem/audit-entity-type", "2");
  out.key("role");
  write_coding(out, "http://terminology.hl7.org/CodeSystem/object-role", "24");
  out.member("query", base::base64_encode(query)).end_object();
}

void write_request_id(JsonWriter& out, std::string_view id) {
  out.begin_object().key("what").begin_object().key("identifier").begin_object();
  out.key("type").begin_object().member("text", "request id").end_object().member("value", id);
  out.end_object().end_object().end_object();
}

}  // namespace

std::optional<AuditedRequest> describe(const base::HttpRequest& request, std::string_view base_path,
                                       int status) {
  std::string_view target = request.target;
  if (!target.starts_with(base_path)) return std::nullopt;
  target.remove_prefix(base_path.size());
  fhir::Call call;
  const auto interaction = fhir::find_interaction(request.method, target, call);
  if (!interaction || call.shape == fhir::PathShape::metadata) return std::nullopt;
  AuditedRequest out;
  out.code = code_of(**interaction, call);
  out.type = call.type;
  out.id = call.id;
  out.query = request.query();
  // The criteria of a POST _search are its body.
  if ((*interaction)->body == fhir::BodyKind::form)
    out.query += (out.query.empty() ? "" : "&") + request.body;
  if (out.code == "operation") out.query.insert(0, call.operation + (out.query.empty() ? "" : "?"));
  out.request_id = request.headers.get("X-Request-Id");
  out.status = status;
  return out;
}

base::Result<std::vector<AuditWriter::Written>> AuditWriter::written_since(fhir::Store& store,
                                                                           std::int64_t seq) {
  std::vector<Written> out;
  for (;;) {
    TRY(const auto versions, store.changes_since(seq, kVersionsAtOnce));
    if (versions.empty()) return out;
    for (const fhir::StoredVersion& one : versions) {
      seq = one.seq;
      if (one.type == "AuditEvent" || one.type == "Provenance") continue;
      out.push_back({one.type + "/" + one.id + "/_history/" + std::to_string(one.vid), one.method});
    }
  }
}

std::string AuditWriter::print_event(const Actor& actor, const AuditedRequest& request,
                                     const std::vector<Written>& written) const {
  JsonWriter out;
  out.begin_object().member("resourceType", "AuditEvent").key("type");
  write_coding(out, "http://terminology.hl7.org/CodeSystem/audit-event-type", "rest");
  out.key("subtype").begin_array();
  write_coding(out, "http://hl7.org/fhir/restful-interaction", request.code);
  out.end_array()
      .member("action", action_of(request.code))
      .member("recorded", fhir::print_instant(clock_.wall()));
  out.member("outcome", request.status < 400 ? "0" : request.status < 500 ? "4" : "8");
  write_agent(out, actor);
  out.key("source").begin_object().key("observer").begin_object().member("display", "Kiln").end_object();
  out.key("type").begin_array();
  write_coding(out, "http://terminology.hl7.org/CodeSystem/security-source-type", "4");
  out.end_array().end_object();
  out.key("entity").begin_array();
  for (const Written& one : written) write_entity(out, one.reference);
  if (written.empty() && !request.id.empty()) write_entity(out, request.type + "/" + request.id);
  if (!request.query.empty())
    write_query(out, (request.type.empty() ? "" : request.type + "?") + request.query);
  if (!request.request_id.empty()) write_request_id(out, request.request_id);
  if (!actor.source.empty()) write_request_id(out, "message " + actor.source);
  out.end_array().end_object();
  return out.take();
}

std::string AuditWriter::print_provenance(const Actor& actor, const std::vector<Written>& written) const {
  JsonWriter out;
  out.begin_object().member("resourceType", "Provenance").key("target").begin_array();
  for (const Written& one : written) out.begin_object().member("reference", one.reference).end_object();
  out.end_array().member("recorded", fhir::print_instant(clock_.wall()));
  out.key("agent").begin_array().begin_object().key("type").begin_object().key("coding").begin_array();
  write_coding(out, "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
               actor.source.empty() ? "author" : "assembler");
  out.end_array().end_object();
  out.key("who").begin_object().member("display",
                                       actor.name.empty() ? std::string_view("not logged in") : actor.name);
  out.end_object().end_object().end_array();
  if (!actor.source.empty()) {
    out.key("entity").begin_array().begin_object().member("role", "source").key("what").begin_object();
    out.key("identifier").begin_object().member("system", "urn:kiln:message").member("value", actor.source);
    out.end_object().end_object().end_object().end_array();
  }
  out.end_object();
  return out.take();
}

Status AuditWriter::put(fhir::Store& store, std::string_view type, const std::string& text) {
  TRY(const base::JsonDocument document, base::parse_json(text));
  const std::string id = ids_.next();
  fhir::Write write;
  write.type = type;
  write.id = id;
  write.resource = document.root();
  write.method = fhir::WriteMethod::create;
  write.origin = kOrigin;
  TRY_VOID(store.put(write));
  return {};
}

Status AuditWriter::note_write(fhir::Store& store, const Actor& actor, const AuditedRequest& request,
                               std::int64_t before) {
  const bool is_channel = !actor.source.empty();
  const bool with_provenance = is_channel ? rules_.channel_provenance : rules_.client_provenance;
  if (!rules_.writes && !with_provenance) return {};
  TRY(const std::vector<Written> written, written_since(store, before));
  if (with_provenance && !written.empty())
    TRY_VOID(put(store, "Provenance", print_provenance(actor, written)));
  if (!rules_.writes || request.type == "AuditEvent" || (is_channel && written.empty())) return {};
  // What failed changed nothing; what was forbidden is worth knowing.
  if (request.status >= 400 && request.status != 403) return {};
  return put(store, "AuditEvent", print_event(actor, request, written));
}

Status AuditWriter::note_read(fhir::Store& store, const Actor& actor, const AuditedRequest& request) {
  return put(store, "AuditEvent", print_event(actor, request, {}));
}

}  // namespace kiln::engine
