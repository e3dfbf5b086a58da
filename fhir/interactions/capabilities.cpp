#include <algorithm>
#include <string>
#include <vector>

#include "engine/base/text.h"
#include "fhir/definitions/definitions.h"
#include "fhir/interaction.h"
#include "fhir/resource_text.h"
#include "fhir/search/custom_parameters.h"

namespace kiln::fhir {
namespace {

using base::JsonWriter;

std::string_view search_type_name(ParameterKind kind) {
  switch (kind) {
    case ParameterKind::id:
    case ParameterKind::token:
      return "token";
    case ParameterKind::last_updated:
    case ParameterKind::date:
      return "date";
    case ParameterKind::string:
      return "string";
    case ParameterKind::reference:
      return "reference";
    case ParameterKind::uri:
      return "uri";
    case ParameterKind::number:
      return "number";
    case ParameterKind::quantity:
      return "quantity";
  }
  return "token";
}

/// By TypeDef::index() of a target: "Observation:subject" of every reference parameter that may lead to it.
const std::vector<std::vector<std::string>>& referring_parameters() {
  static const std::vector<std::vector<std::string>> lists = [] {
    std::vector<std::vector<std::string>> made(all_types().size());
    for (const TypeDef& type : all_types()) {
      if (find_resource_type(type.name()) != &type) continue;
      for (const Parameter& parameter : type_parameters(type.name())->all()) {
        if (parameter.kind != ParameterKind::reference || parameter.custom) continue;
        for (const TypeDef& target : parameter.definition->targets())
          made[target.index()].push_back(std::string(type.name()) + ":" + std::string(parameter.code));
      }
    }
    return made;
  }();
  return lists;
}

void write_interactions(JsonWriter& out, bool system) {
  out.key("interaction").begin_array();
  for (const Interaction* interaction : all_interactions()) {
    const bool is_system =
        interaction->shape == PathShape::system || interaction->shape == PathShape::system_history;
    if (interaction->capability.empty() || is_system != system) continue;
    out.begin_object().member("code", interaction->capability).end_object();
  }
  if (system) out.begin_object().member("code", "batch").end_object();
  out.end_array();
}

void write_operations(JsonWriter& out, std::string_view type) {
  bool any = false;
  for (const Interaction* operation : all_operation_files()) {
    const bool for_type = operation->on_type || operation->on_instance;
    const bool fits = type.empty() ? operation->on_system
                                   : for_type && (operation->types.empty() ||
                                                  std::find(operation->types.begin(), operation->types.end(),
                                                            type) != operation->types.end());
    if (!fits || operation->definition.empty()) continue;
    if (!any) out.key("operation").begin_array();
    any = true;
    std::string definition(operation->definition);
    if (const std::size_t at = definition.find("{type}"); at != std::string::npos)
      definition.replace(at, 6, type);
    out.begin_object()
        .member("name", operation->name.substr(1))
        .member("definition", definition)
        .end_object();
  }
  if (any) out.end_array();
}

bool can_search(const Parameter& parameter) {
  return !parameter.custom || (parameter.custom->is_ready && !parameter.custom->is_removed);
}

std::string_view url_of(const Parameter& parameter) {
  if (parameter.custom) return parameter.custom->url;
  return parameter.definition ? parameter.definition->url() : std::string_view();
}

void write_parameter(JsonWriter& out, std::string_view code, std::string_view url, std::string_view type) {
  out.begin_object().member("name", code);
  if (!url.empty()) out.member("definition", url);
  out.member("type", type).end_object();
}

void write_search(JsonWriter& out, const TypeDef& type) {
  const TypeParameters& parameters = *type_parameters(type.name());
  out.key("searchInclude").begin_array();
  for (const Parameter& parameter : parameters.all())
    if (parameter.kind == ParameterKind::reference && can_search(parameter))
      out.string(std::string(type.name()) + ":" + std::string(parameter.code));
  out.string("*").end_array();
  const std::vector<std::string>& referring = referring_parameters()[type.index()];
  if (!referring.empty()) {
    out.key("searchRevInclude").begin_array();
    for (const std::string& one : referring) out.string(one);
    out.end_array();
  }
  out.key("searchParam").begin_array();
  for (const Parameter& parameter : parameters.all())
    if (can_search(parameter)) write_parameter(out, parameter.code, url_of(parameter), search_type_name(parameter.kind));
  for (const CompositeParameter& parameter : parameters.composites())
    write_parameter(out, parameter.code, parameter.definition ? parameter.definition->url() : "", "composite");
  out.end_array();
}

void write_resource(JsonWriter& out, const TypeDef& type, const ServerContext& server) {
  out.begin_object().member("type", type.name());
  out.member("profile", "http://hl7.org/fhir/StructureDefinition/" + std::string(type.name()));
  write_interactions(out, false);
  out.member("versioning", "versioned-update").key("readHistory").boolean(true);
  out.key("updateCreate").boolean(server.update_create);
  out.key("conditionalCreate").boolean(true).member("conditionalRead", "full-support");
  out.key("conditionalUpdate").boolean(true);
  out.member("conditionalDelete", server.conditional_delete_multiple ? "multiple" : "single");
  out.key("referencePolicy").begin_array().string("literal").end_array();
  write_search(out, type);
  write_operations(out, type.name());
  out.end_object();
}

void write_formats(JsonWriter& out) {
  out.key("format").begin_array();
  for (const char* format : {"application/fhir+json", "application/fhir+xml", "json", "xml"})
    out.string(format);
  out.end_array().key("patchFormat").begin_array();
  for (const char* format : {"application/json-patch+json", "application/xml-patch+xml", "application/fhir+json", "application/fhir+xml"})
    out.string(format);
  out.end_array();
}

void write_security(JsonWriter& out, const ServerContext& server) {
  if (server.security.empty()) return;
  out.key("security").begin_object().key("cors").boolean(false);
  if (server.certificates) {
    out.key("service").begin_array().begin_object().key("coding").begin_array().begin_object();
    out.member("system", "http://terminology.hl7.org/CodeSystem/restful-security-service");
    out.member("code", "Certificates").end_object().end_array().end_object().end_array();
  }
  out.member("description", server.security).end_object();
}

Answer<Reply> run(const Call& call) {
  for (const auto& [name, value] : call.query)
    if (name == "mode" && value != "full")
      return base::fail(base::ErrorCode::fhir_not_supported, "mode: only full is supported");
  const ServerContext& server = *call.server;
  JsonWriter out;
  out.begin_object().member("resourceType", "CapabilityStatement").member("status", "active");
  out.member("date", print_instant(server.started)).member("kind", "instance");
  out.key("software")
      .begin_object()
      .member("name", "Kiln")
      .member("version", server.software_version)
      .end_object();
  out.key("implementation")
      .begin_object()
      .member("description", "Kiln FHIR gateway")
      .member("url", server.base_url)
      .end_object();
  out.member("fhirVersion", "4.0.1");
  write_formats(out);
  out.key("rest").begin_array().begin_object().member("mode", "server");
  write_security(out, server);
  out.key("resource").begin_array();
  for (const TypeDef& type : all_types())
    if (find_resource_type(type.name()) == &type) write_resource(out, type, server);
  out.end_array();
  write_interactions(out, true);
  write_operations(out, {});
  out.end_object().end_array().end_object();
  Reply reply;
  reply.body = out.take();
  reply.headers.set("ETag", "W/\"" + base::sha256_hex(reply.body).substr(0, 16) + "\"");
  if (call.headers->get("If-None-Match") == reply.headers.get("ETag")) {
    reply.status = 304;
    reply.body.clear();
  }
  return reply;
}

constexpr InteractionExample kExamples[] = {{"GET /metadata", "what this server can do"}};

}  // namespace

const Interaction& capabilities_spec() {
  static const Interaction spec{.name = "capabilities",
                                .summary = "the CapabilityStatement of this server",
                                .capability = {},
                                .method = "GET",
                                .shape = PathShape::metadata,
                                .examples = kExamples,
                                .run = run};
  return spec;
}

}  // namespace kiln::fhir
