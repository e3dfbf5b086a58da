// Search beyond single values: composites, chains, _has, includes, sorting, lists, compartments, parts,
// totals.

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "tests/engine/fhir_fixture.h"

using namespace kiln;
using test::FhirServer;
using test::Json;

namespace {

const std::string kBase = "http://fhir.test/fhir";

std::string ids_of(const Json& bundle, const char* mode = "match") {
  std::string ids;
  for (const auto entry : bundle["entry"])
    if (entry["search"]["mode"].text() == mode) ids += std::string(entry["resource"]["id"].text()) + " ";
  return ids;
}

Json bundle(FhirServer& server, const std::string& target) {
  const auto response = server.send("GET", target, "", {{"Prefer", "handling=strict"}});
  INFO(target << "\n" << response.body);
  REQUIRE(response.status == 200);
  return Json(response.body);
}

std::string search(FhirServer& server, const std::string& target) {
  return ids_of(bundle(server, target));
}

int status(FhirServer& server, const std::string& target) {
  return server.send("GET", target, "", {{"Prefer", "handling=strict"}}).status;
}

void put(FhirServer& server, const std::string& type, const std::string& id,
         const std::string& members = {}) {
  const auto response = server.send("PUT", "/" + type + "/" + id,
                                    R"({"resourceType":")" + type + R"(","id":")" + id + "\"" +
                                        (members.empty() ? "" : "," + members) + "}");
  INFO(response.body);
  REQUIRE(response.status < 300);
}

std::string link_of(const Json& page, std::string_view relation) {
  for (const auto link : page["link"])
    if (link["relation"].text() == relation) return std::string(link["url"].text().substr(kBase.size()));
  return {};
}

std::string observation(const std::string& code, const std::string& patient, const std::string& more = {}) {
  return R"("status":"final","code":{"coding":[{"system":"urn:c","code":")" + code +
         R"("}]},"subject":{"reference":"Patient/)" + patient + "\"}" + (more.empty() ? "" : "," + more);
}

/// Two practices, three patients, their observations.
void fill(FhirServer& server) {
  put(server, "Organization", "north", R"("name":"North Clinic")");
  put(server, "Organization", "south",
      R"("name":"South Clinic","partOf":{"reference":"Organization/north"})");
  put(server, "Patient", "a",
      R"("gender":"male","birthDate":"1990-05-10","name":[{"family":"Adler"}],"managingOrganization":{"reference":"Organization/north"})");
  put(server, "Patient", "b",
      R"("gender":"female","birthDate":"1985-01-01","name":[{"family":"Brandt"},{"family":"Zorn"}],"managingOrganization":{"reference":"Organization/south"})");
  put(server, "Patient", "c", R"("gender":"female","name":[{"family":"Conrad"}])");
  put(server, "Observation", "o1",
      observation("1", "a", R"("effectiveDateTime":"2024-01-01","valueQuantity":{"value":5})"));
  put(server, "Observation", "o2",
      observation("2", "a", R"("effectiveDateTime":"2024-03-01","valueQuantity":{"value":9})"));
  put(server, "Observation", "o3",
      observation("1", "b", R"("effectiveDateTime":"2024-02-01","valueQuantity":{"value":12})"));
  put(server, "Provenance", "v",
      R"("target":[{"reference":"Observation/o1"}],"recorded":"2024-01-01T00:00:00Z","agent":[{"who":{"reference":"Organization/south"}}])");
}

}  // namespace

