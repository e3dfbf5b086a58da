// $everything and the terminology operations.

#include <catch2/catch.hpp>

#include "fhir/interaction.h"
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
  REQUIRE(response.status == 201);
}

std::string ids_of(const base::HttpResponse& response) {
  INFO(response.body);
  REQUIRE(response.status == 200);
  std::string ids;
  const Json bundle(response.body);
  for (const auto entry : bundle["entry"])
    ids += std::string(entry["resource"]["id"].text()) +
           (entry["search"]["mode"].text() == "include" ? "+ " : " ");
  return ids;
}

/// The value[x] of an output parameter.
std::string value_of(const base::HttpResponse& response, std::string_view name) {
  INFO(response.body);
  REQUIRE(response.status == 200);
  const Json parameters(response.body);
  for (const auto parameter : parameters["parameter"]) {
    if (parameter["name"].text() != name) continue;
    for (const auto member : parameter)
      if (member.key().starts_with("value")) return std::string(member.text());
  }
  return {};
}

const std::string kGender = "http://hl7.org/fhir/administrative-gender";
const std::string kGenderSet = "http://hl7.org/fhir/ValueSet/administrative-gender";

}  // namespace

TEST_CASE("$everything of a patient and of an encounter", "[operation]") {
  FhirServer server;
  put(server, "Organization", "org", R"("name":"North")");
  put(server, "Practitioner", "doc", R"("active":true)");
  put(server, "Patient", "p", R"("managingOrganization":{"reference":"Organization/org"})");
  put(server, "Patient", "q", R"("active":true)");
  put(server, "Encounter", "e",
      R"("status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p"})");
  const auto observation = [&](const std::string& id, const std::string& patient, const std::string& date) {
    put(server, "Observation", id,
        R"("status":"final","code":{"text":"x"},"subject":{"reference":"Patient/)" + patient +
            R"("},"encounter":{"reference":"Encounter/e"},"effectiveDateTime":")" + date +
            R"(","performer":[{"reference":"Practitioner/doc"}])");
  };
  observation("o1", "p", "2024-01-01");
  observation("o2", "p", "2024-02-01");
  observation("o3", "q", "2024-02-01");
  CHECK(ids_of(server.send("GET", "/Patient/p/$everything")) == "p e o1 o2 org+ doc+ ");
  CHECK(ids_of(server.send("GET", "/Patient/p/$everything?start=2024-01-15&_type=Observation")) == "o2 ");
  CHECK(ids_of(server.send("GET", "/Patient/p/$everything?end=2024-01-15&_type=Observation,Practitioner")) ==
        "o1 doc+ ");
  CHECK(ids_of(server.send("GET", "/Encounter/e/$everything")) == "e o1 o2 o3 doc+ ");
  CHECK(ids_of(server.send("GET", "/Patient/p/$everything?_since=2030-01-01T00:00:00Z")).empty());
  CHECK(ids_of(server.send(
            "POST", "/Patient/p/$everything",
            R"({"resourceType":"Parameters","parameter":[{"name":"_type","valueCode":"Encounter"}]})")) ==
        "e ");
  std::string all, target = "/Patient/p/$everything?_count=2";
  while (!target.empty()) {
    const auto response = server.send("GET", target);
    all += ids_of(response);
    target.clear();
    const Json page(response.body);
    for (const auto link : page["link"])
      if (link["relation"].text() == "next")
        target = link["url"].text().substr(server.context.base_url.size());
  }
  CHECK(all == "p e org+ o1 o2 doc+ ");
  CHECK(server.send("GET", "/Patient/none/$everything").status == 404);
  CHECK(server.send("GET", "/Observation/o1/$everything").status == 404);
  CHECK(server.send("GET", "/Patient/p/$everything?_type=Nonsense").status == 400);
  CHECK(server.send("GET", "/Patient/p/$everything?colour=red", "", {{"Prefer", "handling=strict"}}).status ==
        400);
  server.send("DELETE", "/Patient/p");
  CHECK(server.send("GET", "/Patient/p/$everything").status == 410);
}

