// The interactions over HTTP values: every status of fhir.md §6, and each OperationOutcome as a golden text.

#include <catch2/catch.hpp>

#include "fhir/interaction.h"
#include "fhir/search/parameters.h"
#include "tests/engine/fhir_fixture.h"
#include "tests/engine/golden.h"

using namespace kiln;
using base::HttpResponse;
using test::FhirServer;
using test::Headers;
using test::Json;

namespace {

const std::string kPatient =
    R"({"resourceType":"Patient","identifier":[{"system":"urn:mrn","value":"7"}],"name":[{"family":"Probe"}]})";

std::string with_id(const std::string& id, const std::string& family = "Probe") {
  return R"({"resourceType":"Patient","id":")" + id + R"(","identifier":[{"system":"urn:mrn","value":")" +
         id + R"("}],"name":[{"family":")" + family + R"("}]})";
}

/// Status line, headers that matter, and the outcome, as text.
std::string shown(const HttpResponse& response) {
  std::string text = std::to_string(response.status) + "\n";
  for (const char* name : {"Allow", "ETag", "Retry-After", "Content-Type"})
    if (response.headers.has(name))
      text += std::string(name) + ": " + std::string(response.headers.get(name)) + "\n";
  if (response.body.empty()) return text;
  return text + base::print_json(Json(response.body).root, true);
}

std::string value_for(std::string_view search_type) {
  if (search_type == "date") return "2024-01-01";
  if (search_type == "number" || search_type == "quantity") return "5";
  return search_type == "reference" ? "x" : "http://x";
}

void check_outcome(const std::string& golden, const HttpResponse& response, int status) {
  CHECK(response.status == status);
  REQUIRE_FALSE(response.body.empty());
  CHECK(Json(response.body)["resourceType"].text() == "OperationOutcome");
  test::check_golden("tests/golden/fhir/" + golden + ".txt", shown(response));
}

}  // namespace

TEST_CASE("create answers 201 with Location, ETag and the resource") {
  FhirServer server;
  const auto created = server.send(
      "POST", "/Patient", R"({"resourceType":"Patient","id":"mine","meta":{"versionId":"9"},"active":true})");
  CHECK(created.status == 201);
  const Json json(created.body);
  const std::string id(json["id"].text());
  CHECK(id != "mine");
  CHECK(id.size() == 26);
  CHECK(created.headers.get("Location") == "http://fhir.test/fhir/Patient/" + id + "/_history/1");
  CHECK(created.headers.get("ETag") == "W/\"1\"");
  CHECK(created.headers.get("Last-Modified") == "Wed, 01 May 2024 10:00:00 GMT");
  CHECK(created.headers.get("Content-Type") == "application/fhir+json; charset=UTF-8");
  CHECK(json["meta"]["versionId"].text() == "1");
  const auto minimal = server.send("POST", "/Patient", kPatient, {{"Prefer", "return=minimal"}});
  CHECK(minimal.status == 201);
  CHECK(minimal.body.empty());
  const auto outcome = server.send("POST", "/Patient", kPatient, {{"Prefer", "return=OperationOutcome"}});
  CHECK(Json(outcome.body)["resourceType"].text() == "OperationOutcome");
}

TEST_CASE("create refuses what is no valid Patient") {
  FhirServer server;
  check_outcome("create_wrong_type",
                server.send("POST", "/Patient",
                            R"({"resourceType":"Observation","status":"final","code":{"text":"x"}})"),
                400);
  check_outcome("create_no_type", server.send("POST", "/Patient", R"({"active":true})"), 400);
  check_outcome("create_syntax", server.send("POST", "/Patient", "{\"resourceType\":\"Patient\",}"), 400);
  check_outcome("create_duplicate_member",
                server.send("POST", "/Patient", R"({"resourceType":"Patient","active":true,"active":false})"),
                400);
  check_outcome("create_empty", server.send("POST", "/Patient", ""), 400);
  check_outcome("create_unknown_element",
                server.send("POST", "/Patient", R"({"resourceType":"Patient","colour":"red"})"), 400);
  check_outcome("create_bad_date",
                server.send("POST", "/Patient", R"({"resourceType":"Patient","birthDate":"1.2.1990"})"), 400);
  CHECK(server.store->counts()->resources.empty());
}