TEST_CASE("chained search, typed and untyped, over several steps", "[search]") {
  FhirServer server;
  fill(server);
  CHECK(search(server, "/Observation?subject:Patient.name=adler") == "o1 o2 ");
  CHECK(search(server, "/Observation?patient.name=adler") == "o1 o2 ");
  CHECK(search(server, "/Observation?patient.birthdate=lt1990") == "o3 ");
  CHECK(search(server, "/Observation?patient.gender:not=female") == "o1 o2 ");
  CHECK(search(server, "/Observation?patient.organization.name=south") == "o3 ");
  CHECK(search(server, "/Observation?patient.organization.partof.name=north") == "o3 ");
  CHECK(search(server, "/Observation?patient.name=adler&code=urn:c|1") == "o1 ");
  CHECK(search(server, "/Observation?subject._id=a") == "o1 o2 ");
  CHECK(search(server, "/Patient?organization.name:exact=North%20Clinic") == "a ");
  CHECK(search(server, "/Patient?organization.name:exact=north%20clinic").empty());
  CHECK(search(server, "/Patient?organization.name:contains=clinic") == "a b ");
  // Each chain for itself: two of one path need not be met by one resource; here they are.
  CHECK(search(server, "/Observation?patient.gender=female&patient.birthdate=1985") == "o3 ");
  CHECK(search(server, "/Patient?organization:missing=true") == "c ");
  server.send("DELETE", "/Patient/b");
  CHECK(search(server, "/Observation?patient.birthdate=lt1990").empty());
  for (const char* bad :
       {"subject.name=x", "subject:Nonsense.name=x", "subject:Practitioner.name=x", "patient.colour=x",
        "code.name=x", "patient.organization.partof.partof.partof.name=x", "patient.name:fuzzy=x"}) {
    INFO(bad);
    CHECK(status(server, std::string("/Observation?") + bad) == 400);
  }
  const auto ambiguous = server.send("GET", "/Observation?subject.identifier=x");
  CHECK(ambiguous.status == 400);
  CHECK(ambiguous.body.find("Patient") != std::string::npos);
}

TEST_CASE("_has, nested and chained", "[search]") {
  FhirServer server;
  fill(server);
  CHECK(search(server, "/Patient?_has:Observation:patient:code=urn:c|1") == "a b ");
  CHECK(search(server, "/Patient?_has:Observation:patient:code=urn:c|2") == "a ");
  CHECK(search(server, "/Patient?_has:Observation:patient:code=1&_has:Observation:patient:code=2") == "a ");
  CHECK(search(server, "/Patient?_has:Observation:patient:code=1,2&gender=female") == "b ");
  CHECK(search(server, "/Patient?_has:Observation:patient:_has:Provenance:target:agent=Organization/south") ==
        "a ");
  CHECK(search(server,
               "/Patient?_has:Observation:subject:_has:Provenance:target:agent:Organization.name=south") ==
        "a ");
  CHECK(search(server, "/Organization?_has:Patient:organization:_has:Observation:patient:code=2") ==
        "north ");
  CHECK(search(server, "/Observation?patient._has:Observation:patient:code=2") == "o1 o2 ");
  CHECK(search(server, "/Patient?_has:Observation:patient:date=ge2024-02-01") == "a b ");
  server.send("DELETE", "/Observation/o2");
  CHECK(search(server, "/Patient?_has:Observation:patient:code=2").empty());
  for (const char* bad :
       {"_has:Observation:patient=x", "_has:Nonsense:patient:code=x", "_has:Observation:code:code=x",
        "_has:Observation:patient:colour=x", "_has:Location:organization:name=x"}) {
    INFO(bad);
    CHECK(status(server, std::string("/Patient?") + bad) == 400);
  }
}

