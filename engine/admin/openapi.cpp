// The OpenAPI document, made from the table of routes.

#include <map>

#include "engine/admin/route.h"
#include "engine/admin/shape.h"
#include "engine/base/text.h"
#include "engine/version.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;

void write_parameters(base::JsonWriter& json, const RouteSpec& route) {
  json.key("parameters").begin_array();
  for (std::string_view step : base::split(route.path, '/')) {
    if (!step.starts_with('{')) continue;
    step = step.substr(1, step.size() - 2);
    if (step.ends_with("...")) step.remove_suffix(3);
    json.begin_object().member("name", step).member("in", "path").key("required").boolean(true);
    json.key("schema").begin_object().member("type", "string").end_object().end_object();
  }
  for (const ParameterSpec& one : route.parameters) {
    json.begin_object().member("name", one.name).member("in", "query").member("description", one.summary);
    json.key("required").boolean(one.required).key("schema");
    write_schema(json, one.type);
    json.end_object();
  }
  json.end_array();
}

void write_content(base::JsonWriter& json, const char* media, const char* shape) {
  json.key("content").begin_object().key(media).begin_object();
  if (*shape != '\0') {
    json.key("schema");
    write_schema(json, shape);
  }
  json.end_object().end_object();
}

/// Errors by status: those of the table's row and those that any route of its kind may give.
std::map<int, std::string> errors_of(const RouteSpec& route) {
  std::vector<ErrorCode> codes(route.errors.begin(), route.errors.end());
  if (route.right != AdminRight::anybody)
    codes.insert(codes.end(), {ErrorCode::login_needed, ErrorCode::right_missing});
  if (std::string_view(route.method) != "GET") codes.push_back(ErrorCode::csrf_refused);
  if (*route.body != '\0') codes.push_back(ErrorCode::json_syntax);
  if (!route.parameters.empty() || *route.body != '\0') codes.push_back(ErrorCode::bad_value);
  if (route.recorded == Recorded::before) codes.push_back(ErrorCode::audit_failed);
  codes.push_back(ErrorCode::origin_refused);
  std::map<int, std::string> out;
  for (const ErrorCode code : codes) {
    const base::ErrorInfo& info = base::error_info(code);
    std::string& text = out[info.http_status];
    if (text.find(info.code) == std::string::npos)
      text += (text.empty() ? "" : "; ") + std::string(info.code) + ": " + info.text;
  }
  return out;
}

void write_operation(base::JsonWriter& json, const RouteGroup& group, const RouteSpec& route) {
  json.key(base::lower_ascii(route.method)).begin_object();
  json.key("tags").begin_array().string(group.name).end_array();
  json.member("summary", route.summary).member("x-right", name_of(route.right));
  if (route.also != AdminRight::anybody) json.member("x-right-also", name_of(route.also));
  if (*route.action != '\0') json.member("x-audit", route.action);
  write_parameters(json, route);
  if (*route.body != '\0') {
    json.key("requestBody").begin_object().key("required").boolean(true);
    write_content(json, "application/json", route.body);
    json.end_object();
  }
  json.key("responses").begin_object().key("200").begin_object().member("description", route.summary);
  write_content(json, route.media, route.answer);
  json.end_object();
  for (const auto& [status, text] : errors_of(route)) {
    json.key(std::to_string(status)).begin_object().member("description", text);
    write_content(json, "application/json", "@Error");
    json.end_object();
  }
  json.end_object().end_object();
}

}  // namespace

std::string print_openapi() {
  std::map<std::string, std::vector<std::pair<const RouteGroup*, const RouteSpec*>>> paths;
  for (const RouteGroup* group : all_routes())
    for (const RouteSpec& route : group->routes) {
      std::string path = route.path;
      if (const auto dots = path.find("...}"); dots != std::string::npos) path.erase(dots, 3);
      paths[path].emplace_back(group, &route);
    }
  base::JsonWriter json;
  json.begin_object().member("openapi", "3.1.0").key("info").begin_object();
  json.member("title", "Kiln admin API").member("version", kVersion).end_object();
  json.key("servers").begin_array().begin_object().member("url", "/api/v1").end_object().end_array();
  json.key("tags").begin_array();
  for (const RouteGroup* group : all_routes())
    json.begin_object().member("name", group->name).member("description", group->summary).end_object();
  json.end_array().key("paths").begin_object();
  for (const auto& [path, routes] : paths) {
    json.key(path).begin_object();
    for (const auto& [group, route] : routes) write_operation(json, *group, *route);
    json.end_object();
  }
  json.end_object().key("components").begin_object().key("schemas").begin_object();
  for (const NamedShape& one : named_shapes()) {
    json.key(one.name);
    write_schema(json, one.shape);
  }
  json.end_object().key("securitySchemes").begin_object();
  json.key("session")
      .begin_object()
      .member("type", "apiKey")
      .member("in", "cookie")
      .member("name", "kiln_session")
      .end_object();
  json.key("token").begin_object().member("type", "http").member("scheme", "bearer").end_object();
  return json.end_object().end_object().end_object().take();
}

}  // namespace kiln::engine
