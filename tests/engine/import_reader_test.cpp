// From files to the requests of an import.
#include <catch2/catch.hpp>
#include <fstream>

#include "engine/base/json.h"
#include "engine/bulk/import_reader.h"
#include "engine/bulk/importer.h"
#include "engine/bulk/rate_progress.h"
#include "tests/engine/fhir_fixture.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

struct Input {
  test::TempFolder folder;
  std::vector<ImportFile> files;
  std::vector<ImportProblem> problems;

  void add(const std::string& name, const std::string& text) {
    std::ofstream(folder.path(name), std::ios::binary) << text;
  }
  std::vector<ImportUnit> units(std::vector<std::uint64_t> done = {}, bool server_ids = false) {
    files = *find_import_files(base::system_env(), {folder.path("")});
    done.resize(files.size());
    ImportReader reader({files, std::move(done), server_ids, [&](ImportProblem one) { problems.push_back(std::move(one)); }});
    std::vector<ImportUnit> list;
    for (ImportUnit unit; reader.next(unit); unit = {}) list.push_back(std::move(unit));
    return list;
  }
};

const char* const kPatient = R"({"resourceType":"Patient","id":"p1","active":true})";

}  // namespace

TEST_CASE("lines are gathered into batches, and keep their numbers", "[import]") {
  Input input;
  std::string text;
  for (int i = 0; i < 450; ++i)
    text += R"({"resourceType":"Patient","id":"p)" + std::to_string(i) + "\"}\n" + (i == 0 ? "\n" : "");
  input.add("a.ndjson", text);
  const auto units = input.units();
  REQUIRE(units.size() == 3);
  CHECK(units[0].entries == 200);
  CHECK(units[0].lines.front() == 1);
  CHECK(units[0].lines[1] == 3);
  CHECK(units[2].entries == 50);
  CHECK(units[2].last_line == 451);
  const test::Json bundle(units[0].body);
  CHECK(bundle["type"].text() == "batch");
  CHECK(bundle["entry"].at(1)["request"]["url"].text() == "Patient/p1");
  CHECK(input.units({201})[0].lines.front() == 202);  // what is done is passed over
}

TEST_CASE("what has no id gets one that a repetition gives again", "[import]") {
  Input input;
  input.add("a.ndjson", "{\"resourceType\":\"Basic\",\"code\":{\"text\":\"x\"}}\n{\"resourceType\":\"Basic\",\"code\":{\"text\":\"x\"}}\n");
  const auto first = input.units(), second = input.units();
  REQUIRE(first.size() == 1);
  CHECK(first[0].body == second[0].body);
  const test::Json bundle(first[0].body);
  const std::string one(bundle["entry"].at(0)["resource"]["id"].text()), two(bundle["entry"].at(1)["resource"]["id"].text());
  CHECK(one != two);
  CHECK(bundle["entry"].at(0)["request"]["url"].text() == "Basic/" + one);
  const auto by_server = input.units({}, true);
  CHECK(by_server[0].body.find("\"method\":\"POST\",\"url\":\"Basic\"") != std::string::npos);
}

TEST_CASE("a transaction stays whole, and its creations can be repeated", "[import]") {
  Input input;
  input.add("a.json", R"({"resourceType":"Bundle","type":"transaction","entry":[
    {"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient","id":"x","active":true},"request":{"method":"POST","url":"Patient"}},
    {"resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient","ifNoneExist":"identifier=1"}},
    {"request":{"method":"DELETE","url":"Patient/old"}}]})");
  const auto units = input.units();
  REQUIRE(units.size() == 1);
  CHECK(units[0].whole);
  const test::Json bundle(units[0].body);
  const auto made = bundle["entry"].at(0);
  CHECK(made["request"]["method"].text() == "PUT");
  CHECK(made["fullUrl"].text() == "urn:uuid:1");
  CHECK(made["request"]["url"].text() == "Patient/" + std::string(made["resource"]["id"].text()));
  CHECK(made["resource"]["id"].text() != "x");  // the id of a created resource is the server's, not the sender's
  CHECK(bundle["entry"].at(1)["request"]["method"].text() == "POST");
  CHECK(bundle["entry"].at(2)["request"]["method"].text() == "DELETE");
}

