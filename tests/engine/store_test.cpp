// Contract of fhir::Store, run on the SQLite store.

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "engine/base/sql/sqlite.h"
#include "fhir/search/query.h"
#include "tests/engine/fhir_fixture.h"

using namespace kiln;
using test::FhirServer;
using test::Json;

namespace {

fhir::WriteResult put(fhir::Store& store, const std::string& type, const std::string& id,
                      const std::string& members, std::string_view origin = fhir::kClientOrigin) {
  const Json json("{\"resourceType\":\"" + type + "\"" + (members.empty() ? "" : "," + members) + "}");
  fhir::Write write;
  write.type = type;
  write.id = id;
  write.resource = json.root;
  write.origin = origin;
  auto result = store.put(write);
  REQUIRE(result);
  return *result;
}

std::vector<std::string> find_ids(fhir::Store& store, const std::string& type, const std::string& query) {
  auto criteria = fhir::parse_criteria(type, query, "http://fhir.test/fhir");
  REQUIRE(criteria);
  auto matches = store.find(*criteria, 100);
  REQUIRE(matches);
  std::vector<std::string> ids;
  for (const auto& match : *matches) ids.push_back(match.id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE("a resource comes back with id, version and stamp of the server, numbers and order kept") {
  FhirServer server;
  const auto result = put(
      *server.store, "Observation", "o1",
      R"("id":"other","meta":{"versionId":"9","profile":["http://p"]},"valueQuantity":{"value":1.50},"status":"final")");
  CHECK(result.vid == 1);
  CHECK(result.created);
  auto read = server.store->read("Observation", "o1");
  REQUIRE(read);
  REQUIRE(*read);
  CHECK(
      (*read)->body ==
      R"({"resourceType":"Observation","id":"o1","meta":{"versionId":"1","lastUpdated":"2024-05-01T10:00:00.123Z",)"
      R"("profile":["http://p"]},"valueQuantity":{"value":1.50},"status":"final"})");
  CHECK((*read)->body == result.body);
}

TEST_CASE("versions count up through a deletion and stay readable") {
  FhirServer server;
  put(*server.store, "Patient", "p", R"("active":true)");
  const auto removed = server.store->remove("Patient", "p", "client");
  REQUIRE(removed);
  REQUIRE(*removed);
  CHECK((*removed)->vid == 2);
  CHECK_FALSE(*server.store->remove("Patient", "p", "client"));
  CHECK_FALSE(*server.store->remove("Patient", "never", "client"));
  CHECK((*server.store->read("Patient", "p"))->deleted());
  const auto revived = put(*server.store, "Patient", "p", R"("active":false)");
  CHECK(revived.vid == 3);
  CHECK(revived.created);
  CHECK((*server.store->read_version("Patient", "p", 1))->body.find("true") != std::string::npos);
  CHECK((*server.store->read_version("Patient", "p", 2))->deleted());
  CHECK_FALSE(*server.store->read_version("Patient", "p", 4));
  CHECK(*server.store->version_count("Patient", "p") == 3);
}

TEST_CASE("the same content again makes no version, unless asked for") {
  FhirServer server;
  put(*server.store, "Patient", "p", R"("active":true)");
  const auto same = put(*server.store, "Patient", "p", R"("active":true)");
  CHECK(same.unchanged);
  CHECK(same.vid == 1);
  const Json json(R"({"resourceType":"Patient","active":true})");
  fhir::Write write{"Patient", "p", json.root, {}, fhir::WriteMethod::update, "client", false};
  CHECK(server.store->put(write)->vid == 2);
}

TEST_CASE("index rows follow the current version") {
  FhirServer server;
  auto& store = *server.store;
  put(store, "Patient", "a", R"("identifier":[{"system":"urn:x","value":"1"}],"name":[{"family":"Øster"}])");
  put(store, "Patient", "b",
      R"("identifier":[{"system":"urn:x","value":"2"}],"name":[{"family":"Ostermann"}])");
  CHECK(find_ids(store, "Patient", "identifier=urn:x|1") == Ids{"a"});
  CHECK(find_ids(store, "Patient", "name=oster") == Ids{"a", "b"});
  put(store, "Patient", "a", R"("identifier":[{"system":"urn:x","value":"3"}],"name":[{"family":"Øster"}])");
  CHECK(find_ids(store, "Patient", "identifier=urn:x|1").empty());
  CHECK(find_ids(store, "Patient", "identifier=urn:x|3") == Ids{"a"});
  CHECK(find_ids(store, "Patient", "name=oster") == Ids{"a", "b"});
  REQUIRE(store.remove("Patient", "a", "client"));
  CHECK(find_ids(store, "Patient", "name=oster") == Ids{"b"});
}

TEST_CASE("one failed request of a group leaves nothing, not even a used number") {
  FhirServer server;
  auto& store = *server.store;
  REQUIRE(store.begin());
  REQUIRE(store.savepoint());
  put(store, "Patient", "a", R"("identifier":[{"system":"urn:new","value":"1"}])");
  REQUIRE(store.release());
  REQUIRE(store.savepoint());
  const auto lost =
      put(store, "Organization", "gone", R"("identifier":[{"system":"urn:newer","value":"1"}])");
  REQUIRE(store.rollback_to());
  REQUIRE(store.savepoint());
  const auto kept = put(store, "Organization", "b", R"("identifier":[{"system":"urn:newer","value":"1"}])");
  REQUIRE(store.release());
  REQUIRE(store.commit());
  CHECK(kept.seq == lost.seq);
  CHECK_FALSE(*store.read("Organization", "gone"));
  CHECK(find_ids(store, "Organization", "identifier=urn:newer|1") == Ids{"b"});
  CHECK(find_ids(store, "Patient", "identifier=urn:new|1") == Ids{"a"});
}

TEST_CASE("a transaction of assumed scopes is kept whole or not at all") {
  FhirServer server;
  auto& store = *server.store;
  const auto scoped_put = [&](const char* id, bool keep) {
    REQUIRE(store.savepoint());
    put(store, "Patient", id, R"("active":true)");
    REQUIRE((keep ? store.release() : store.rollback_to()));
  };
  REQUIRE(store.begin(fhir::Store::Scopes::assumed));
  scoped_put("a", true);
  scoped_put("b", true);
  CHECK_FALSE(store.is_spoiled());
  REQUIRE(store.commit());
  REQUIRE(store.begin(fhir::Store::Scopes::assumed));
  scoped_put("c", true);
  scoped_put("d", false);
  CHECK(store.is_spoiled());
  CHECK_FALSE(store.savepoint());
  CHECK_FALSE(store.commit());
  CHECK_FALSE(store.is_spoiled());
  CHECK(*store.read("Patient", "b"));
  CHECK_FALSE(*store.read("Patient", "c"));
  CHECK_FALSE(*store.read("Patient", "d"));
  REQUIRE(store.begin());
  scoped_put("e", true);
  scoped_put("f", false);
  CHECK_FALSE(store.is_spoiled());
  REQUIRE(store.commit());
  CHECK(*store.read("Patient", "e"));
  CHECK_FALSE(*store.read("Patient", "f"));
}

TEST_CASE("a rollback of the group takes everything back") {
  FhirServer server;
  auto& store = *server.store;
  REQUIRE(store.begin());
  put(store, "Patient", "a", R"("identifier":[{"system":"urn:z","value":"1"}])");
  store.rollback();
  CHECK_FALSE(*store.read("Patient", "a"));
  CHECK(put(store, "Patient", "a", R"("identifier":[{"system":"urn:z","value":"1"}])").seq == 1);
  CHECK(find_ids(store, "Patient", "identifier=urn:z|1") == Ids{"a"});
}

TEST_CASE("the change feed is in commit order, with origin, and deletions") {
  FhirServer server;
  auto& store = *server.store;
  put(store, "Patient", "a", "");
  put(store, "Patient", "b", "", fhir::channel_origin("lab"));
  REQUIRE(store.remove("Patient", "a", "client"));
  auto changes = store.changes_since(0, 10);
  REQUIRE(changes);
  REQUIRE(changes->size() == 3);
  CHECK((*changes)[0].origin == "client");
  CHECK((*changes)[1].origin == "channel:lab");
  CHECK((*changes)[1].id == "b");
  CHECK((*changes)[2].deleted());
  CHECK((*changes)[0].seq < (*changes)[1].seq);
  CHECK(store.changes_since((*changes)[1].seq, 10)->size() == 1);
  CHECK(store.changes_since(0, 1)->size() == 1);
  CHECK(*store.last_seq() == (*changes)[2].seq);
}

TEST_CASE("cursors and deliveries are durable and transactional") {
  FhirServer server;
  CHECK(*server.store->cursor("feed") == 0);
  REQUIRE(server.store->set_cursor("feed", 7));
  REQUIRE(server.store->begin());
  REQUIRE(server.store->mark_delivered(42, "ehr"));
  CHECK(*server.store->delivered(42, "ehr"));
  server.store->rollback();
  CHECK_FALSE(*server.store->delivered(42, "ehr"));
  REQUIRE(server.store->mark_delivered(42, "ehr"));
  server.open();
  CHECK(*server.store->cursor("feed") == 7);
  CHECK(*server.store->delivered(42, "ehr"));
  CHECK_FALSE(*server.store->delivered(42, "other"));
  REQUIRE(server.store->forget_delivered_below(43));
  CHECK_FALSE(*server.store->delivered(42, "ehr"));
}

TEST_CASE("lastUpdated never goes back along the feed") {
  FhirServer server;
  const auto first = put(*server.store, "Patient", "a", "");
  server.clock.set_wall({server.clock.wall().micros - 3'600'000'000});
  const auto second = put(*server.store, "Patient", "b", "");
  CHECK(second.updated == first.updated);
  server.open();
  CHECK(put(*server.store, "Patient", "c", "").updated == first.updated);
}

TEST_CASE("a reader sees what was committed and cannot write") {
  FhirServer server;
  put(*server.store, "Patient", "a", R"("identifier":[{"system":"urn:x","value":"1"}])");
  auto reader = server.store->open_reader();
  REQUIRE(reader);
  CHECK(find_ids(**reader, "Patient", "identifier=urn:x|1") == Ids{"a"});
  CHECK(find_ids(**reader, "Organization", "name=x").empty());  // nothing of that type was ever written
  REQUIRE(server.store->begin());
  put(*server.store, "Organization", "o", R"("name":"x")");
  CHECK(find_ids(**reader, "Organization", "name=x").empty());
  REQUIRE(server.store->commit());
  CHECK(find_ids(**reader, "Organization", "name=x") == Ids{"o"});
  const Json json(R"({"resourceType":"Patient"})");
  fhir::Write write{"Patient", "w", json.root, {}, fhir::WriteMethod::update, "client", true};
  CHECK((*reader)->put(write).error().code == base::ErrorCode::database_failed);
  CHECK((*reader)->set_cursor("c", 1).error().code == base::ErrorCode::database_failed);
}

TEST_CASE("an index of another version is rebuilt at opening") {
  FhirServer server;
  put(*server.store, "Patient", "a", R"("identifier":[{"system":"urn:x","value":"1"}])");
  server.store.reset();
  {
    auto database = base::Database::open({.path = server.options.path});
    REQUIRE(database);
    REQUIRE(database->exec("DELETE FROM ix_token; UPDATE meta SET value=0 WHERE key='index_version'"));
  }
  server.open();
  CHECK(find_ids(*server.store, "Patient", "identifier=urn:x|1") == Ids{"a"});
}

TEST_CASE("a newer or foreign file is refused") {
  FhirServer server;
  server.store.reset();
  {
    auto database = base::Database::open({.path = server.options.path});
    REQUIRE(database->exec("PRAGMA user_version=99"));
  }
  CHECK(engine::open_store(server.options).error().code == base::ErrorCode::store_format);
  CHECK(engine::open_store_reader(server.options).error().code == base::ErrorCode::store_format);
  {
    auto database = base::Database::open({.path = server.options.path});
    REQUIRE(database->exec("DROP TABLE ix_uri; PRAGMA user_version=2"));
  }
  CHECK(engine::open_store(server.options).error().code == base::ErrorCode::database_corrupt);
}

TEST_CASE("a store of format 1 is brought up to date, with an index for what is new") {
  FhirServer server;
  put(*server.store, "Observation", "o",
      R"("status":"final","code":{"coding":[{"code":"hr"}]},"valueQuantity":{"value":80})");
  server.store.reset();
  {
    auto database = base::Database::open({.path = server.options.path});
    REQUIRE(database->exec("DROP TABLE ix_composite; DROP INDEX ix_reference_source; PRAGMA user_version=1;"
                           " UPDATE meta SET value=2 WHERE key='index_version'"));
  }
  CHECK(engine::open_store_reader(server.options).error().code == base::ErrorCode::store_format);
  server.open();
  CHECK(find_ids(*server.store, "Observation", "code-value-quantity=hr$80") == Ids{"o"});
}

TEST_CASE("the store file belongs to its owner only") {
  FhirServer server;
  put(*server.store, "Patient", "a", "");
  for (const char* suffix : {"", "-wal", "-shm"}) {
    const auto mode = std::filesystem::status(server.options.path + suffix).permissions();
    CHECK((mode & std::filesystem::perms(077)) == std::filesystem::perms::none);
  }
}

TEST_CASE("counts per type") {
  FhirServer server;
  put(*server.store, "Patient", "a", "");
  put(*server.store, "Patient", "b", "");
  put(*server.store, "Organization", "o", R"("name":"x")");
  REQUIRE(server.store->remove("Patient", "b", "client"));
  const auto counts = server.store->counts();
  REQUIRE(counts);
  CHECK(counts->resources ==
        std::vector<std::pair<std::string, std::int64_t>>{{"Organization", 1}, {"Patient", 1}});
  CHECK(counts->versions == 4);
}
