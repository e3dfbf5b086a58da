// Requests of operators to the functions that do them.

#include <charconv>
#include <vector>

#include "engine/base/json.h"
#include "engine/control.h"
#include "engine/gateway.h"
#include "engine/quarantine.h"

namespace kiln::engine {

using base::ErrorCode;
using base::HttpRequest;
using base::HttpResponse;
using base::Result;
using base::Task;

namespace {

constexpr std::string_view kApi = "/api/v1/";

/// The parts of the path behind /api/v1/.
std::vector<std::string> parts_of(const HttpRequest& request) {
  std::vector<std::string> out;
  std::string_view path = request.path();
  if (!path.starts_with(kApi)) return out;
  path.remove_prefix(kApi.size());
  while (true) {
    const std::size_t slash = path.find('/');
    out.emplace_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return out;
    path.remove_prefix(slash + 1);
  }
}

HttpResponse respond(const Result<std::string>& done) {
  HttpResponse response;
  response.headers.set("Content-Type", "application/json; charset=UTF-8");
  response.headers.set("Cache-Control", "no-store");
  if (done) {
    response.body = *done;
    return response;
  }
  const base::Error& error = done.error();
  base::JsonWriter json;
  json.begin_object().key("error").begin_object().member("code", error.info().code);
  json.member("text", error.text.empty() ? error.info().text : error.text);
  if (!error.place.empty()) json.member("place", error.place);
  if (!error.remedy.empty()) json.member("remedy", error.remedy);
  response.status = error.info().http_status;
  response.body = json.end_object().end_object().take();
  return response;
}

std::string parameter(const HttpRequest& request, std::string_view wanted) {
  for (const auto& [name, value] : base::parse_query(request.query()))
    if (name == wanted) return value;
  return {};
}

std::size_t number(std::string_view text, std::size_t otherwise) {
  std::size_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() ? out : otherwise;
}

QuarantineRequest read_quarantine_request(const std::string& action, const Operator& who,
                                          base::JsonView body) {
  QuarantineRequest out;
  out.action = action;
  out.by = who.name;
  out.reason = who.reason;
  out.query = body["query"].text();
  out.destination = body["destination"].text();
  out.owner = body["owner"].text();
  out.note = body["note"].text();
  out.dry_run = body["dry_run"].boolean();
  out.limit = number(body["limit"].text(), out.limit);
  for (const base::JsonView id : body["ids"]) out.ids.push_back(number(id.text(), 0));
  return out;
}

}  // namespace

bool is_operation(const HttpRequest& request) {
  const std::vector<std::string> parts = parts_of(request);
  if (parts.empty()) return false;
  const bool posts = request.method == "POST";
  if (parts[0] == "channels") return posts ? parts.size() == 3 : parts.size() == 1;
  if (parts[0] == "destinations") return posts && parts.size() == 4;
  if (parts[0] == "quarantine")
    return posts ? parts.size() == 2 : parts.size() == 1 || (parts.size() == 2 && parts[1] == "items");
  if (parts[0] == "config" && parts.size() == 2)
    return posts ? parts[1] == "apply" || parts[1] == "rollback"
                 : parts[1] == "diff" || parts[1] == "history";
  return false;
}

Task<HttpResponse> handle_operation(Gateway* gateway, HttpRequest request) {
  const std::vector<std::string> parts = parts_of(request);
  Operator who;
  base::JsonDocument body;
  if (!request.body.empty()) {
    auto parsed = base::parse_json(request.body);
    if (!parsed) co_return respond(base::fail(parsed.error()));
    body = std::move(*parsed);
    who.reason = body.root()["reason"].text();
    if (!body.root()["by"].text().empty()) who.name = body.root()["by"].text();
  }
  Result<std::string> done = base::fail(ErrorCode::internal);
  if (parts[0] == "channels" && parts.size() == 1) {
    done = list_channels(*gateway);
  } else if (parts[0] == "channels") {
    auto working = control_channel(gateway, parts[1], parts[2], who);
    done = co_await std::move(working);
  } else if (parts[0] == "destinations") {
    auto working = control_destination(gateway, parts[1], parts[2], parts[3], who);
    done = co_await std::move(working);
  } else if (parts[0] == "quarantine" && request.method != "POST") {
    auto working = parts.size() == 1 ? list_quarantine(gateway, parameter(request, "q"))
                                     : list_quarantine_items(gateway, parameter(request, "q"),
                                                             number(parameter(request, "limit"), 50),
                                                             number(parameter(request, "before"), 0));
    done = co_await std::move(working);
  } else if (parts[0] == "quarantine") {
    auto working = change_quarantine(gateway, read_quarantine_request(parts[1], who, body.root()));
    done = co_await std::move(working);
  } else if (parts[1] == "diff") {
    auto working = gateway->reloads().diff();
    done = co_await std::move(working);
  } else if (parts[1] == "history") {
    auto working = gateway->reloads().history();
    done = co_await std::move(working);
  } else {
    ReloadRequest wanted;
    wanted.by = who.name;
    wanted.reason = who.reason;
    wanted.dry_run = body.root()["dry_run"].boolean();
    if (parts[1] == "rollback") {
      wanted.version = body.root()["version"].text();
      if (wanted.version.empty())
        co_return respond(
            base::fail(ErrorCode::bad_value, "which version?", "version", "`kiln history` lists them"));
    }
    auto working = gateway->reloads().reload(std::move(wanted));
    done = co_await std::move(working);
  }
  co_return respond(done);
}

}  // namespace kiln::engine
