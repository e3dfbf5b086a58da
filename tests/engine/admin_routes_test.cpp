// The table of routes: complete, reachable only through itself, and the rights of every role on every route.

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "engine/admin/route.h"
#include "engine/admin/shape.h"
#include "engine/base/text.h"

namespace kiln::engine {
namespace {

std::vector<const RouteSpec*> every_route() {
  std::vector<const RouteSpec*> out;
  for (const RouteGroup* group : all_routes())
    for (const RouteSpec& route : group->routes) out.push_back(&route);
  return out;
}

/// An address of the route: "x" for each name.
std::string example_of(const RouteSpec& route) {
  std::string out;
  for (const std::string_view step : base::split(std::string_view(route.path).substr(1), '/'))
    out += step.starts_with('{') ? "/x" : "/" + std::string(step);
  return out;
}

bool is_shape(const char* shape) {
  base::JsonWriter json;
  return write_schema(json, shape) && base::parse_json(json.str()).has_value();
}

}  // namespace

TEST_CASE("every route says what it needs, takes and answers") {
  const auto routes = every_route();
  REQUIRE(routes.size() > 40);
  std::set<std::string> seen;
  for (const RouteSpec* route : routes) {
    INFO(route->method << " " << route->path);
    CHECK(seen.insert(std::string(route->method) + route->path).second);
    CHECK(std::string_view(route->summary).size() > 3);
    CHECK((route->run != nullptr) != (route->task != nullptr));
    if (*route->body != '\0') CHECK(is_shape(route->body));
    if (std::string_view(route->media) == "application/json") {
      CHECK(is_shape(route->answer));
    } else {
      CHECK(*route->answer == '\0');
    }
    for (const ParameterSpec& one : route->parameters) CHECK(is_shape(one.type));
    // What changes something, or shows content, is on record; content not without.
    const bool changes = std::string_view(route->method) != "GET";
    const bool shows = route->right == AdminRight::phi_view || route->also == AdminRight::phi_view;
    if (changes && route->right != AdminRight::anybody && route->right != AdminRight::configure)
      CHECK(route->recorded != Recorded::never);
    if (shows && !changes) CHECK(route->recorded == Recorded::before);
    CHECK((route->recorded == Recorded::never) == (*route->action == '\0'));
  }
  for (const NamedShape& one : named_shapes()) CHECK(is_shape(one.shape));
}

TEST_CASE("an address leads to its own route, other methods are named, others lead nowhere") {
  std::map<std::string, std::set<std::string>> methods;
  for (const RouteSpec* route : every_route()) methods[example_of(*route)].insert(route->method);
  for (const RouteSpec* route : every_route()) {
    const std::string address = example_of(*route);
    INFO(route->method << " " << address);
    CHECK(find_route(route->method, address).route == route);
    for (const char* other : {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"}) {
      if (methods[address].contains(other)) continue;
      const RouteMatch match = find_route(other, address);
      CHECK(match.route == nullptr);
      CHECK(!match.allow.empty());
    }
  }
  for (const char* address :
       {"", "/", "/nothing", "/messages/1/2/3/4/5/6/7", "/messages/", "/messages/..", "/messages/%2e%2e",
        "/messages//raw", "//status", "/status/", "/STATUS", "/users/%00", "/messages/1/raw/x"}) {
    INFO(address);
    const RouteMatch match = find_route("GET", address);
    const bool named = match.route != nullptr && std::string(address) == "/users/%00";
    CHECK((match.route == nullptr || named));
  }
}

TEST_CASE("the OpenAPI document lists every route and documents its errors") {
  const auto document = base::parse_json(print_openapi());
  REQUIRE(document);
  for (const RouteSpec* route : every_route()) {
    std::string path = route->path;
    if (const auto dots = path.find("...}"); dots != std::string::npos) path.erase(dots, 3);
    INFO(route->method << " " << path);
    const auto operation = document->root()["paths"][path][base::lower_ascii(route->method)];
    REQUIRE(operation);
    CHECK(operation["x-right"].text() == name_of(route->right));
    CHECK(operation["responses"]["200"]);
    CHECK(operation["responses"]["403"]);
    if (route->right != AdminRight::anybody) CHECK(operation["responses"]["401"]);
    if (*route->body != '\0')
      CHECK(operation["requestBody"]["content"]["application/json"]["schema"]["type"].text() == "object");
  }
}

TEST_CASE("what each role may do") {
  // The table of security.md §4, by hand: the routes must not be the judge of themselves.
  const std::map<std::string, std::string> expected = {
      {"viewer", "view"},
      {"operator", "view operate replay"},
      {"developer", "view configure"},
      {"auditor", "view audit"},
      {"admin", "view operate configure admin"},
      {"owner", "view phi.view operate replay configure audit admin"}};
  REQUIRE(admin_roles().size() == expected.size());
  for (const AdminRole& role : admin_roles()) {
    std::string rights;
    for (const std::string_view right : role.rights.names())
      rights += (rights.empty() ? "" : " ") + std::string(right);
    CHECK(rights == expected.at(role.name));
  }
  Account account;
  for (const auto& [role, may] : std::map<std::string, bool>{
           {"viewer", false}, {"operator", true}, {"developer", true}, {"auditor", false}, {"admin", true}}) {
    account.role = role;
    account.phi_view = true;
    CHECK(account.rights().has(AdminRight::phi_view) == may);
    account.phi_view = false;
    CHECK(!account.rights().has(AdminRight::phi_view));
    account.disabled = true;
    CHECK(account.rights().bits() == 0);
    account.disabled = false;
  }
}

TEST_CASE("a text that is no shape is none") {
  for (const char* text : {"", "{", "{a}", "{a: }", "[string", "strin", "@Nothing", "{a: string,}x", "\"a",
                           "{a: string} {b: string}"}) {
    INFO(text);
    CHECK(!is_shape(text));
  }
  CHECK(is_shape("{a: [string], b?: \"x\"|\"y\", c: {*: integer}, d: @Ok}"));
}

}  // namespace kiln::engine
