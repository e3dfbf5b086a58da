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
  std::unique_ptr<fhir::Store> reader;  ///< answers GET, as in a running server

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
    put("/List/l1", R"({"resourceType":"List","id":"l1","status":"current","mode":"working","entry":[{"item":{"reference":"Patient/)" +
                        Population::patient_id(7) + R"("}},{"item":{"reference":"Patient/)" + Population::patient_id(9) + R"("}}]})");
    reader = std::move(*server.store->open_reader());
  }

  base::HttpResponse read(const std::string& target) {
    base::HttpRequest request;
    request.method = "GET";
    request.target = "/fhir" + target;
    REQUIRE(reader->begin());
    auto answer = fhir::handle(request, fhir::Principal{"tester", true}, *reader, server.context);
    reader->rollback();
    return answer;
  }

  /// Steps of one request; fails when it is not answered.
  std::uint64_t cost(const std::string& target) {
    texts.clear();
    steps = full_scan_steps = 0;
    listening = true;
    const auto answer = read(target);
    listening = false;
    INFO(target << "\n" << answer.body.substr(0, 500));
    REQUIRE(answer.status == 200);
    return steps;
  }

  /// The steps of the plans that sort what they found, rather than find it in order.
  std::string sorts() {
    return plan_lines([](std::string_view line) { return line.find("TEMP B-TREE") != line.npos; });
  }

  /// The steps of the plans that read a table from one end to the other.
  std::string scans() {
    return plan_lines([](std::string_view line) {
      // What is scanned are lists that the search made itself, and tables of a name for each type or setting.
      static const char* const kSmall[] = {"SCAN d", "SCAN s", "SCAN j VIRTUAL TABLE", "SCAN json_each", "SCAN CONSTANT ROW",
                                           "SCAN (subquery", "SCAN type", "SCAN meta"};
      const bool small = std::any_of(std::begin(kSmall), std::end(kSmall),
                                     [&](const char* start) { return line.starts_with(start); });
      return line.starts_with("SCAN") && !small;
    });
  }

  template <class Test>
  std::string plan_lines(const Test& is_one) {
    auto database = base::Database::open({.path = server.options.path, .read_only = true});
    REQUIRE(database);
    std::string found;
    for (const std::string& text : texts) {
      if (!text.starts_with("SELECT")) continue;
      auto explain = database->prepare("EXPLAIN QUERY PLAN " + text);
      REQUIRE(explain);
      while (*explain->step()) {
        const std::string_view line = explain->text(3);
        if (is_one(line)) found += std::string(line) + "\n  of " + text + "\n";
      }
    }
    return found;
  }
};

struct Shape {
  const char* name;
  std::string target;
  std::uint64_t wide = 0;  ///< clauses of which up to 1,000 rows are counted or collected
  bool linear = false;     ///< all rows of its parameter are gone through: what no resource lacks, totals of wide clauses
};