TEST_CASE("a composite is met by one element, not by two", "[search]") {
  FhirServer server;
  const auto component = [](const char* code, const char* value) {
    return std::string(R"({"code":{"coding":[{"system":"urn:c","code":")") + code +
           R"("}]},"valueQuantity":{"value":)" + value + R"(,"unit":"mmHg"}})";
  };
  put(server, "Observation", "x",
      observation("bp", "a",
                  R"("component":[)" + component("sys", "120") + "," + component("dia", "80") + "]"));
  put(server, "Observation", "y",
      observation("bp", "a",
                  R"("component":[)" + component("sys", "80") + "," + component("dia", "120") + "]"));
  put(server, "Observation", "z",
      observation("hr", "a", R"("valueQuantity":{"value":80},"effectiveDateTime":"2024-01-05")"));
  CHECK(search(server, "/Observation?component-code-value-quantity=urn:c|sys$gt100") == "x ");
  CHECK(search(server, "/Observation?component-code-value-quantity=sys$120||mmHg") == "x ");
  CHECK(search(server, "/Observation?component-code-value-quantity=dia$gt100,sys$gt100") == "x y ");
  CHECK(search(server, "/Observation?combo-code-value-quantity=hr$80") == "z ");
  CHECK(search(server, "/Observation?code-value-quantity=hr$lt90&date=2024-01") == "z ");
  CHECK(status(server, "/Observation?code-value-quantity=hr") == 400);
  CHECK(status(server, "/Observation?code-value-quantity=hr$x") == 400);
  CHECK(status(server, "/Observation?code-value-quantity:not=hr$1") == 400);
  put(server, "Observation", "z", observation("hr", "a", R"("valueQuantity":{"value":90})"));
  CHECK(search(server, "/Observation?code-value-quantity=hr$80").empty());
  CHECK(search(server, "/Observation?code-value-quantity=hr$90") == "z ");
}

TEST_CASE("modifiers of tokens: :text, :of-type, :in, :not-in, :below, :above", "[search]") {
  FhirServer server;
  put(server, "Patient", "a",
      R"("gender":"male","communication":[{"language":{"coding":[{"code":"de","display":"German"}]}}],"identifier":[{"type":{"coding":[{"system":"urn:t","code":"MR"}],"text":"Record number"},"system":"urn:x","value":"7"}])");
  put(server, "Patient", "b",
      R"("gender":"other","communication":[{"language":{"text":"Low German"}}],"identifier":[{"type":{"coding":[{"system":"urn:t","code":"SS"}]},"value":"7"}])");
  put(server, "Patient", "c");
  CHECK(search(server, "/Patient?language:text=germ") == "a ");
  CHECK(search(server, "/Patient?language:text=low") == "b ");
  CHECK(search(server, "/Patient?language:missing=true") == "c ");
  CHECK(search(server, "/Patient?identifier:text=record") == "a ");
  CHECK(search(server, "/Patient?identifier:of-type=urn:t|MR|7") == "a ");
  CHECK(search(server, "/Patient?identifier:of-type=urn:t|SS|7") == "b ");
  CHECK(search(server, "/Patient?identifier:of-type=urn:t|MR|8").empty());
  CHECK(search(server, "/Patient?identifier=7") == "a b ");
  CHECK(search(server, "/Patient?identifier=urn:t|").empty());
  CHECK(search(server, "/Patient?gender:in=http://hl7.org/fhir/ValueSet/administrative-gender") == "a b ");
  CHECK(search(server, "/Patient?gender:not-in=http://hl7.org/fhir/ValueSet/administrative-gender") == "c ");
  CHECK(search(server, "/Patient?gender:in=http://hl7.org/fhir/ValueSet/days-of-week").empty());
  CHECK(status(server, "/Patient?gender:in=urn:nowhere") == 400);
  CHECK(status(server, "/Patient?identifier:of-type=MR|7") == 400);
  CHECK(status(server, "/Patient?birthdate:text=x") == 400);
  put(server, "AllergyIntolerance", "g",
      R"("patient":{"reference":"Patient/a"},"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"resolved"}]})");
  const std::string system = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical|";
  CHECK(search(server, "/AllergyIntolerance?clinical-status:below=" + system + "inactive") == "g ");
  CHECK(search(server, "/AllergyIntolerance?clinical-status:above=" + system + "resolved") == "g ");
  CHECK(search(server, "/AllergyIntolerance?clinical-status:above=" + system + "inactive").empty());
  CHECK(search(server, "/AllergyIntolerance?clinical-status:below=" + system + "active").empty());
  CHECK(status(server, "/AllergyIntolerance?clinical-status:below=inactive") == 400);
}

