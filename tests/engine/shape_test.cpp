// Bodies of requests against the shapes that the admin API documents.

#include <catch2/catch.hpp>

#include "engine/admin/route.h"
#include "engine/admin/shape.h"

namespace kiln::engine {
namespace {

/// "" or what is wrong, with its place.
std::string wrong(std::string_view shape, const std::string& json) {
  const auto document = base::parse_json(json);
  REQUIRE(document);
  const base::Status checked = check_shape(document->root(), shape);
  return checked ? std::string() : checked.error().place + ": " + checked.error().text;
}

}  // namespace

TEST_CASE("shapes: a value of another type, or of a name that is not there, is refused") {
  constexpr const char* kBody = "{query: string, ids?: [integer], dry_run?: boolean, level?: \"debug\"|\"info\", rate?: number, at?: time, to?: [{name: string}]}";
  CHECK(wrong(kBody, R"({"query":"1","ids":[1,2],"dry_run":true,"level":"info","rate":1.5,"at":"2026-11-23T10:00:00Z","to":[{"name":"x"}]})").empty());
  CHECK(wrong(kBody, "{}").empty());  // who needs a member says so
  CHECK(wrong(kBody, R"({"query":5})") == "query: this must be a text");
  CHECK(wrong(kBody, R"({"dry_run":"true"})") == "dry_run: this must be true or false");
  CHECK(wrong(kBody, R"({"dry_run":1})") == "dry_run: this must be true or false");
  CHECK(wrong(kBody, R"({"dry_run":null})") == "dry_run: this must be true or false");
  CHECK(wrong(kBody, R"({"dryrun":true})") == "dryrun: there is nothing of that name here");
  CHECK(wrong(kBody, R"({"ids":3})") == "ids: this must be a list");
  CHECK(wrong(kBody, R"({"ids":[1,"2"]})") == "ids: this must be a whole number");
  CHECK(wrong(kBody, R"({"ids":[1.5]})") == "ids: this must be a whole number");
  CHECK(wrong(kBody, R"({"level":"loud"})") == "level: this must be one of debug, info");
  CHECK(wrong(kBody, R"({"rate":"1"})") == "rate: this must be a number");
  CHECK(wrong(kBody, R"({"to":[{"name":1}]})") == "to.name: this must be a text");
  CHECK(wrong(kBody, R"({"to":[{"nam":"x"}]})") == "to.nam: there is nothing of that name here");
  CHECK(wrong("{files?: {*: string}, resource?: {resourceType: string, *: any}}", R"({"files":{"a":"b"},"resource":{"resourceType":"Patient","x":[1]}})").empty());
  CHECK(wrong("{files?: {*: string}}", R"({"files":{"a":1}})") == "files.a: this must be a text");
  CHECK(wrong("@Ok", R"({"ok":"yes"})") == "ok: this must be true or false");
  CHECK(wrong("[string]", R"(["a",1])") == "the body: this must be a text");
}

TEST_CASE("shapes: every body of the table can be checked") {
  for (const RouteGroup* group : all_routes())
    for (const RouteSpec& route : group->routes) {
      INFO(route.method << " " << route.path);
      if (*route.body == '\0') continue;
      CHECK(wrong(route.body, "{}").empty());
      if (std::string_view(route.body).find("*: any") == std::string_view::npos) CHECK_FALSE(wrong(route.body, R"({"no such name":1})").empty());
    }
}

}  // namespace kiln::engine