std::string e7() {
  const std::string line = Population::line(7, 1);
  const std::size_t at = line.find("\"id\":\"") + 6;
  return line.substr(at, line.find('"', at) - at);
}

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
      {"token, several", "/Observation?code=718-7,2345-7" + page, 1},
      {"token, many", "/Observation?code=http://loinc.org%7C718-7" + page},
      {"token :not", "/Observation?code:not=718-7" + page},
      {"token :text", "/Patient?identifier:text=nothing" + page},
      {"token :of-type", "/Patient?identifier:of-type=urn:x%7CMR%7C7" + page},
      {"token :missing", "/Patient?identifier:missing=true" + page, 0, true},
      {"token :missing=false", "/Patient?identifier:missing=false" + page, 1},
      {"token :in", "/Patient?gender:in=http://hl7.org/fhir/ValueSet/administrative-gender" + page, 1},
      {"string", "/Patient?family=" + family + page},
      {"string :exact", "/Patient?family:exact=" + family + page},
      {"string :contains", "/Patient?family:contains=" + family + page},
      {"date eq", "/Patient?birthdate=" + born + page},
      {"date ne", "/Patient?birthdate=ne" + born + page, 1},
      {"date gt", "/Patient?birthdate=gt2019-12-20" + page},
      {"date lt", "/Patient?birthdate=lt1930-01-10" + page},
      {"date ge", "/Patient?birthdate=ge2019-12-20" + page},
      {"date le", "/Patient?birthdate=le1930-01-10" + page},
      {"date sa", "/Patient?birthdate=sa2019-12-20" + page},
      {"date eb", "/Patient?birthdate=eb1930-01-10" + page},
      {"date ap", "/Patient?birthdate=ap" + born + page, 1},
      {"reference, type and id", "/Observation?subject=Patient/" + p7() + page},
      {"reference, id alone", "/Observation?subject=" + p7() + page},
      {"reference, typed", "/Observation?subject:Patient=" + p7() + page},
      {"reference :identifier", "/Observation?subject:identifier=urn:x%7C1" + page},
      {"reference, url", "/Observation?subject=http://elsewhere.test/Patient/1" + page},
      {"uri", "/ValueSet?url=http://invented.test/vs" + page},
      {"uri :below", "/ValueSet?url:below=http://invented.test/" + page},
      {"quantity eq", "/Observation?value-quantity=100.5" + page},
      {"quantity with unit", "/Observation?value-quantity=100.5%7Chttp://unitsofmeasure.org%7Cg/dL" + page},
      {"quantity gt", "/Observation?value-quantity=gt204" + page, 2},
      {"quantity le", "/Observation?value-quantity=le0.4" + page, 3},
      {"quantity ap", "/Observation?value-quantity=ap100" + page, 1},
      {"number", "/RiskAssessment?probability=gt0.8" + page},
      {"composite", "/Observation?code-value-quantity=http://loinc.org%7C718-7$100.5" + page},
      {"_lastUpdated", "/Observation?_lastUpdated=ge2024-05-01" + page},
      {"_lastUpdated, both ends", "/Observation?_lastUpdated=ge2024-01-01&_lastUpdated=lt2025-01-01" + page},
      {"_tag", "/Patient?_tag=urn:x%7Cy" + page},
      {"_profile", "/Patient?_profile=http://invented.test/profile" + page},
      {"two clauses", "/Observation?patient=" + p7() + "&code=http://loinc.org%7C718-7" + page},
      {"two wide clauses", "/Observation?category=laboratory&status=final" + page},
      {"date ge, half of all", "/Patient?birthdate=ge1970" + page, 1},
      {"date ge and a token", "/Patient?birthdate=ge1970&gender=female" + page, 2},
      {"date ge and lt", "/Observation?date=ge2016&date=lt2024" + page, 1},
      {"date ge and two tokens", "/Observation?date=ge2016&status=final&category=laboratory" + page, 2},
      {"quantity ge and a token", "/Observation?value-quantity=ge50&status=final" + page, 1},
      {"quantity and date, both open", "/Observation?value-quantity=ge50&date=ge2016" + page, 2},
      {"date ge with a narrow clause", "/Observation?date=ge2016&patient=" + p7() + page},
      {"date ge, few of many", "/Patient?birthdate=ge2019-11&gender=female" + page},
      {"date ge, :not", "/Observation?date=ge2016&code:not=718-7" + page, 1},
      {"string :exact with a wide token", "/Patient?gender=female&family:exact=" + family + page},
      {"uri with another", "/ValueSet?url=http://invented.test/vs&status=active" + page},
      {"_sort=-_lastUpdated with date ge", "/Observation?_sort=-_lastUpdated&date=ge2016" + page},
      {"_sort=-_lastUpdated with date ge and a token", "/Observation?_sort=-_lastUpdated&date=ge2016&status=final" + page, 1},
      {"chain with date ge", "/Observation?date=ge2016&patient.family=" + family + page},
      {"_total unless costly, wide", "/Observation?_count=10&date=ge2016&status=final", 0, true},
      {"chain", "/Observation?subject:Patient.identifier=urn:invented:mrn%7C7" + page},
      {"chain, by name", "/Observation?patient.family=" + family + page},
      {"chain, two deep", "/Observation?encounter.subject:Patient.identifier=urn:invented:mrn%7C7" + page},
      {"_has", "/Patient?_has:Observation:patient:code=718-7" + page, 2},
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
      {"$everything of an encounter", "/Encounter/" + e7() + "/$everything?_count=10"},
      {"token :not-in", "/Patient?gender:not-in=http://hl7.org/fhir/ValueSet/narrative-status" + page},
      {"token :below", "/Encounter?class:below=http://terminology.hl7.org/CodeSystem/v3-ActCode%7CAMB" + page, 2},
      {"token :above", "/Encounter?class:above=http://terminology.hl7.org/CodeSystem/v3-ActCode%7CAMB" + page, 2},
      {"token, a boolean", "/Patient?active=true" + page},
      {"token, no hit", "/Patient?gender=other" + page},
      {"string, several", "/Patient?family=" + family + "," + Population::family(8) + page},
      {"string, no hit", "/Patient?family=nobodyhasthis" + page},
      {"string :contains, no hit", "/Patient?family:contains=nobodyhasthis" + page},
      {"string :contains and a token", "/Patient?family:contains=" + family.substr(1, 4) + "&gender=female" + page},
      {"string :missing", "/Patient?family:missing=true" + page, 0, true},
      {"date :missing", "/Patient?death-date:missing=true" + page},
      {"date :missing=false", "/Patient?death-date:missing=false" + page},
      {"quantity :missing=false", "/Observation?value-quantity:missing=false" + page},
      {"reference :missing", "/Observation?encounter:missing=true" + page, 0, true},
      {"date, several", "/Patient?birthdate=" + born + "," + Population::birth(8) + page},
      {"uri :above", "/ValueSet?url:above=http://invented.test/vs/1" + page},
      {"uri :missing", "/ValueSet?url:missing=true" + page},
      {"quantity ne", "/Observation?value-quantity=ne100.5" + page},
      {"quantity lt", "/Observation?value-quantity=lt100" + page, 1},
      {"quantity ge", "/Observation?value-quantity=ge100" + page, 1},
      {"quantity sa", "/Observation?value-quantity=sa204" + page},
      {"quantity eb", "/Observation?value-quantity=eb0.4" + page, 2},
      {"number eq", "/RiskAssessment?probability=0.8" + page},
      {"composite, no hit", "/Observation?code-value-quantity=http://loinc.org%7C718-7$9999" + page},
      {"composite of open ranges", "/Observation?code-value-quantity=http://loinc.org%7C718-7$gt1" + page, 1},
      {"composite of a token and a date", "/Observation?code-value-date=http://loinc.org%7C718-7$2020" + page},
      {"_security", "/Patient?_security=urn:x%7Cy" + page},
      {"_source", "/Patient?_source=urn:x" + page},
      {"_list", "/Patient?_list=l1" + page},
      {"_lastUpdated lt", "/Observation?_lastUpdated=lt2024-05-01" + page},
      {"chain, three deep", "/Observation?encounter.subject:Patient.organization.name=invented" + page},
      {"chain, wide end", "/Observation?patient.gender=female" + page, 1},
      {"chain, no hit", "/Observation?patient.family=nobodyhasthis" + page},
      {"_has, nested", "/Patient?_has:Encounter:patient:_has:Observation:encounter:code=718-7&family=" + family + page, 1},
      {"_has, no hit", "/Patient?_has:Observation:patient:code=nothing" + page},
      {"_sort=_id", "/Patient?_sort=_id" + page},
      {"_sort=-_id", "/Patient?_sort=-_id" + page},
      {"_sort by a date", "/Observation?_sort=date" + page},
      {"_sort by a date, newest first", "/Observation?_sort=-date" + page},
      {"_sort by a string", "/Patient?_sort=family" + page},
      {"_sort by a string, downwards", "/Patient?_sort=-family" + page},
      {"_sort by a token", "/Patient?_sort=-identifier" + page},
      {"_sort by a token with few codes", "/Observation?_sort=status" + page},
      {"_sort by a quantity", "/Observation?_sort=-value-quantity" + page},
      {"_sort by a reference", "/Observation?_sort=subject" + page},
      {"_sort by a uri", "/ValueSet?_sort=url" + page},
      {"_sort by a number", "/RiskAssessment?_sort=probability" + page},
      {"_sort by a value that none has", "/Patient?_sort=death-date" + page},
      {"_sort by two, few in a group", "/Patient?_sort=family,-birthdate" + page},
      {"_sort by two, many in a group", "/Observation?_sort=status,-date" + page, 1},
      {"_sort by three, many in a group", "/Observation?_sort=status,category,-_lastUpdated" + page, 1},
      {"_sort with a wide clause", "/Observation?status=final&_sort=-date" + page, 1},
      {"_sort with wide clauses", "/Observation?category=laboratory&code=718-7&_sort=-date" + page, 2},
      {"_sort with an open range of its own", "/Observation?date=ge2016&_sort=-date" + page, 1},
      {"_sort in a compartment", "/Patient/" + p7() + "/Observation?_sort=-date" + page},
      {"_sort by two values", "/Observation?patient=" + p7() + "&_sort=code,-date" + page},
      {"_summary=count", "/Observation?patient=" + p7() + "&_summary=count"},
      {"_total=accurate", "/Observation?patient=" + p7() + "&_total=accurate&_count=2"},
      {"_summary=true", "/Observation?patient=" + p7() + "&_summary=true" + page},
      {"_include=*", "/Observation?patient=" + p7() + "&_include=*" + page},
      {"_include:iterate", "/Observation?patient=" + p7() + "&_include=Observation:encounter&_include:iterate=Encounter:patient" + page},
      {"_revinclude:iterate", "/Patient?_id=" + p7() + "&_revinclude=Encounter:patient&_revinclude:iterate=Observation:encounter" + page},
      {"history at a moment", "/_history?_count=10&_at=2024-05-01T10:00:00Z"},
  };
}

}  // namespace

