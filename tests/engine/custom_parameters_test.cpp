// Search parameters that are added to a running server: indexed in the background, durable, removable.

#include <catch2/catch.hpp>

#include "engine/base/sql/sqlite.h"
#include "fhir/search/parameters.h"
#include "tests/engine/fhir_fixture.h"

using namespace kiln;
using test::FhirServer;
using test::Json;

namespace {

std::string parameter_of(const std::string& code, const std::string& type, const std::string& expression,
                         const std::string& base = "Patient", const std::string& status = "active") {
  return R"({"resourceType":"SearchParameter","id":")" + code + R"(","url":"http://example.org/)" + code +
         R"(","name":"P","status":")" + status + R"(","description":"x","code":")" + code + R"(","base":[")" +
         base + R"("],"type":")" + type + R"(","expression":")" + expression + R"("})";
}

/// What the server does after a commit that wrote a SearchParameter.
void take_in(FhirServer& server) {
  if (server.store->take_parameters_changed()) REQUIRE(server.store->load_parameters());
}

/// One step of the background work; false when nothing is left.
bool step(FhirServer& server) {
  REQUIRE(server.store->begin());
  const auto more = server.store->reindex_step();
  REQUIRE(more);
  REQUIRE(server.store->commit());
  server.store->reindex_committed();
  return *more;
}

int add(FhirServer& server, const std::string& code, const std::string& type, const std::string& expression) {
  const int status =
      server.send("PUT", "/SearchParameter/" + code, parameter_of(code, type, expression)).status;
  take_in(server);
  return status;
}

std::string ids(FhirServer& server, const std::string& target) {
  const auto response = server.send("GET", target, "", {{"Prefer", "handling=strict"}});
  if (response.status != 200) return std::to_string(response.status);
  const Json bundle(response.body);
  std::string text;
  for (const auto entry : bundle["entry"]) text += std::string(entry["resource"]["id"].text()) + " ";
  return text;
}

void put_patient(FhirServer& server, const std::string& id, const std::string& members) {
  REQUIRE(
      server.send("PUT", "/Patient/" + id, R"({"resourceType":"Patient","id":")" + id + "\"," + members + "}")
          .status < 300);
}

std::int64_t rows(FhirServer& server, const std::string& table, const std::string& code) {
  auto database = base::Database::open({.path = server.options.path, .read_only = true});
  REQUIRE(database);
  auto select =
      database->prepare("SELECT count(*) FROM " + table + " x JOIN param p ON p.id=x.param WHERE p.code=?");
  REQUIRE(select);
  select->bind(1, code);
  REQUIRE(*select->step());
  return select->integer(0);
}

}  // namespace

TEST_CASE("custom parameters: old resources are indexed in steps, and only then it can be searched by",
          "[fhir][custom]") {
  FhirServer server;
  for (int i = 0; i < 450; ++i)
    put_patient(server, "p" + std::to_string(i),
                R"("maritalStatus":{"coding":[{"system":"urn:m","code":")" +
                    std::string(i % 100 == 0 ? "S" : "M") + "\"}]}");
  REQUIRE(add(server, "t1-marital", "token", "Patient.maritalStatus") == 201);
  CHECK(ids(server, "/Patient?t1-marital=S") == "400");
  CHECK(server.send("GET", "/Patient?t1-marital=S", "", {{"Prefer", "handling=strict"}})
            .body.find("still being indexed") != std::string::npos);
  const Json lenient(server.send("GET", "/Patient?t1-marital=S&_summary=count").body);
  CHECK(lenient["total"].text() == "450");
  CHECK(server.send("DELETE", "/Patient?t1-marital=S").status == 400);
  // A write meanwhile has its rows, in front of the position of the index and behind it.
  put_patient(server, "new", R"("maritalStatus":{"coding":[{"code":"S"}]})");
  CHECK(step(server));
  put_patient(server, "p1", R"("maritalStatus":{"coding":[{"code":"S"}]})");
  put_patient(server, "p449", R"("maritalStatus":{"coding":[{"code":"S"}]})");
  CHECK(server.send("DELETE", "/Patient/p400").status == 204);
  const auto state = server.store->parameters_state();
  REQUIRE(state);
  REQUIRE(state->size() == 1);
  CHECK_FALSE(state->front().ready);
  CHECK(state->front().done == 200);
  CHECK(state->front().last == 451);
  // The position is durable.
  server.open();
  CHECK(ids(server, "/Patient?t1-marital=S") == "400");
  CHECK(server.store->has_pending_parameters());
  while (step(server)) {
  }
  CHECK(ids(server, "/Patient?t1-marital=S") == "p0 p1 p100 p200 p300 p449 new ");
  CHECK(ids(server, "/Patient?t1-marital=urn:m%7CS") == "p0 p100 p200 p300 ");
  CHECK(ids(server, "/Patient?t1-marital:not=M&_summary=count") == "");
  CHECK(server.send("GET", "/metadata").body.find("t1-marital") != std::string::npos);
  server.open();
  CHECK(ids(server, "/Patient?t1-marital=urn:m%7CS&_sort=-t1-marital") == "p300 p200 p100 p0 ");
}