TEST_CASE("$expand of shipped, stored and sent value sets", "[operation]") {
  FhirServer server;
  const Json shipped(server.send("GET", "/ValueSet/$expand?url=" + kGenderSet).body);
  CHECK(shipped["expansion"]["total"].text() == "4");
  CHECK(shipped["expansion"]["contains"].size() == 4);
  const Json page(server.send("GET", "/ValueSet/$expand?url=" + kGenderSet + "&offset=1&count=2").body);
  CHECK(page["expansion"]["contains"].size() == 2);
  CHECK(Json(server.send("GET", "/ValueSet/$expand?url=" + kGenderSet + "&filter=fem")
                 .body)["expansion"]["total"]
            .text() == "1");
  put(server, "CodeSystem", "cs",
      R"("url":"urn:cs","status":"active","content":"complete","concept":[{"code":"a","display":"Alpha","concept":[{"code":"b"}]}])");
  const std::string compose = R"("compose":{"include":[{"system":"urn:cs"}]})";
  put(server, "ValueSet", "vs", R"("url":"urn:vs","status":"active",)" + compose);
  CHECK(Json(server.send("GET", "/ValueSet/vs/$expand").body)["expansion"]["total"].text() == "2");
  CHECK(Json(server.send("GET", "/ValueSet/$expand?url=urn:vs").body)["expansion"]["contains"]
            .at(0)["display"]
            .text() == "Alpha");
  const auto sent =
      server.send("POST", "/ValueSet/$expand",
                  R"({"resourceType":"ValueSet","url":"urn:mine","status":"draft",)" + compose + "}");
  CHECK(Json(sent.body)["expansion"]["total"].text() == "2");
  CHECK(server.send("GET", "/ValueSet/$expand").status == 400);
  CHECK(server.send("GET", "/ValueSet/$expand?url=urn:none").status == 404);
  CHECK(server.send("GET", "/ValueSet/none/$expand").status == 404);
  CHECK(server.send("GET", "/ValueSet/$expand?url=" + kGenderSet + "&count=x").status == 400);
}

TEST_CASE("$subsumes tells which of two codes is above the other, or that it cannot", "[operation]") {
  FhirServer server;
  const std::string system = "urn:invented:animals";
  REQUIRE(server.send("PUT", "/CodeSystem/animals",
                      R"({"resourceType":"CodeSystem","id":"animals","url":")" + system +
                          R"(","status":"active","content":"complete","hierarchyMeaning":"is-a","concept":[{"code":"animal","concept":[)"
                          R"({"code":"dog","concept":[{"code":"poodle"}]},{"code":"cat"}]}]})")
              .status == 201);
  const auto ask = [&](const std::string& a, const std::string& b) {
    return server.send("GET", "/CodeSystem/$subsumes?system=" + system + "&codeA=" + a + "&codeB=" + b);
  };
  CHECK(value_of(ask("animal", "poodle"), "outcome") == "subsumes");
  CHECK(value_of(ask("poodle", "dog"), "outcome") == "subsumed-by");
  CHECK(value_of(ask("dog", "dog"), "outcome") == "equivalent");
  CHECK(value_of(ask("dog", "cat"), "outcome") == "not-subsumed");
  CHECK(ask("dog", "stone").status == 404);
  CHECK(value_of(server.send("GET", "/CodeSystem/animals/$subsumes?codeA=animal&codeB=cat"), "outcome") == "subsumes");
  const auto codings = [&](const std::string& other) {
    return server.send("POST", "/CodeSystem/$subsumes",
                       R"({"resourceType":"Parameters","parameter":[{"name":"codingA","valueCoding":{"system":")" + system +
                           R"(","code":"dog"}},{"name":"codingB","valueCoding":{"system":")" + other + R"(","code":"animal"}}]})");
  };
  CHECK(value_of(codings(system), "outcome") == "subsumed-by");
  CHECK(codings("urn:other").status == 400);
  CHECK(server.send("GET", "/CodeSystem/$subsumes?system=http://loinc.org&codeA=1-8&codeB=2-6").status == 422);  // no false "no"
  CHECK(server.send("GET", "/CodeSystem/$subsumes?codeA=dog&codeB=cat").status == 400);
  CHECK(server.send("GET", "/CodeSystem/$subsumes?system=" + system + "&codeA=dog").status == 400);
}