TEST_CASE("no search reads a whole table, and its work does not grow with the store", "[plans]") {
  Watched small(150), large(1200);
  for (const Shape& shape : shapes()) {
    INFO(shape.name << ": " << shape.target);
    small.cost(shape.target);  // numbers of types and systems are looked up once
    large.cost(shape.target);
    const std::uint64_t few = small.cost(shape.target), many = large.cost(shape.target);
    CAPTURE(large.scans(), few, many);
    CHECK(large.scans().empty());
    if (std::string_view(shape.name).starts_with("_sort")) {
      CAPTURE(large.sorts());
      CHECK(large.sorts().empty());
    }
    // Eight times the store: logarithms, shares of a page, and up to 300 rows counted of each clause; not eight times
    // the work. A walk over the observations alone would be some 30,000 steps.
    if (shape.linear)
      CHECK(many <= 8 * few + 4000);
    else
      CHECK(many <= 2 * few + 4000 + 10'000 * shape.wide);
  }
}

TEST_CASE("later pages cost what the first ones do", "[plans]") {
  Watched watched(1200);
  for (const std::string first : {"/Observation?_count=20&_total=none", "/Observation?_count=20&_total=none&_sort=-_lastUpdated",
                                  "/Observation?code=http://loinc.org%7C718-7&_count=20&_total=none", "/_history?_count=20",
                                  "/Observation?_sort=-date&_count=20&_total=none", "/Patient?_sort=family&_count=20&_total=none",
                                  "/Observation?status=final&_sort=value-quantity&_count=20&_total=none"}) {
    std::string target = first;
    std::vector<std::uint64_t> costs;
    for (int page = 0; page < 12 && !target.empty(); ++page) {
      costs.push_back(watched.cost(target));
      const std::string body = watched.read(target).body;
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