TEST_CASE("_include and _revinclude bring each resource once and are not counted", "[search]") {
  FhirServer server;
  fill(server);
  const Json page = bundle(server, "/Observation?code=urn:c|1,urn:c|2&_include=Observation:subject");
  CHECK(ids_of(page) == "o1 o2 o3 ");
  CHECK(ids_of(page, "include") == "a b ");
  CHECK(page["total"].text() == "3");
  for (const auto entry : page["entry"])
    CHECK(entry["fullUrl"].text() == kBase + "/" + std::string(entry["resource"]["resourceType"].text()) +
                                         "/" + std::string(entry["resource"]["id"].text()));
  CHECK(ids_of(bundle(server, "/Observation?_id=o1&_include=Observation:subject:Patient"), "include") ==
        "a ");
  CHECK(ids_of(bundle(server, "/Observation?_id=o1&_include=Observation:subject:Group"), "include").empty());
  CHECK(status(server, "/Observation?_id=o3&_include=Observation:subject&_include=Patient:organization") ==
        400);
  CHECK(ids_of(bundle(server, "/Patient?_id=a&_revinclude=Observation:subject"), "include") == "o1 o2 ");
  CHECK(ids_of(bundle(server,
                      "/Patient?_id=a&_revinclude=Observation:subject&_revinclude:iterate=Provenance:target"),
               "include") == "o1 o2 v ");
  CHECK(ids_of(bundle(server, "/Patient?_revinclude=Observation:patient&_count=1"), "include") == "o1 o2 ");
  for (const char* bad : {"_include=subject", "_include=Observation:colour", "_include=Observation:code",
                          "_include=Nonsense:subject", "_include=Observation:subject:Nonsense",
                          "_include:fuzzy=Observation:subject", "_revinclude=*"}) {
    INFO(bad);
    CHECK(status(server, std::string("/Observation?") + bad) == 400);
  }
}

TEST_CASE("_sort by values, several keys, missing ones last", "[search]") {
  FhirServer server;
  fill(server);
  CHECK(search(server, "/Patient?_sort=birthdate") == "b a c ");
  CHECK(search(server, "/Patient?_sort=-birthdate") == "a b c ");
  CHECK(search(server, "/Patient?_sort=family") == "a b c ");
  CHECK(search(server, "/Patient?_sort=-family") == "b c a ");
  CHECK(search(server, "/Patient?_sort=gender,-family") == "b c a ");
  CHECK(search(server, "/Patient?_sort=-gender,family") == "a b c ");
  CHECK(search(server, "/Observation?_sort=-date&patient=a") == "o2 o1 ");
  CHECK(search(server, "/Observation?_sort=-value-quantity") == "o3 o2 o1 ");
  CHECK(search(server, "/Patient?_sort=-_id") == "c b a ");
  CHECK(search(server, "/Patient?_sort=gender,_lastUpdated") == "b c a ");
  CHECK(status(server, "/Patient?_sort=colour") == 400);
  CHECK(status(server, "/Patient?_sort=a,b,c,d,e") == 400);
  for (int i = 10; i < 32; ++i)
    put(server, "Patient", "p" + std::to_string(i),
        i % 3 == 0 ? "" : R"("birthDate":"19)" + std::to_string(i + 40) + "\"");
  for (const char* sort : {"birthdate", "-birthdate", "gender,-birthdate"}) {
    std::string target = "/Patient?_count=4&_sort=" + std::string(sort), all;
    const std::string whole = search(server, "/Patient?_count=100&_sort=" + std::string(sort));
    for (int page = 0; !target.empty(); ++page) {
      const Json json = bundle(server, target);
      all += ids_of(json);
      target = link_of(json, "next");
      if (page == 1)
        put(server, "Patient", "late" + std::to_string(std::string_view(sort).size()),
            R"("birthDate":"1970")");
    }
    CHECK(all == whole);
  }
}