TEST_CASE("custom parameters: what is removed leaves no rows, what is changed is indexed anew",
          "[fhir][custom]") {
  FhirServer server;
  put_patient(server, "a", R"("name":[{"given":["Anna"]}],"language":"de")");
  REQUIRE(add(server, "t2-x", "string", "Patient.name.given") == 201);
  while (step(server)) {
  }
  CHECK(ids(server, "/Patient?t2-x=ann") == "a ");
  CHECK(rows(server, "ix_string", "t2-x") == 1);
  REQUIRE(add(server, "t2-x", "token", "Patient.language") == 200);
  CHECK(rows(server, "ix_string", "t2-x") == 0);
  CHECK(ids(server, "/Patient?t2-x=de") == "400");
  while (step(server)) {
  }
  CHECK(ids(server, "/Patient?t2-x=de") == "a ");
  CHECK(rows(server, "ix_token", "t2-x") == 1);
  const std::string retired = parameter_of("t2-x", "token", "Patient.language", "Patient", "retired");
  REQUIRE(server.send("PUT", "/SearchParameter/t2-x", retired).status == 200);
  take_in(server);
  CHECK(rows(server, "ix_token", "t2-x") == 0);
  CHECK(ids(server, "/Patient?t2-x=de") == "400");
  put_patient(server, "b", R"("language":"de")");
  CHECK(rows(server, "ix_token", "t2-x") == 0);
  REQUIRE(add(server, "t2-x", "token", "Patient.language") == 200);
  while (step(server)) {
  }
  CHECK(ids(server, "/Patient?t2-x=de") == "a b ");
  REQUIRE(server.send("DELETE", "/SearchParameter/t2-x").status == 204);
  take_in(server);
  CHECK(rows(server, "ix_token", "t2-x") == 0);
}

TEST_CASE("custom parameters: any FHIRPath expression that gives values of the type", "[fhir][custom]") {
  FhirServer server;
  put_patient(server, "a", R"("name":[{"family":"Kern","given":["Anna","Maria"]}],"birthDate":"1980-02-03")");
  put_patient(server, "b", R"("name":[{"family":"Berg","given":["Ben"]}],"birthDate":"1990")");
  // Outside the small subset that needs no FHIRPath.
  REQUIRE(add(server, "t3-last", "string", "Patient.name.given.last()") == 201);
  REQUIRE(add(server, "t3-many", "token", "Patient.name.given.count() > 1") == 201);
  while (step(server)) {
  }
  CHECK(ids(server, "/Patient?t3-last=mar") == "a ");
  CHECK(ids(server, "/Patient?t3-last=anna") == "");
  CHECK(ids(server, "/Patient?t3-many=true") == "a ");
  put_patient(server, "c", R"("name":[{"given":["X","Maria"]}])");
  CHECK(ids(server, "/Patient?t3-last=mar") == "a c ");
}

TEST_CASE("custom parameters: what cannot be indexed is refused, what R4 has stays", "[fhir][custom]") {
  FhirServer server;
  const auto post = [&](const std::string& body) {
    return server.send("POST", "/SearchParameter", body).status;
  };
  CHECK(post(parameter_of("t4-a", "token", "Patient.where(")) == 422);
  CHECK(post(parameter_of("t4-a", "token", "Patient.nosuch()")) == 422);
  CHECK(post(parameter_of("t4-a", "composite", "Patient.name")) == 422);
  CHECK(post(parameter_of("_t4", "token", "Patient.gender")) == 422);
  CHECK(post(parameter_of("t4-a", "token", "")) >= 400);
  CHECK(post(parameter_of("t4-a", "token", "Patient.where(", "Patient", "draft")) == 201);
  CHECK(post(parameter_of("gender", "token", "Patient.name")) == 201);
  take_in(server);
  CHECK_FALSE(server.store->has_pending_parameters());
  put_patient(server, "a", R"("gender":"male")");
  CHECK(ids(server, "/Patient?gender=male") == "a ");
}
