// How searches are answered: by indexes, and with work that does not grow with the store (fhir.md §5, §17).
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "engine/base/sql/sqlite.h"
#include "tests/bench/fhir_population.h"
#include "tests/engine/fhir_fixture.h"

using namespace kiln;
using bench::Population;

namespace {

/// A server with invented patients that hears what each of its statements costs.
struct Watched {
  test::FhirServer server;
  std::set<std::string> texts;
  std::uint64_t steps = 0, full_scan_steps = 0;
  bool listening = false;

  explicit Watched(std::uint64_t patients) {
    server.options.trace = [this](const base::StatementCost& cost) {
      if (!listening) return;
      texts.insert(std::string(cost.sql));
      steps += cost.steps;
      full_scan_steps += cost.full_scan_steps;
    };
    server.open();
    for (std::uint64_t n = 0; n < patients; n += 50) {
      std::string body = R"({"resourceType":"Bundle","type":"transaction","entry":[)";
      for (std::uint64_t i = 0; i < 50; ++i)
        for (const std::uint64_t slot : {0, 1, 2, 3, 7}) {
          const std::string line = Population::line(n + i, slot);
          const std::size_t at = line.find("\"id\":\"") + 6;
          if (i + slot > 0) body += ',';
          body += R"({"resource":)" + line + R"(,"request":{"method":"PUT","url":")" + Population::type(slot) + "/" +
                  line.substr(at, line.find('"', at) - at) + R"("}})";
        }
      if (server.send("POST", "/", body + "]}", {{"Content-Type", "application/fhir+json"}}).status != 200) std::abort();
    }
    const std::string organization = R"({"resourceType":"Organization","id":"o1","name":"Invented Clinic"})";
    const auto put = [&](const std::string& url, const std::string& body) {
      if (server.send("PUT", url, body, {{"Content-Type", "application/fhir+json"}}).status > 201) std::abort();
    };
    put("/Organization/o1", organization);
    for (int version = 0; version < 40; ++version)
      put("/Basic/b1", R"({"resourceType":"Basic","id":"b1","code":{"text":"v)" + std::to_string(version) + "\"}}");
  }

  /// Steps of one request; fails when it is not answered.
  std::uint64_t cost(const std::string& target) {
    texts.clear();
    steps = full_scan_steps = 0;
    listening = true;
    const auto answer = server.send("GET", target);
    listening = false;
    INFO(target << "\n" << answer.body.substr(0, 500));
    REQUIRE(answer.status == 200);
    return steps;
  }

  /// The steps of the plans that read a table from one end to the other.
  std::string scans() {
    auto database = base::Database::open({.path = server.options.path, .read_only = true});
    REQUIRE(database);
    std::string found;
    for (const std::string& text : texts) {
      if (!text.starts_with("SELECT")) continue;
      auto explain = database->prepare("EXPLAIN QUERY PLAN " + text);
      REQUIRE(explain);
      while (*explain->step()) {
        const std::string_view line = explain->text(3);
        // What is scanned are lists that the search made itself, and tables of a name for each type or setting.
        static const char* const kSmall[] = {"SCAN d", "SCAN s", "SCAN j VIRTUAL TABLE", "SCAN json_each", "SCAN CONSTANT ROW",
                                             "SCAN (subquery", "SCAN type", "SCAN meta"};
        const bool small = std::any_of(std::begin(kSmall), std::end(kSmall),
                                       [&](const char* start) { return line.starts_with(start); });
        if (line.starts_with("SCAN") && !small) found += std::string(line) + "\n  of " + text + "\n";
      }
    }
    return found;
  }
};

struct Shape {
  const char* name;
  std::string target;
  bool grows = false;  ///< its work is that of its matches or its type by what it asks; the budget bounds it
  std::uint64_t wide = 0;  ///< clauses of which up to 1,000 rows are counted
};

std::string p7() {
  return Population::patient_id(7);
}