TEST_CASE("conditional create") {
  FhirServer server;
  const Headers criteria = {{"If-None-Exist", "identifier=urn:mrn|7"}};
  const auto first = server.send("POST", "/Patient", kPatient, criteria);
  CHECK(first.status == 201);
  const auto second = server.send("POST", "/Patient", kPatient, criteria);
  CHECK(second.status == 200);
  CHECK(second.headers.get("Location") == first.headers.get("Location"));
  CHECK(server.store->counts()->versions == 1);
  CHECK(server.send("POST", "/Patient", kPatient).status == 201);
  check_outcome("conditional_create_many", server.send("POST", "/Patient", kPatient, criteria), 412);
  check_outcome("conditional_create_unknown",
                server.send("POST", "/Patient", kPatient, {{"If-None-Exist", "colour=red"}}), 400);
  check_outcome("conditional_create_empty",
                server.send("POST", "/Patient", kPatient, {{"If-None-Exist", ""}}), 400);
  check_outcome(
      "conditional_create_result_parameter",
      server.send("POST", "/Patient", kPatient, {{"If-None-Exist", "identifier=urn:mrn|7&_count=1"}}), 400);
}

TEST_CASE("many conditional creates of one group commit make one resource") {
  FhirServer server;
  REQUIRE(server.store->begin());
  int created = 0, found = 0;
  std::string location;
  for (int client = 0; client < 64; ++client) {
    // Half of them alone, half inside a transaction.
    HttpResponse response;
    if (client % 2 == 0) {
      response = server.send("POST", "/Patient", kPatient, {{"If-None-Exist", "identifier=urn:mrn|7"}});
    } else {
      response = server.send(
          "POST", "/",
          R"({"resourceType":"Bundle","type":"transaction","entry":[{"resource":)" + kPatient +
              R"(,"request":{"method":"POST","url":"Patient","ifNoneExist":"identifier=urn:mrn|7"}}]})");
      REQUIRE(response.status == 200);
      const Json json(response.body);
      response.status = json["entry"].at(0)["response"]["status"].text() == "201 Created" ? 201 : 200;
    }
    created += response.status == 201;
    found += response.status == 200;
  }
  REQUIRE(server.store->commit());
  CHECK(created == 1);
  CHECK(found == 63);
  CHECK(server.store->counts()->resources ==
        std::vector<std::pair<std::string, std::int64_t>>{{"Patient", 1}});
}

TEST_CASE("read, vread and deletion") {
  FhirServer server;
  CHECK(server.send("PUT", "/Patient/p", with_id("p")).status == 201);
  CHECK(server.send("PUT", "/Patient/p", with_id("p", "Other")).status == 200);
  const auto read = server.send("GET", "/Patient/p");
  CHECK(read.status == 200);
  CHECK(read.headers.get("ETag") == "W/\"2\"");
  const auto head = server.send("HEAD", "/Patient/p");
  CHECK(head.status == 200);
  CHECK(head.body.empty());
  CHECK(head.headers.get("ETag") == "W/\"2\"");
  CHECK(server.send("GET", "/Patient/p", "", {{"If-None-Match", "W/\"2\""}}).status == 304);
  CHECK(server.send("GET", "/Patient/p", "", {{"If-None-Match", "W/\"1\""}}).status == 200);
  CHECK(
      server.send("GET", "/Patient/p", "", {{"If-Modified-Since", "Wed, 01 May 2024 10:00:00 GMT"}}).status ==
      304);
  CHECK(
      server.send("GET", "/Patient/p", "", {{"If-Modified-Since", "Wed, 01 May 2024 09:59:59 GMT"}}).status ==
      200);
  CHECK(server.send("GET", "/Patient/p/_history/1").status == 200);
  CHECK(Json(server.send("GET", "/Patient/p/_history/1").body)["name"].at(0)["family"].text() == "Probe");
  CHECK(server.send("DELETE", "/Patient/p").status == 204);
  CHECK(server.send("DELETE", "/Patient/p").status == 204);
  CHECK(server.send("DELETE", "/Patient/never").status == 204);
  CHECK(server.send("DELETE", "/Patient/p", "", {{"Prefer", "return=OperationOutcome"}}).status == 200);
  check_outcome("read_deleted", server.send("GET", "/Patient/p"), 410);
  check_outcome("vread_deleted", server.send("GET", "/Patient/p/_history/3"), 410);
  check_outcome("vread_missing", server.send("GET", "/Patient/p/_history/9"), 404);
  check_outcome("read_missing", server.send("GET", "/Patient/q"), 404);
  check_outcome("read_unknown_type", server.send("GET", "/Nonsense/q"), 404);
  check_outcome("unknown_path", server.send("GET", "/Patient/q/r/s"), 404);
  CHECK(server.send("GET", "/Patient/p/_history/1").status == 200);
  CHECK(server.send("PUT", "/Patient/p", with_id("p")).status == 201);
  CHECK(server.send("GET", "/Patient/p").headers.get("ETag") == "W/\"4\"");
}