TEST_CASE("collections are loaded by their ids, single resources and Bundles in lines too", "[import]") {
  Input input;
  input.add("a.json", std::string(R"({"resourceType":"Bundle","type":"searchset","entry":[{"resource":)") + kPatient +
                          R"(,"search":{"mode":"match"}},{"resource":{"resourceType":"OperationOutcome"},"search":{"mode":"outcome"}}]})");
  input.add("b.json", kPatient);
  input.add("c.ndjson", std::string(kPatient) + "\n" +
                            R"({"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"Patient/p9"}}]})" +
                            "\n" + kPatient + "\n");
  const auto units = input.units();
  REQUIRE(units.size() == 5);
  CHECK(test::Json(units[0].body)["entry"].size() == 1);
  CHECK(test::Json(units[0].body)["entry"].at(0)["request"]["url"].text() == "Patient/p1");
  CHECK(test::Json(units[1].body)["entry"].at(0)["request"]["method"].text() == "PUT");
  CHECK(units[2].last_line == 1);
  CHECK(units[3].whole);
  CHECK(units[3].last_line == 2);
  CHECK(units[4].last_line == 3);
  for (std::size_t i = 0; i < units.size(); ++i) CHECK(units[i].number == i);
}

TEST_CASE("what cannot be read has its place, and the rest goes on", "[import]") {
  Input input;
  input.add("a.ndjson", std::string("{\n{\"resourceType\":\"Nothing\"}\n{\"resourceType\":\"Patient\",\"id\":\"not valid\"}\n") + kPatient);
  input.add("b.json", "[]");
  input.add("c.json", R"({"resourceType":"Bundle","type":"history","entry":[]})");
  CHECK(input.units().size() == 1);
  REQUIRE(input.problems.size() == 5);
  CHECK(input.problems[0].place.find("a.ndjson:1") != std::string::npos);
  CHECK(input.problems[0].code == "json-syntax");
  CHECK(input.problems[2].place.find("a.ndjson:3") != std::string::npos);
  CHECK(input.problems[4].remedy == "export the resources");
  CHECK(find_import_files(base::system_env(), {input.folder.path("none")}).error().code == base::ErrorCode::file_not_found);
}

TEST_CASE("the position moves on over what is settled in a row", "[import]") {
  const test::TempFolder folder;
  const std::vector<ImportFile> files = {{"a.ndjson", 100, true}, {"b.json", 50, false}};
  auto position = ImportPosition::open(base::system_env(), folder.path("p.json"), files);
  REQUIRE(position);
  const auto unit = [](std::uint64_t number, std::size_t file, std::uint64_t line) {
    ImportUnit one;
    one.number = number;
    one.file = file;
    one.last_line = line;
    return one;
  };
  position->settle(unit(1, 0, 400));
  CHECK(position->done() == std::vector<std::uint64_t>{0, 0});
  position->settle(unit(0, 0, 200));
  position->settle(unit(2, 1, 1));
  CHECK(position->done() == std::vector<std::uint64_t>{400, 1});
  REQUIRE(position->write(base::system_env()));
  CHECK(ImportPosition::open(base::system_env(), folder.path("p.json"), files)->done() == position->done());
  CHECK(ImportPosition::open(base::system_env(), folder.path("p.json"), {{"a.ndjson", 101, true}, files[1]}).error().code ==
        base::ErrorCode::import_position);
}

TEST_CASE("progress says how fast and how long still", "[import]") {
  CHECK(RateProgress::text("imported", 10, 1'234'560, 0.25) == "1,234,560 imported, 25 %, 123,456/s, 00:00:30 left");
  CHECK(RateProgress::text("exported", 0, 7, -1) == "7 exported");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1000) == "1,000");
}