/// One of each way a search may be asked.
std::vector<Shape> shapes() {
  const std::string page = "&_count=10&_total=none", family = Population::family(7), born = Population::birth(7);
  return {
      {"read", "/Patient/" + p7()},
      {"vread", "/Patient/" + p7() + "/_history/1"},
      {"_id", "/Patient?_id=" + p7()},
      {"_id, several", "/Patient?_id=" + p7() + "," + Population::patient_id(8) + page},
      {"everything of a type", "/Observation?_count=10&_total=none"},
      {"token, system and code", "/Patient?identifier=urn:invented:mrn%7C7"},
      {"token, code alone", "/Patient?identifier=7"},
      {"token, system alone", "/Patient?identifier=urn:invented:mrn%7C" + page},
      {"token, without system", "/Patient?identifier=%7C7" + page},
      {"token, several", "/Observation?code=718-7,2345-7" + page, true},
      {"token, many", "/Observation?code=http://loinc.org%7C718-7" + page},
      {"token :not", "/Observation?code:not=718-7" + page},
      {"token :text", "/Patient?identifier:text=nothing" + page},
      {"token :of-type", "/Patient?identifier:of-type=urn:x%7CMR%7C7" + page},
      {"token :missing", "/Patient?identifier:missing=true" + page, true},
      {"token :missing=false", "/Patient?identifier:missing=false" + page, true},
      {"token :in", "/Patient?gender:in=http://hl7.org/fhir/ValueSet/administrative-gender" + page, true},
      {"string", "/Patient?family=" + family + page},
      {"string :exact", "/Patient?family:exact=" + family + page},
      {"string :contains", "/Patient?family:contains=" + family + page, true},
      {"date eq", "/Patient?birthdate=" + born + page},
      {"date ne", "/Patient?birthdate=ne" + born + page, true},
      {"date gt", "/Patient?birthdate=gt2019-12-20" + page, true},
      {"date lt", "/Patient?birthdate=lt1930-01-10" + page, true},
      {"date ge", "/Patient?birthdate=ge2019-12-20" + page, true},
      {"date le", "/Patient?birthdate=le1930-01-10" + page, true},
      {"date sa", "/Patient?birthdate=sa2019-12-20" + page, true},
      {"date eb", "/Patient?birthdate=eb1930-01-10" + page, true},
      {"date ap", "/Patient?birthdate=ap" + born + page, true},
      {"reference, type and id", "/Observation?subject=Patient/" + p7() + page},
      {"reference, id alone", "/Observation?subject=" + p7() + page},
      {"reference, typed", "/Observation?subject:Patient=" + p7() + page},
      {"reference :identifier", "/Observation?subject:identifier=urn:x%7C1" + page},
      {"reference, url", "/Observation?subject=http://elsewhere.test/Patient/1" + page},
      {"uri", "/ValueSet?url=http://invented.test/vs" + page},
      {"uri :below", "/ValueSet?url:below=http://invented.test/" + page},
      {"quantity eq", "/Observation?value-quantity=100.5" + page, true},
      {"quantity with unit", "/Observation?value-quantity=100.5%7Chttp://unitsofmeasure.org%7Cg/dL" + page, true},
      {"quantity gt", "/Observation?value-quantity=gt204" + page, true},
      {"quantity le", "/Observation?value-quantity=le0.4" + page, true},
      {"quantity ap", "/Observation?value-quantity=ap100" + page, true},
      {"number", "/RiskAssessment?probability=gt0.8" + page},
      {"composite", "/Observation?code-value-quantity=http://loinc.org%7C718-7$100.5" + page},
      {"_lastUpdated", "/Observation?_lastUpdated=ge2024-05-01" + page, true},
      {"_lastUpdated, both ends", "/Observation?_lastUpdated=ge2024-01-01&_lastUpdated=lt2025-01-01" + page, true},
      {"_tag", "/Patient?_tag=urn:x%7Cy" + page},
      {"_profile", "/Patient?_profile=http://invented.test/profile" + page},
      {"two clauses", "/Observation?patient=" + p7() + "&code=http://loinc.org%7C718-7" + page},
      {"two wide clauses", "/Observation?category=laboratory&status=final" + page, true},
      {"date ge, half of all", "/Patient?birthdate=ge1970" + page},
      {"date ge and a token", "/Patient?birthdate=ge1970&gender=female" + page, false, 1},
      {"date ge and lt", "/Observation?date=ge2016&date=lt2024" + page, false, 2},
      {"date ge and two tokens", "/Observation?date=ge2016&status=final&category=laboratory" + page, false, 3},
      {"quantity ge and a token", "/Observation?value-quantity=ge50&status=final" + page, false, 1},
      {"quantity and date, both open", "/Observation?value-quantity=ge50&date=ge2016" + page, false, 2},
      {"date ge with a narrow clause", "/Observation?date=ge2016&patient=" + p7() + page},
      {"date ge, few of many", "/Patient?birthdate=ge2019-11&gender=female" + page, true},
      {"date ge, :not", "/Observation?date=ge2016&code:not=718-7" + page, false, 1},
      {"string :exact with a wide token", "/Patient?gender=female&family:exact=" + family + page},
      {"uri with another", "/ValueSet?url=http://invented.test/vs&status=active" + page},
      {"_sort=-_lastUpdated with date ge", "/Observation?_sort=-_lastUpdated&date=ge2016" + page},
      {"_sort=-_lastUpdated with date ge and a token", "/Observation?_sort=-_lastUpdated&date=ge2016&status=final" + page, false, 2},
      {"chain with date ge", "/Observation?date=ge2016&patient.family=" + family + page},
      {"_total unless costly, wide", "/Observation?_count=10&date=ge2016&status=final", true},
      {"chain", "/Observation?subject:Patient.identifier=urn:invented:mrn%7C7" + page},
      {"chain, by name", "/Observation?patient.family=" + family + page},
      {"chain, two deep", "/Observation?encounter.subject:Patient.identifier=urn:invented:mrn%7C7" + page},
      {"_has", "/Patient?_has:Observation:patient:code=718-7" + page, true},
      {"_has with another", "/Patient?family=" + family + "&_has:Observation:patient:code=718-7" + page},
      {"_has, narrow", "/Patient?_has:Encounter:patient:identifier=urn:invented:visit%7C7" + page},
      {"_sort=_lastUpdated", "/Observation?_sort=_lastUpdated" + page},
      {"_sort=-_lastUpdated", "/Observation?_sort=-_lastUpdated" + page},
      {"_sort=-_lastUpdated with a clause", "/Observation?_sort=-_lastUpdated&patient=" + p7() + page},
      {"_sort by a value", "/Observation?patient=" + p7() + "&_sort=-date" + page},
      {"_include", "/Observation?patient=" + p7() + "&_include=Observation:patient" + page},
      {"_revinclude", "/Patient?_id=" + p7() + "&_revinclude=Observation:patient" + page},
      {"compartment", "/Patient/" + p7() + "/Observation?_count=10&_total=none"},
      {"compartment, all types", "/Patient/" + p7() + "/*?_count=10&_total=none"},
      {"several types", "/?_type=Patient,Observation&_count=10&_total=none"},
      {"history of a resource", "/Basic/b1/_history?_count=10"},
      {"history of a type", "/Basic/_history?_count=10"},
      {"history of everything", "/_history?_count=10"},
      {"history since", "/_history?_count=10&_since=2024-05-01T10:00:00Z"},
      {"$everything", "/Patient/" + p7() + "/$everything?_count=10"},
  };
}

}  // namespace