TEST_CASE("$lookup, $validate-code, $translate", "[operation]") {
  FhirServer server;
  CHECK(value_of(server.send("GET", "/CodeSystem/$lookup?system=" + kGender + "&code=male"), "display") ==
        "Male");
  CHECK(server.send("GET", "/CodeSystem/$lookup?system=" + kGender + "&code=x").status == 404);
  CHECK(server.send("GET", "/CodeSystem/$lookup?system=urn:none&code=x").status == 400);
  CHECK(server.send("GET", "/CodeSystem/$lookup").status == 400);
  const std::string coding =
      R"({"resourceType":"Parameters","parameter":[{"name":"coding","valueCoding":{"system":")" + kGender +
      R"(","code":"female"}}]})";
  CHECK(value_of(server.send("POST", "/CodeSystem/$lookup", coding), "display") == "Female");

  const auto check = [&](const std::string& query) {
    return server.send("GET", "/ValueSet/$validate-code?url=" + kGenderSet + query);
  };
  CHECK(value_of(check("&code=male&system=" + kGender), "result") == "true");
  CHECK(value_of(check("&code=male"), "result") == "true");
  CHECK(value_of(check("&code=x&system=" + kGender), "result") == "false");
  CHECK(value_of(check("&code=male&system=" + kGender + "&display=Woman"), "result") == "false");
  CHECK(server.send("GET", "/ValueSet/$validate-code?url=urn:none&code=x").status == 422);
  CHECK(server.send("GET", "/ValueSet/$validate-code?code=x").status == 400);
  CHECK(value_of(server.send("GET", "/CodeSystem/$validate-code?url=" + kGender + "&code=other"), "result") ==
        "true");
  CHECK(server.send("GET", "/CodeSystem/$validate-code?url=http://loinc.org&code=1").status ==
        422);  // not a false "no"

  put(server, "ConceptMap", "cm",
      R"("url":"urn:cm","status":"active","group":[{"source":"urn:a","target":"urn:b","element":[{"code":"1","target":[{"code":"one","equivalence":"equal"}]}]}])");
  const auto stored = server.send("GET", "/ConceptMap/$translate?url=urn:cm&system=urn:a&code=1");
  CHECK(value_of(stored, "result") == "true");
  CHECK(stored.body.find(R"("code":"one")") != std::string::npos);
  CHECK(value_of(server.send("GET", "/ConceptMap/cm/$translate?system=urn:a&code=1"), "result") == "true");
  CHECK(value_of(server.send("GET", "/ConceptMap/cm/$translate?system=urn:a&code=2"), "result") == "false");
  CHECK(server.send("GET", "/ConceptMap/$translate?url=urn:none&system=urn:a&code=1").status == 404);
}