TEST_CASE("update rules") {
  FhirServer server;
  check_outcome("update_no_id", server.send("PUT", "/Patient/p", kPatient), 400);
  check_outcome("update_other_id", server.send("PUT", "/Patient/p", with_id("q")), 400);
  check_outcome("update_bad_id", server.send("PUT", "/Patient/p_1", with_id("p_1")), 400);
  check_outcome("update_if_match_absent",
                server.send("PUT", "/Patient/p", with_id("p"), {{"If-Match", "W/\"1\""}}), 412);
  CHECK(server.send("PUT", "/Patient/p", with_id("p")).status == 201);
  const auto same = server.send("PUT", "/Patient/p", with_id("p"));
  CHECK(same.status == 200);
  CHECK(same.headers.get("ETag") == "W/\"1\"");
  CHECK(server.send("PUT", "/Patient/p", with_id("p", "New"), {{"If-Match", "W/\"1\""}}).status == 200);
  check_outcome("update_if_match_old",
                server.send("PUT", "/Patient/p", with_id("p", "Newer"), {{"If-Match", "W/\"1\""}}), 412);
  check_outcome("update_if_match_bad",
                server.send("PUT", "/Patient/p", with_id("p", "Newer"), {{"If-Match", "two"}}), 400);
  check_outcome("update_if_none_match",
                server.send("PUT", "/Patient/p", with_id("p", "Newer"), {{"If-None-Match", "*"}}), 412);
  server.context.update_create = false;
  check_outcome("update_create_off", server.send("PUT", "/Patient/new", with_id("new")), 405);
}

TEST_CASE("conditional update") {
  FhirServer server;
  const auto created = server.send("PUT", "/Patient?identifier=urn:mrn|7", kPatient);
  CHECK(created.status == 201);
  const std::string id(Json(created.body)["id"].text());
  const auto updated = server.send(
      "PUT", "/Patient?identifier=urn%3Amrn%7C7",
      R"({"resourceType":"Patient","identifier":[{"system":"urn:mrn","value":"7"}],"active":true})");
  CHECK(updated.status == 200);
  CHECK(updated.headers.get("Location") == "http://fhir.test/fhir/Patient/" + id + "/_history/2");
  CHECK(server.send("PUT", "/Patient?identifier=urn:mrn|chosen", with_id("chosen")).status == 201);
  CHECK(server.send("GET", "/Patient/chosen").status == 200);
  check_outcome("conditional_update_other_id",
                server.send("PUT", "/Patient?identifier=urn:mrn|7", with_id("chosen")), 400);
  check_outcome("conditional_update_taken_id",
                server.send("PUT", "/Patient?identifier=urn:mrn|none", with_id("chosen")), 412);
  server.send("POST", "/Patient", kPatient);
  check_outcome("conditional_update_many", server.send("PUT", "/Patient?identifier=urn:mrn|7", kPatient),
                412);
  check_outcome("conditional_update_no_criteria", server.send("PUT", "/Patient", kPatient), 400);
}

