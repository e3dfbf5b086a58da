// Search: forms of values on the API, and SQL against a naive evaluator on generated resources and queries.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <set>

#include "fhir/search/query.h"
#include "tests/engine/fhir_fixture.h"

using namespace kiln;
using test::FhirServer;
using test::Json;

namespace {

std::string ids_of(const Json& bundle) {
  std::string ids;
  for (const auto entry : bundle["entry"])
    if (entry["search"]["mode"].text() == "match") ids += std::string(entry["resource"]["id"].text()) + " ";
  return ids;
}

std::string search(FhirServer& server, const std::string& target) {
  const auto response = server.send("GET", target, "", {{"Prefer", "handling=strict"}});
  INFO(target << "\n" << response.body);
  REQUIRE(response.status == 200);
  return ids_of(Json(response.body));
}

void put(FhirServer& server, const std::string& type, const std::string& id, const std::string& members) {
  const auto response =
      server.send("PUT", "/" + type + "/" + id,
                  R"({"resourceType":")" + type + R"(","id":")" + id + "\"," + members + "}");
  INFO(response.body);
  REQUIRE(response.status == 201);
}

std::string next_of(const Json& page) {
  for (const auto link : page["link"])
    if (link["relation"].text() == "next")
      return std::string(link["url"].text().substr(std::string("http://fhir.test/fhir").size()));
  return {};
}

}  // namespace

TEST_CASE("token search, all four forms, :not and :missing") {
  FhirServer server;
  put(server, "Patient", "a",
      R"("identifier":[{"system":"urn:x","value":"1"}],"gender":"male","active":true)");
  put(server, "Patient", "b",
      R"("identifier":[{"system":"urn:y","value":"1"}],"gender":"female","telecom":[{"system":"phone","value":"555,1"}])");
  put(server, "Patient", "c", R"("identifier":[{"value":"1"}],"deceasedBoolean":true)");
  CHECK(search(server, "/Patient?identifier=1") == "a b c ");
  CHECK(search(server, "/Patient?identifier=urn:x|1") == "a ");
  CHECK(search(server, "/Patient?identifier=|1") == "c ");
  CHECK(search(server, "/Patient?identifier=urn:y|") == "b ");
  CHECK(search(server, "/Patient?identifier=urn:x|1,urn:y|1") == "a b ");
  CHECK(search(server, "/Patient?identifier=1&gender=female") == "b ");
  CHECK(search(server, "/Patient?gender=http://hl7.org/fhir/administrative-gender|male") == "a ");
  CHECK(search(server, "/Patient?gender:not=male") == "b c ");
  CHECK(search(server, "/Patient?gender:missing=true") == "c ");
  CHECK(search(server, "/Patient?gender:missing=false") == "a b ");
  CHECK(search(server, "/Patient?deceased=true") == "c ");
  CHECK(search(server, "/Patient?active=true") == "a ");
  CHECK(search(server, "/Patient?phone=555%5C,1") == "b ");
  CHECK(search(server, "/Patient?_id=c,a") == "a c ");
  CHECK(search(server, "/Patient?identifier=&gender=male") == "a ");
}