TEST_CASE("$match by identifiers and demographics, with a score", "[operation]") {
  FhirServer server;
  put(server, "Patient", "same",
      R"("identifier":[{"system":"urn:mrn","value":"7"}],"name":[{"family":"Müller","given":["Eva"]}],"birthDate":"1990-05-10","gender":"female")");
  put(server, "Patient", "near",
      R"("name":[{"family":"Muller","given":["Eva","Ann"]}],"birthDate":"1990-05-11","gender":"female")");
  put(server, "Patient", "twin",
      R"("name":[{"family":"Müller","given":["Eva"]}],"birthDate":"1990-05-10","gender":"female")");
  put(server, "Patient", "other",
      R"("identifier":[{"system":"urn:mrn","value":"7"}],"name":[{"family":"Brandt"}],"birthDate":"1950-01-01","gender":"male")");
  put(server, "Patient", "far", R"("name":[{"family":"Conrad"}],"birthDate":"1990-05-10")");
  const std::string asked =
      R"({"resourceType":"Patient","identifier":[{"system":"urn:mrn","value":"7"}],"name":[{"family":"MULLER","given":["eva"]}],"birthDate":"1990-05-10","gender":"female"})";
  const auto matched = server.send("POST", "/Patient/$match", asked);
  CHECK(ids_of(matched) == "same twin near ");
  const Json bundle(matched.body);
  CHECK(bundle["entry"].at(0)["search"]["score"].text() == "1");
  CHECK(bundle["entry"].at(0)["search"]["extension"].at(0)["valueCode"].text() == "certain");
  CHECK(bundle["entry"].at(1)["search"]["score"].text() == "0.50");
  CHECK(bundle["entry"].at(2)["search"]["extension"].at(0)["valueCode"].text() == "possible");
  const auto wrap = [&](const std::string& more) {
    return R"({"resourceType":"Parameters","parameter":[{"name":"resource","resource":)" + asked + "}," +
           more + "]}";
  };
  CHECK(ids_of(server.send("POST", "/Patient/$match",
                           wrap(R"({"name":"onlyCertainMatches","valueBoolean":true})"))) == "same ");
  CHECK(ids_of(server.send("POST", "/Patient/$match", wrap(R"({"name":"count","valueInteger":2})"))) ==
        "same twin ");
  CHECK(ids_of(server.send("POST", "/Patient/$match",
                           R"({"resourceType":"Patient","name":[{"family":"a,b|c$d\\e","given":["x"]}]})"))
            .empty());
  CHECK(server.send("POST", "/Patient/$match", R"({"resourceType":"Observation"})").status == 400);
  CHECK(server.send("GET", "/Patient/$match").status == 405);
}

TEST_CASE("profiles and invariants are checked on a write when the site says so", "[operation]") {
  FhirServer server;
  const std::string contact = R"({"resourceType":"Patient","contact":[{"gender":"male"}]})";  // pat-1
  CHECK(server.send("POST", "/Patient", contact).status == 201);
  server.context.validate_profiles = true;
  const auto refused = server.send("POST", "/Patient", contact);
  CHECK(refused.status == 422);
  CHECK(refused.body.find("Patient.contact[0]") != std::string::npos);
  CHECK(server.send("POST", "/Patient", R"({"resourceType":"Patient","gender":"x"})").status == 400);
  CHECK(server.send("POST", "/Patient", R"({"resourceType":"Patient","active":true})").status == 201);
  server.context.bundle_entries_max = 1;
  const std::string entry = R"({"request":{"method":"GET","url":"Patient"}})";
  for (const char* type : {"batch", "transaction"})
    CHECK(server
              .send("POST", "/",
                    R"({"resourceType":"Bundle","type":")" + std::string(type) + R"(","entry":[)" + entry +
                        "," + entry + "]}")
              .status == 413);
}