TEST_CASE("conditional delete") {
  FhirServer server;
  server.send("POST", "/Patient", kPatient);
  CHECK(server.send("DELETE", "/Patient?identifier=urn:mrn|none").status == 204);
  CHECK(server.send("DELETE", "/Patient?identifier=urn:mrn|7").status == 204);
  CHECK(server.store->counts()->resources.empty());
  server.send("POST", "/Patient", kPatient);
  server.send("POST", "/Patient", kPatient);
  check_outcome("conditional_delete_many", server.send("DELETE", "/Patient?identifier=urn:mrn|7"), 412);
  check_outcome("conditional_delete_no_criteria", server.send("DELETE", "/Patient"), 400);
  server.context.conditional_delete_multiple = true;
  CHECK(server.send("DELETE", "/Patient?identifier=urn:mrn|7").status == 204);
  CHECK(server.store->counts()->resources.empty());
}

TEST_CASE("formats and methods") {
  FhirServer server;
  server.send("PUT", "/Patient/p", with_id("p"));
  for (const char* accept : {"application/fhir+json", "application/json", "*/*",
                             "application/fhir+xml;q=0.5, application/json;q=0.1", "text/json",
                             "application/fhir+json; fhirVersion=4.0"})
    CHECK(server.send("GET", "/Patient/p", "", {{"Accept", accept}}).status == 200);
  CHECK(server.send("GET", "/Patient/p?_format=json", "", {{"Accept", "application/xml"}}).status == 200);
  CHECK(server.send("GET", "/Patient/p?_format=application/fhir+json").status == 200);
  check_outcome("accept_turtle", server.send("GET", "/Patient/p", "", {{"Accept", "application/fhir+turtle"}}),
                406);
  check_outcome("format_html",
                server.send("GET", "/Patient/p?_format=html", "", {{"Accept", "application/json"}}), 406);
  CHECK(server.send("GET", "/Patient/p", "", {{"Accept", "application/fhir+json; fhirVersion=3.0"}}).status ==
        406);
  CHECK(server.send("GET", "/Patient/p?_format=html").status == 406);
  CHECK(server.send("GET", "/Patient/p", "", {{"Accept", "application/json;q=0"}}).status == 406);
  check_outcome("content_type_text",
                server.send("POST", "/Patient", "<Patient/>", {{"Content-Type", "text/plain"}}), 415);
  check_outcome("content_type_latin1",
                server.send("POST", "/Patient", kPatient,
                            {{"Content-Type", "application/fhir+json; charset=iso-8859-1"}}),
                415);
  CHECK(server.send("POST", "/Patient", kPatient, {{"Content-Type", "application/fhir+json; charset=UTF-8"}})
            .status == 201);
  check_outcome("method_instance", server.send("POST", "/Patient/p", kPatient), 405);
  check_outcome("method_metadata", server.send("DELETE", "/metadata"), 405);
  check_outcome("method_history", server.send("PATCH", "/Patient/p/_history", "{}"), 405);
  const auto pretty = server.send("GET", "/Patient/p?_pretty=true");
  CHECK(pretty.body.find("\n  \"id\": \"p\"") != std::string::npos);
  CHECK(server.send("GET", "/Patient/p", "", {{"X-Request-Id", "r-1"}}).headers.get("X-Request-Id") == "r-1");
  CHECK(server.send("GET", "/Patient/p").headers.get("Vary") == "Accept, Accept-Encoding");
}

TEST_CASE("nothing is allowed without access rules") {
  FhirServer server;
  const fhir::DenyAll deny;
  server.context.access = &deny;
  check_outcome("denied", server.send("GET", "/Patient/p"), 403);
  CHECK(server.send("POST", "/Patient", kPatient).status == 403);
  server.context.access = nullptr;
  CHECK(server.send("GET", "/metadata").status == 403);
  CHECK(server.store->counts()->versions == 0);
}