TEST_CASE("no search reads a whole table, and its work does not grow with the store", "[plans]") {
  Watched small(150), large(1200);
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> costs;
  for (const Shape& shape : shapes()) {
    INFO(shape.name << ": " << shape.target);
    small.cost(shape.target);  // numbers of types and systems are looked up once
    large.cost(shape.target);
    const std::uint64_t few = small.cost(shape.target), many = large.cost(shape.target);
    CHECK(large.scans().empty());
    CAPTURE(large.scans(), few, many);
    // Eight times the store: logarithms, shares of a page, and up to 300 rows counted of each clause; not eight times
    // the work. A walk over the observations alone would be some 30,000 steps.
    if (!shape.grows) CHECK(many <= 2 * few + 4000 + 10'000 * shape.wide);
  }
}

TEST_CASE("later pages cost what the first ones do", "[plans]") {
  Watched watched(1200);
  for (const std::string first : {"/Observation?_count=20&_total=none", "/Observation?_count=20&_total=none&_sort=-_lastUpdated",
                                  "/Observation?code=http://loinc.org%7C718-7&_count=20&_total=none", "/_history?_count=20"}) {
    std::string target = first;
    std::vector<std::uint64_t> costs;
    for (int page = 0; page < 12 && !target.empty(); ++page) {
      costs.push_back(watched.cost(target));
      const std::string body = watched.server.send("GET", target).body;
      const std::size_t at = body.find("\"relation\":\"next\",\"url\":\"");
      target.clear();
      if (at == body.npos) break;
      const std::size_t begin = body.find("/fhir/", body.find("/fhir", at) + 1) == body.npos ? body.find("/fhir", at) : body.find("/fhir/", at + 40);
      target = body.substr(begin + 5, body.find('"', begin) - begin - 5);
    }
    CAPTURE(first);
    REQUIRE(costs.size() >= 10);
    CHECK(costs.back() <= 2 * costs[1] + 400);
  }
}

TEST_CASE("a transaction of many entries is one commit, with the same few statements for each", "[plans]") {
  test::FhirServer server;
  std::map<std::string, std::size_t> runs;
  server.options.trace = [&](const base::StatementCost& cost) { ++runs[std::string(cost.sql)]; };
  server.open();
  constexpr std::uint64_t kEntries = 5000;
  const auto bundle = [&](std::uint64_t from) {
    std::string body = R"({"resourceType":"Bundle","type":"transaction","entry":[)";
    for (std::uint64_t n = 0; n < kEntries; ++n) {
      const std::string number = std::to_string(from + n);
      // Matched by identifier, and referring to its neighbour in the Bundle.
      body += std::string(n == 0 ? "" : ",") + R"({"fullUrl":"urn:uuid:00000000-0000-0000-0000-)" +
              std::string(12 - number.size(), '0') + number + R"(","resource":{"resourceType":"Patient","identifier":[{"system":"urn:m","value":")" +
              number + R"("}],"link":[{"type":"seealso","other":{"reference":"urn:uuid:00000000-0000-0000-0000-)";
      const std::string next = std::to_string(from + (n + 1) % kEntries);
      body += std::string(12 - next.size(), '0') + next +
              R"("}}]},"request":{"method":"PUT","url":"Patient?identifier=urn:m|)" + number + R"("}})";
    }
    return body + "]}";
  };
  const test::Headers headers = {{"Content-Type", "application/fhir+json"}, {"Prefer", "return=minimal"}};
  REQUIRE(server.send("POST", "/", bundle(1'000'000), headers).status == 200);
  runs.clear();
  const auto answer = server.send("POST", "/", bundle(2'000'000), headers);
  INFO(answer.body.substr(0, 500));
  REQUIRE(answer.status == 200);
  std::size_t all = 0, commits = 0;
  for (const auto& [sql, count] : runs) {
    all += count;
    if (sql.starts_with("COMMIT")) commits += count;
    // Nothing is asked twice about an entry; its rows are one statement a row.
    CAPTURE(sql);
    CHECK(count <= 3 * kEntries);
  }
  CHECK(commits == 1);
  CHECK(all <= 12 * kEntries);
  CHECK(server.store->counts()->versions == static_cast<std::int64_t>(2 * kEntries));
}