TEST_CASE("$meta-add and $meta-delete change profiles, tags and labels, and nothing else", "[operation]") {
  FhirServer server;
  REQUIRE(server.send("PUT", "/Patient/p", R"({"resourceType":"Patient","id":"p","meta":{"source":"urn:s","tag":[{"system":"urn:t","code":"a","display":"A"}],)"
                                           R"("profile":["urn:p1","urn:p2"],"_profile":[null,{"extension":[{"url":"urn:x","valueString":"2"}]}]},)"
                                           R"("active":true})").status == 201);
  const auto change = [&](const std::string& operation, const std::string& meta, const test::Headers& headers = {}) {
    return server.send("POST", "/Patient/p/" + operation,
                       R"({"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":)" + meta + "}]}", headers);
  };
  const auto text = [&](const std::string& json) {
    const Json parsed(json);
    return base::print_json(parsed["parameter"].at(0)["valueMeta"]["profile"]) + base::print_json(parsed["parameter"].at(0)["valueMeta"]["tag"]);
  };
  const auto added = change("$meta-add", R"({"profile":["urn:p3","urn:p1"],"tag":[{"system":"urn:t","code":"b"},{"system":"urn:t","code":"a"}],)"
                                         R"("security":[{"system":"urn:l","code":"R"}]})");
  INFO(added.body);
  REQUIRE(added.status == 200);
  CHECK(added.headers.get("ETag") == "W/\"2\"");
  CHECK(text(added.body) == R"(["urn:p1","urn:p2","urn:p3"][{"system":"urn:t","code":"a","display":"A"},{"system":"urn:t","code":"b"}])");
  CHECK(server.send("GET", "/Patient?_security=urn:l%7CR&_tag=urn:t%7Cb&_summary=count").body.find("\"total\":1") != std::string::npos);
  const Json stored(server.send("GET", "/Patient/p").body);
  CHECK(base::print_json(stored["meta"]["_profile"]) == R"([null,{"extension":[{"url":"urn:x","valueString":"2"}]},null])");
  CHECK(stored["meta"]["source"].text() == "urn:s");
  CHECK(stored["active"].text() == "true");
  // What is there already is no new version.
  CHECK(change("$meta-add", R"({"tag":[{"system":"urn:t","code":"b"}]})").headers.get("ETag") == "W/\"2\"");
  const auto removed = change("$meta-delete", R"({"profile":["urn:p1"],"tag":[{"system":"urn:t","code":"a"},{"system":"urn:other","code":"b"}]})");
  CHECK(text(removed.body) == R"(["urn:p2","urn:p3"][{"system":"urn:t","code":"b"}])");
  CHECK(base::print_json(Json(server.send("GET", "/Patient/p").body)["meta"]["_profile"]) ==
        R"([{"extension":[{"url":"urn:x","valueString":"2"}]},null])");
  CHECK(server.send("GET", "/Patient?_tag=urn:t%7Ca&_summary=count").body.find("\"total\":0") != std::string::npos);
  CHECK(change("$meta-add", R"({"tag":[{"code":"c"}]})", {{"If-Match", "W/\"1\""}}).status == 412);
  CHECK(change("$meta-add", R"({"tag":"c"})").status == 400);
  CHECK(change("$meta-add", R"({"profile":["not a uri"]})").status == 400);
  CHECK(server.send("POST", "/Patient/p/$meta-add", R"({"resourceType":"Parameters"})").status == 400);
  CHECK(server.send("POST", "/Patient/none/$meta-add", R"({"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{}}]})").status == 404);
  CHECK(server.send("GET", "/Patient/p/$meta-add").status == 405);
  REQUIRE(server.send("DELETE", "/Patient/p").status == 204);
  CHECK(change("$meta-delete", R"({"tag":[{"code":"c"}]})").status == 410);
}

TEST_CASE("the CapabilityStatement lists every operation, and each answers", "[operation]") {
  FhirServer server;
  const Json statement(server.send("GET", "/metadata").body);
  const auto rest = statement["rest"].at(0);
  std::size_t listed = rest["operation"].size();
  for (const auto operation : rest["operation"]) {
    const auto response =
        server.send("POST", "/$" + std::string(operation["name"].text()), R"({"resourceType":"Parameters"})");
    INFO(operation["name"].text() << response.body);
    CHECK(response.status != 404);
  }
  for (const auto resource : rest["resource"]) {
    for (const auto operation : resource["operation"]) {
      ++listed;
      const std::string name(operation["name"].text()), type(resource["type"].text());
      CHECK(operation["definition"].text().find("{") == std::string_view::npos);
      const auto on_type = server.send("POST", "/" + type + "/$" + name, R"({"resourceType":"Parameters"})");
      const auto on_instance =
          server.send("POST", "/" + type + "/none/$" + name, R"({"resourceType":"Parameters"})");
      INFO(type << " " << name);
      // One of the levels is there, whatever it says to an empty request about nothing.
      const bool is_there = on_type.body.find("fhir-unknown-path") == std::string::npos ||
                            on_instance.body.find("fhir-unknown-path") == std::string::npos;
      CHECK(is_there);
    }
  }
  CHECK(listed > 290);
}