TEST_CASE("history of an instance, a type and everything") {
  FhirServer server;
  server.send("PUT", "/Patient/p", with_id("p"));
  server.clock.advance(std::chrono::seconds(1));
  server.send("PUT", "/Patient/p", with_id("p", "Other"));
  server.send("DELETE", "/Patient/p");
  server.send("PUT", "/Patient/q", with_id("q"));
  const Json json(server.send("GET", "/Patient/p/_history").body);
  CHECK(json["type"].text() == "history");
  CHECK(json["total"].text() == "3");
  REQUIRE(json["entry"].size() == 3);
  CHECK(json["entry"].at(0)["request"]["method"].text() == "DELETE");
  CHECK_FALSE(json["entry"].at(0)["resource"]);
  CHECK(json["entry"].at(1)["response"]["etag"].text() == "W/\"2\"");
  CHECK(json["entry"].at(2)["resource"]["name"].at(0)["family"].text() == "Probe");
  CHECK(Json(server.send("GET", "/Patient/_history").body)["entry"].size() == 4);
  CHECK(Json(server.send("GET", "/Patient/_history?_since=2024-05-01T10:00:01.123Z").body)["entry"].size() ==
        3);
  CHECK(Json(server.send("GET", "/_history?_since=2024-05-01T10:00:02Z").body)["entry"].size() == 0);
  check_outcome("history_missing", server.send("GET", "/Patient/never/_history"), 404);
  check_outcome("history_since", server.send("GET", "/Patient/_history?_since=2024"), 400);

  std::string target = "/_history?_count=1";
  std::vector<std::string> etags;
  while (!target.empty()) {
    const Json page(server.send("GET", target).body);
    REQUIRE(page["entry"].size() == 1);
    etags.emplace_back(page["entry"].at(0)["response"]["etag"].text());
    target.clear();
    for (const auto link : page["link"])
      if (link["relation"].text() == "next")
        target = std::string(link["url"].text().substr(std::string("http://fhir.test/fhir").size()));
  }
  CHECK(etags == std::vector<std::string>{"W/\"1\"", "W/\"3\"", "W/\"2\"", "W/\"1\""});
}

TEST_CASE("the CapabilityStatement lists what the server does") {
  FhirServer server;
  const auto response = server.send("GET", "/metadata");
  REQUIRE(response.status == 200);
  const Json json(response.body);
  CHECK(json["fhirVersion"].text() == "4.0.1");
  CHECK(json["rest"].at(0)["resource"].size() == 146);
  CHECK(server.send("GET", "/metadata", "", {{"If-None-Match", std::string(response.headers.get("ETag"))}})
            .status == 304);
  CHECK(server.send("GET", "/metadata?mode=terminology").status == 400);
  // Every parameter it lists can be searched by.
  std::size_t searched = 0;
  for (const auto resource : json["rest"].at(0)["resource"]) {
    for (const auto parameter : resource["searchParam"]) {
      const std::string_view type = parameter["type"].text();
      std::string value = value_for(type);
      if (type == "composite") {
        value.clear();
        for (const auto& component : fhir::type_parameters(resource["type"].text())
                                         ->find_composite(parameter["name"].text())
                                         ->components)
          value += (value.empty() ? "" : "$") + value_for(fhir::name_of(component.definition->type()));
      }
      const std::string target = "/" + std::string(resource["type"].text()) + "?" +
                                 std::string(parameter["name"].text()) + "=" + value;
      const auto found = server.send("GET", target, "", {{"Prefer", "handling=strict"}});
      INFO(target << "\n" << found.body);
      REQUIRE(found.status == 200);
      ++searched;
    }
  }
  CHECK(searched > 2'000);
}

TEST_CASE("interactions say whether they write") {
  FhirServer server;
  const auto writes = [&](const char* method, const char* target) {
    base::HttpRequest request;
    request.method = method;
    request.target = std::string("/fhir") + target;
    return fhir::is_write(request, server.context);
  };
  CHECK(writes("POST", "/"));
  CHECK(writes("PUT", "/Patient/p"));
  CHECK(writes("DELETE", "/Patient?identifier=x"));
  CHECK_FALSE(writes("GET", "/Patient/p"));
  CHECK_FALSE(writes("POST", "/Patient/_search"));
  CHECK_FALSE(writes("PUT", "/metadata"));
  for (const fhir::Interaction* interaction : fhir::all_interactions()) {
    CHECK_FALSE(interaction->summary.empty());
    CHECK_FALSE(interaction->examples.empty());
  }
}