TEST_CASE("string search folds, :exact and :contains do as they say") {
  FhirServer server;
  put(server, "Patient", "a", R"("name":[{"family":"Müller-Østen","given":["Ève","Ann"]}])");
  put(server, "Patient", "b", R"("name":[{"family":"O'Neil"}],"address":[{"city":"Sankt Test"}])");
  CHECK(search(server, "/Patient?name=muller") == "a ");
  CHECK(search(server, "/Patient?family=M%C3%9CLLER%20osten") == "a ");
  CHECK(search(server, "/Patient?given=eve&given=ann") == "a ");
  CHECK(search(server, "/Patient?family=oneil") == "b ");
  CHECK(search(server, "/Patient?family:exact=O'Neil") == "b ");
  CHECK(search(server, "/Patient?family:exact=o'neil").empty());
  CHECK(search(server, "/Patient?family:contains=ost") == "a ");
  CHECK(search(server, "/Patient?family=ost").empty());
  CHECK(search(server, "/Patient?address-city=sankt") == "b ");
}

TEST_CASE("date search by precision, prefixes and open periods") {
  FhirServer server;
  put(server, "Patient", "day", R"("birthDate":"1990-05-10")");
  put(server, "Patient", "year", R"("birthDate":"1990")");
  CHECK(search(server, "/Patient?birthdate=1990") == "day year ");
  CHECK(search(server, "/Patient?birthdate=1990-05") == "day ");
  CHECK(search(server, "/Patient?birthdate=ne1990-05-10") == "year ");
  CHECK(search(server, "/Patient?birthdate=gt1990-05-10") == "year ");
  CHECK(search(server, "/Patient?birthdate=ge1990-05-10") == "day year ");
  CHECK(search(server, "/Patient?birthdate=lt1990-05-10") == "year ");
  CHECK(search(server, "/Patient?birthdate=sa1990-05-09") == "day ");
  CHECK(search(server, "/Patient?birthdate=eb1990-05-11") == "day ");
  CHECK(search(server, "/Patient?birthdate=ge1990-01-01&birthdate=lt1991-01-01") == "day year ");
  const std::string encounter = R"("status":"finished","class":{"code":"AMB"},"period":)";
  put(server, "Encounter", "open", encounter + R"({"start":"2024-01-01T10:00:00Z"})");
  put(server, "Encounter", "shut",
      encounter + R"({"start":"2024-01-01T10:00:00+02:00","end":"2024-01-02T10:00:00+02:00"})");
  CHECK(search(server, "/Encounter?date=gt2030") == "open ");
  CHECK(search(server, "/Encounter?date=2024-01") == "shut ");
  CHECK(search(server, "/Encounter?date=lt2024-01-01T09:00:00Z") == "shut ");
  CHECK(search(server, "/Encounter?date=ge2024-01-01T10:00:00+02:00") == "open shut ");
}

TEST_CASE("reference search in every form") {
  FhirServer server;
  const std::string code = R"("status":"final","code":{"text":"x"},)";
  put(server, "Observation", "a", code + R"("subject":{"reference":"Patient/1"})");
  put(server, "Observation", "b", code + R"("subject":{"reference":"http://fhir.test/fhir/Patient/1"})");
  put(server, "Observation", "c", code + R"("subject":{"reference":"http://other.test/Patient/1"})");
  put(server, "Observation", "d", code + R"("subject":{"reference":"Group/1"})");
  put(server, "Observation", "e", code + R"("subject":{"identifier":{"system":"urn:x","value":"9"}})");
  CHECK(search(server, "/Observation?subject=Patient/1") == "a b ");
  CHECK(search(server, "/Observation?subject=http://fhir.test/fhir/Patient/1") == "a b ");
  CHECK(search(server, "/Observation?subject=http://other.test/Patient/1") == "c ");
  CHECK(search(server, "/Observation?subject=1") == "a b d ");
  CHECK(search(server, "/Observation?subject:Group=1") == "d ");
  CHECK(search(server, "/Observation?patient=1") == "a b ");
  CHECK(search(server, "/Observation?subject:identifier=urn:x|9") == "e ");
  CHECK(search(server, "/Observation?subject:missing=true").empty());
}

TEST_CASE("number and quantity search by implied precision") {
  FhirServer server;
  const std::string code = R"("status":"final","code":{"text":"x"},"valueQuantity":)";
  put(server, "Observation", "a",
      code + R"({"value":99.5,"unit":"mg","system":"http://unitsofmeasure.org","code":"mg"})");
  put(server, "Observation", "b",
      code + R"({"value":100.49,"unit":"mg","system":"http://unitsofmeasure.org","code":"mg"})");
  put(server, "Observation", "c", code + R"({"value":-3e1,"unit":"C"})");
  CHECK(search(server, "/Observation?value-quantity=100") == "a b ");
  CHECK(search(server, "/Observation?value-quantity=100.5") == "b ");
  CHECK(search(server, "/Observation?value-quantity=100.6").empty());
  CHECK(search(server, "/Observation?value-quantity=1e2") == "a b ");
  CHECK(search(server, "/Observation?value-quantity=gt99.5|http://unitsofmeasure.org|mg") == "b ");
  CHECK(search(server, "/Observation?value-quantity=100||mg") == "a b ");
  CHECK(search(server, "/Observation?value-quantity=lt0") == "c ");
  CHECK(search(server, "/Observation?value-quantity=-30||C") == "c ");
}

TEST_CASE("uri search: as it is, :below and :above") {
  FhirServer server;
  const auto value_set = [&](const std::string& id, const std::string& url) {
    put(server, "ValueSet", id, R"("status":"active","url":")" + url + "\"");
  };
  value_set("a", "http://x.test/fhir");
  value_set("b", "http://x.test/fhir/ValueSet/b");
  value_set("c", "http://x.test/fhirish");
  value_set("d", "urn:oid:1.2.3");
  CHECK(search(server, "/ValueSet?url=http://x.test/fhir") == "a ");
  CHECK(search(server, "/ValueSet?url=http://x.test/") == "");
  CHECK(search(server, "/ValueSet?url:below=http://x.test/fhir/") == "b ");
  CHECK(search(server, "/ValueSet?url:below=http://x.test/fhir/ValueSet") == "b ");
  CHECK(search(server, "/ValueSet?url:above=http://x.test/fhir/ValueSet/b/c") == "a b ");
  CHECK(search(server, "/ValueSet?url=urn:oid:1.2.3") == "d ");
  CHECK(search(server, "/ValueSet?url:missing=false") == "a b c d ");
}

TEST_CASE("unknown parameters, modifiers and bad values") {
  FhirServer server;
  put(server, "Patient", "a", R"("gender":"male")");
  CHECK(server.send("GET", "/Patient?colour=red", "", {{"Prefer", "handling=strict"}}).status == 400);
  const Json lenient(server.send("GET", "/Patient?colour=red&gender=male").body);
  CHECK(ids_of(lenient) == "a ");
  CHECK(lenient["total"].text() == "1");
  CHECK(lenient["entry"].at(1)["search"]["mode"].text() == "outcome");
  CHECK(lenient["link"].at(0)["url"].text() == "http://fhir.test/fhir/Patient?gender=male");
  for (const char* query : {"gender:above=x", "name:fuzzy=x", "birthdate=yesterday", "birthdate=xx2000",
                            "gender:missing=maybe", "_count=many", "_sort=colour"})
    CHECK(server.send("GET", std::string("/Patient?") + query).status == 400);
  CHECK(server
            .send("POST", "/Patient/_search?gender=male", "_id=a",
                  {{"Content-Type", "application/x-www-form-urlencoded"}})
            .status == 200);
  CHECK(ids_of(Json(server
                        .send("POST", "/Patient/_search?gender=male", "_id=b",
                              {{"Content-Type", "application/x-www-form-urlencoded"}})
                        .body))
            .empty());
  CHECK(server.send("POST", "/Patient/_search", "{}", {{"Content-Type", "application/json"}}).status == 415);
}

TEST_CASE("paging has no gaps and no doubles while others write; its links cannot be altered") {
  FhirServer server;
  for (int i = 10; i < 35; ++i) put(server, "Patient", "p" + std::to_string(i), R"("gender":"male")");
  for (const char* sort : {"", "&_sort=-_id", "&_sort=_lastUpdated", "&_sort=-_lastUpdated"}) {
    std::string target = std::string("/Patient?gender=male&_count=4") + sort;
    std::vector<std::string> seen;
    std::string totals;
    for (int page = 0; !target.empty(); ++page) {
      const Json json(server.send("GET", target).body);
      REQUIRE(json["entry"].size() <= 4);
      for (const auto entry : json["entry"]) seen.emplace_back(entry["resource"]["id"].text());
      totals = json["total"].text();
      target = next_of(json);
      if (page == 2)
        put(server, "Patient", std::string("extra") + std::to_string(std::strlen(sort)),
            R"("gender":"male","active":true)");
    }
    const std::set<std::string> unique(seen.begin(), seen.end());
    CHECK(unique.size() == seen.size());
    for (int i = 10; i < 35; ++i) CHECK(unique.count("p" + std::to_string(i)) == 1);
  }
  const std::string next = next_of(Json(server.send("GET", "/Patient?gender=male&_count=4").body));
  CHECK(server.send("GET", next).status == 200);
  std::string altered = next;
  altered.back() = altered.back() == 'A' ? 'B' : 'A';
  CHECK(server.send("GET", altered).status == 400);
  CHECK(server.send("GET", "/Patient?gender=female&_count=4" + next.substr(next.find("&_page"))).status ==
        400);
  // An old link is gone, not wrong.
  const std::string older = next_of(Json(server.send("GET", "/_history?_count=4").body));
  server.clock.advance(std::chrono::hours(23));
  CHECK(server.send("GET", next).status == 200);
  server.clock.advance(std::chrono::hours(2));
  const auto expired = server.send("GET", next);
  CHECK(expired.status == 410);
  CHECK(Json(expired.body)["resourceType"].text() == "OperationOutcome");
  CHECK(server.send("GET", older).status == 410);
  CHECK(Json(server.send("GET", "/Patient?gender=male&_count=0").body)["total"].text() == "29");
  CHECK_FALSE(Json(server.send("GET", "/Patient?gender=male&_summary=count").body)["entry"]);
}

TEST_CASE("_lastUpdated by range") {
  FhirServer server;
  put(server, "Patient", "a", R"("gender":"male")");
  server.clock.advance(std::chrono::hours(24));
  put(server, "Patient", "b", R"("gender":"male")");
  CHECK(search(server, "/Patient?_lastUpdated=2024-05-01") == "a ");
  CHECK(search(server, "/Patient?_lastUpdated=gt2024-05-01") == "b ");
  CHECK(search(server, "/Patient?_lastUpdated=ge2024-05-01&gender=male") == "a b ");
  CHECK(search(server, "/Patient?_lastUpdated=lt2024-05-02") == "a ");
  CHECK(search(server, "/Patient?_lastUpdated=ne2024-05-02") == "a ");
  CHECK(search(server, "/Patient?_lastUpdated=le2024-05-02") == "a b ");
}

TEST_CASE("SQL finds what a naive evaluation of the same rows finds") {
  FhirServer server;
  base::SeededRandom random(2024);
  const auto pick = [&](std::initializer_list<const char*> list) {
    return std::string(*(list.begin() + static_cast<std::ptrdiff_t>(random.below(list.size()))));
  };
  const auto* parameters = fhir::type_parameters("Observation");
  REQUIRE(parameters);
  std::vector<std::pair<std::string, fhir::IndexRows>> all;
  REQUIRE(server.store->begin());
  for (int i = 0; i < 150; ++i) {
    std::string text = R"({"resourceType":"Observation","status":")" +
                       pick({"final", "amended", "preliminary"}) + R"(","code":{"coding":[{"system":")" +
                       pick({"urn:a", "urn:b"}) + R"(","code":")" + pick({"1", "2", "3"}) +
                       R"("}]},"subject":{"reference":")" +
                       pick({"Patient/1", "Patient/2", "Group/1", "http://else.test/Patient/1"}) + "\"}";
    if (random.below(3) > 0)
      text += R"(,"effectiveDateTime":")" +
              pick({"2023", "2023-04", "2023-04-05", "2023-04-05T10:00:00Z", "2024-01-01T00:00:00+01:00"}) +
              "\"";
    if (random.below(2) > 0)
      text += R"(,"valueQuantity":{"value":)" + pick({"1", "1.0", "9.99", "10", "-1", "100"}) +
              R"(,"unit":")" + pick({"mg", "g"}) + "\"}";
    else
      text += R"(,"valueString":")" + pick({"Grün", "grau", "Gelb", "blau"}) + "\"";
    const Json json(text + "}");
    const std::string id = "o" + std::to_string(i);
    REQUIRE(server.store->put({"Observation", id, json.root, {}, fhir::WriteMethod::update, "client", true}));
    all.emplace_back(id, fhir::extract_rows(*parameters, json.root, nullptr, "http://fhir.test/fhir"));
  }
  REQUIRE(server.store->commit());
  for (int round = 0; round < 400; ++round) {
    std::string query;
    for (std::uint64_t n = 1 + random.below(3); n > 0; --n) {
      query += query.empty() ? "" : "&";
      switch (random.below(8)) {
        case 0:
          query += "status" + pick({"", ":not"}) + "=" + pick({"final", "amended", "final,amended", "none"});
          break;
        case 1:
          query += "code=" + pick({"urn:a|1", "1", "urn:b|", "|1", "urn:a|1,urn:b|2", "2,3"});
          break;
        case 2:
          query += "subject=" +
                   pick({"Patient/1", "1", "Group/1", "http://else.test/Patient/1", "Patient/1,Group/1"});
          break;
        case 3:
          query += "date=" + pick({"", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"}) +
                   pick({"2023", "2023-04", "2023-04-05", "2023-12-31T23:30:00Z"});
          break;
        case 4:
          query += "value-quantity=" + pick({"", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"}) +
                   pick({"1", "10", "1.0", "-1", "1e2"}) + pick({"", "||mg"});
          break;
        case 5:
          query += "value-string" + pick({"", ":exact", ":contains"}) + "=" +
                   pick({"g", "gr", "Grau", "la", "grün"});
          break;
        case 6:
          query += pick({"date", "value-quantity", "subject", "value-string"}) +
                   ":missing=" + pick({"true", "false"});
          break;
        default:
          query += "_id=" + pick({"o1", "o2,o3", "o149"});
          break;
      }
    }
    auto criteria = fhir::parse_criteria("Observation", query, "http://fhir.test/fhir");
    INFO(query);
    REQUIRE(criteria);
    std::set<std::string> found, expected;
    const auto matches = server.store->find(*criteria, 1000);
    REQUIRE(matches);
    for (const auto& match : *matches) found.insert(match.id);
    for (const auto& [id, rows] : all)
      if (fhir::matches(*criteria, rows, id)) expected.insert(id);
    CHECK(found == expected);
    CHECK(*server.store->count(*criteria, 1000) == static_cast<std::int64_t>(expected.size()));
  }
}
