// What a request must not be able to do by accident or on purpose: delete everything by a criterion that says
// nothing, delete a version it does not know, nest batches, ask a question that multiplies.

#include <catch2/catch.hpp>

#include "engine/base/text.h"
#include "tests/engine/fhir_fixture.h"

using namespace kiln;
using test::FhirServer;
using test::Json;

namespace {

void put(FhirServer& server, const std::string& type, const std::string& id, const std::string& members) {
  const auto response =
      server.send("PUT", "/" + type + "/" + id,
                  R"({"resourceType":")" + type + R"(","id":")" + id + "\"," + members + "}");
  INFO(response.body);
  REQUIRE(response.status < 300);
}

std::string order(FhirServer& server, const std::string& target) {
  const auto response = server.send("GET", target, "");
  INFO(response.body);
  REQUIRE(response.status == 200);
  const Json bundle(response.body);
  std::string ids;
  for (const auto entry : bundle["entry"]) ids += std::string(entry["resource"]["id"].text()) + " ";
  return ids;
}

}  // namespace

TEST_CASE("fhir: a criterion without letters or digits matches nobody and changes nothing",
          "[fhir][guards]") {
  FhirServer server;
  put(server, "Practitioner", "p", R"("name":[{"family":"Berg"}])");
  for (const char* criterion : {"name=-", "family=%25", "family=_", "family:contains=%25", "name=%20"}) {
    INFO(criterion);
    CHECK(server.send("DELETE", std::string("/Practitioner?") + criterion, "").status == 400);
    CHECK(server.send("GET", std::string("/Practitioner?") + criterion, "", {{"Prefer", "handling=strict"}})
              .status == 400);
  }
  CHECK(server.send("GET", "/Practitioner/p", "").status == 200);
}

TEST_CASE("fhir: If-Match holds for a conditional delete", "[fhir][guards]") {
  FhirServer server;
  put(server, "Patient", "a", R"("identifier":[{"system":"urn:d","value":"y"}])");
  const std::string criteria = "/Patient?identifier=urn:d%7Cy";
  CHECK(server.send("DELETE", criteria, "", {{"If-Match", "W/\"99\""}}).status == 412);
  const std::string entry =
      R"({"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"Patient?identifier=urn:d|y","ifMatch":"W/\"99\""}}]})";
  CHECK(server.send("POST", "/", entry).status == 412);
  CHECK(server.send("GET", "/Patient/a", "").status == 200);
  CHECK(server.send("DELETE", criteria, "", {{"If-Match", "W/\"1\""}}).status == 204);
  CHECK(server.send("GET", "/Patient/a", "").status == 410);
}

TEST_CASE("fhir: a batch holds no batch, however its address is written", "[fhir][guards]") {
  FhirServer server;
  for (const char* url : {"", "/", "//", "?a=b", "/?a=b"}) {
    INFO(url);
    const std::string inner =
        R"({"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Patient","id":"n"},"request":{"method":"PUT","url":"Patient/n"}}]})";
    server.send("POST", "/",
                R"({"resourceType":"Bundle","type":"batch","entry":[{"resource":)" + inner +
                    R"(,"request":{"method":"POST","url":")" + url + R"("}}]})");
    CHECK(server.send("GET", "/Patient/n", "").status == 404);
  }
}

TEST_CASE("fhir: chains that multiply are refused, with what to write instead", "[fhir][guards]") {
  FhirServer server;
  for (const char* target : {"/Provenance?target._has:Provenance:target:target._tag=x",
                             "/Provenance?target._tag=x", "/List?item._has:List:item:_id=x"}) {
    INFO(target);
    const auto response = server.send("GET", target, "", {{"Prefer", "handling=strict"}});
    CHECK(response.status == 400);
    CHECK(response.body.find(":Type") != std::string::npos);
  }
  CHECK(server.send("GET", "/Provenance?target:Patient._tag=x", "", {{"Prefer", "handling=strict"}}).status ==
        200);
}

TEST_CASE("fhir: the expression of an issue is a FHIRPath, and nothing else", "[fhir][guards]") {
  FhirServer server;
  const auto issue = [&](const char* method, const char* target, const std::string& body, const char* type) {
    const auto response = server.send(method, target, body, {{"Content-Type", type}});
    INFO(response.body);
    REQUIRE(response.status >= 400);
    const Json outcome(response.body);
    const auto first = outcome["issue"].at(0);
    return std::string(first["expression"].at(0).text()) + " | " + std::string(first["diagnostics"].text());
  };
  CHECK(issue("POST", "/Patient", R"({"resourceType":"Patient",})", "application/fhir+json") == " | json-syntax; line 1, column 27");
  CHECK(issue("POST", "/Patient", R"(<Patient xmlns="http://hl7.org/fhir"><actie value="true"/></Patient>)", "application/fhir+xml") ==
        "Patient.actie | fhir-unknown-element; line 1, column 38");
  CHECK(issue("PUT", "/Patient/x", R"({"resourceType":"Patient","id":"y"})", "application/fhir+json") == "Patient.id | fhir-invalid");
  put(server, "Basic", "b", R"("code":{"text":"x"})");
  CHECK(issue("PATCH", "/Basic/b", R"([{"op":"remove","path":"/colour"}])", "application/json-patch+json") ==
        " | fhir-patch-failed; operation 1");
}

TEST_CASE("fhir: sorted by id means by id", "[fhir][guards]") {
  FhirServer server;
  for (const char* id : {"b", "a", "c"}) put(server, "Basic", id, R"("code":{"text":"x"})");
  CHECK(order(server, "/Basic?_sort=_id") == "a b c ");
  CHECK(order(server, "/Basic?_sort=-_id") == "c b a ");
}

TEST_CASE("fhir: parameters that are no UTF-8 are refused, wherever they come in", "[fhir][guards]") {
  FhirServer server;
  put(server, "Patient", "a", R"("gender":"male")");
  const auto refused = [](const base::HttpResponse& response) {
    INFO(response.body);
    CHECK(base::is_valid_utf8(response.body));
    CHECK(response.body.find("not UTF-8") != std::string::npos);
  };
  for (const char* query : {"name=%ff%fe", "%ff=x", "colour%c3%28=x"}) {
    refused(server.send("GET", std::string("/Patient?") + query));
    refused(server.send("GET", std::string("/_history?") + query));
    refused(server.send("POST", "/Patient/_search", query, {{"Content-Type", "application/x-www-form-urlencoded"}}));
    refused(server.send("POST", "/Patient", R"({"resourceType":"Patient"})", {{"Content-Type", "application/fhir+json"}, {"If-None-Exist", query}}));
    refused(server.send("DELETE", std::string("/Patient?") + query));
    for (const char* kind : {"batch", "transaction"})
      refused(server.send("POST", "/", std::string(R"({"resourceType":"Bundle","type":")") + kind + R"(","entry":[{"request":{"method":"GET","url":"Patient?)" + query + R"("}}]})"));
  }
  CHECK(server.send("GET", "/Patient?name=M%C3%BCller").status == 200);
}