TEST_CASE("_list, compartments and searches over several types", "[search]") {
  FhirServer server;
  fill(server);
  put(server, "List", "l",
      R"("status":"current","mode":"working","entry":[{"item":{"reference":"Patient/a"}},{"item":{"reference":"Patient/c"}}])");
  CHECK(search(server, "/Patient?_list=l") == "a c ");
  CHECK(search(server, "/Patient?_list=l&gender=female") == "c ");
  CHECK(search(server, "/Patient?_list=none").empty());
  CHECK(status(server, "/Patient?_list=$current-problems") == 400);

  CHECK(search(server, "/Patient/a/Observation") == "o1 o2 ");
  CHECK(search(server, "/Patient/a/Observation?code=2") == "o2 ");
  CHECK(search(server, "/Patient/b/Observation?_sort=-date") == "o3 ");
  CHECK(search(server, "/Patient/a/*") == "o1 o2 ");
  CHECK(status(server, "/Patient/a/Organization") == 404);
  CHECK(status(server, "/Organization/north/Patient") == 404);
  CHECK(link_of(bundle(server, "/Patient/a/Observation?code=2"), "self") == "/Patient/a/Observation?code=2");

  CHECK(search(server, "/?_type=Organization,Patient") == "north south a b c ");
  CHECK(search(server, "/?_type=Patient&gender=female") == "b c ");
  CHECK(status(server, "/?_type=Patient,Observation&gender=female") == 400);
  CHECK(status(server, "/?_type=Nonsense") == 400);
  CHECK(bundle(server, "/?_type=Organization,Patient&_summary=count")["total"].text() == "5");
  std::string all, target = "/?_type=Organization,Patient,Observation&_count=2";
  while (!target.empty()) {
    const Json page = bundle(server, target);
    CHECK(page["entry"].size() <= 2);
    CHECK(page["entry"].size() > 0);
    all += ids_of(page);
    target = link_of(page, "next");
  }
  CHECK(all == "north south a b c o1 o2 o3 ");
  CHECK(bundle(server, "/")["total"].text() == "10");
  const auto posted = server.send("POST", "/_search", "_type=Patient&_id=a",
                                  {{"Content-Type", "application/x-www-form-urlencoded"}});
  CHECK(ids_of(Json(posted.body)) == "a ");
}

TEST_CASE("parts and totals of a search go on to the next pages", "[search]") {
  FhirServer server;
  fill(server);
  const Json page = bundle(server, "/Patient?_count=1&_elements=name&_include=Patient:organization");
  CHECK(page["entry"].at(0)["resource"]["meta"]["tag"].at(0)["code"].text() == "SUBSETTED");
  CHECK_FALSE(page["entry"].at(0)["resource"]["gender"]);
  CHECK_FALSE(page["entry"].at(1)["resource"]["meta"]["tag"]);
  CHECK(link_of(page, "self") == "/Patient?_count=1&_elements=name&_include=Patient%3Aorganization");
  const Json next = bundle(server, link_of(page, "next"));
  CHECK_FALSE(next["entry"].at(0)["resource"]["gender"]);
  CHECK(next["total"].text() == "3");
  CHECK(link_of(next, "first") == link_of(page, "self"));
  CHECK_FALSE(bundle(server, "/Patient?_total=none")["total"]);
  CHECK(bundle(server, "/Patient?_total=accurate")["total"].text() == "3");
  CHECK(status(server, "/Patient?_total=some") == 400);
  CHECK(status(server, "/Patient?_contained=true") == 400);
  CHECK(status(server, "/Patient?_summary=text&_include=Patient:organization") == 400);
}

TEST_CASE("chains in criteria of conditional writes", "[search]") {
  FhirServer server;
  fill(server);
  const std::string body = R"({"resourceType":"Observation",)" + observation("9", "a") + "}";
  CHECK(server.send("POST", "/Observation", body, {{"If-None-Exist", "patient.name=brandt"}}).status == 200);
  CHECK(server.send("POST", "/Observation", body, {{"If-None-Exist", "patient.name=adler"}}).status == 412);
  CHECK(server.send("POST", "/Observation", body, {{"If-None-Exist", "patient.name=nobody"}}).status == 201);
  CHECK(server.send("DELETE", "/Organization?_has:Patient:organization:name=brandt").status == 204);
}
