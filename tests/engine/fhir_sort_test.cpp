// Searches sorted by values: held against a sort of all resources, over pages, while others write.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <tuple>

#include "engine/base/random.h"
#include "fhir/search/query.h"
#include "tests/engine/fhir_fixture.h"

using namespace kiln;

namespace {

constexpr const char* kBase = "http://fhir.test/fhir";

/// A value of a key as a test sees it: (text, number, text, number); texts and numbers that a kind has not are empty.
using Value = std::tuple<std::string, std::int64_t, std::string, std::int64_t>;

std::vector<Value> values_of(const fhir::Parameter& parameter, const fhir::IndexRows& rows) {
  const auto is_own = [&](const auto& row) { return row.parameter == parameter.ordinal; };
  std::vector<Value> out;
  for (const auto& row : rows.tokens)
    if (is_own(row) && parameter.kind == fhir::ParameterKind::token && !row.code.empty() && row.code[0] != '\x01')
      out.emplace_back(row.code, 0, "", 0);
  for (const auto& row : rows.strings)
    if (is_own(row) && parameter.kind == fhir::ParameterKind::string) out.emplace_back(row.folded, 0, "", 0);
  for (const auto& row : rows.dates)
    if (is_own(row)) out.emplace_back("", row.low, "", row.high);
  for (const auto& row : rows.references)
    if (is_own(row)) out.emplace_back(row.target_id, 0, "", 0);
  for (const auto& row : rows.uris)
    if (is_own(row)) out.emplace_back(row.uri, 0, "", 0);
  for (const auto& row : rows.quantities)
    if (is_own(row)) out.emplace_back(row.low, 0, row.high, 0);
  return out;
}

/// Empty when they are the same.
std::string difference(const std::vector<std::string>& found, const std::vector<std::string>& wanted) {
  for (std::size_t i = 0; i < std::max(found.size(), wanted.size()); ++i) {
    const std::string a = i < found.size() ? found[i] : "none", b = i < wanted.size() ? wanted[i] : "none";
    if (a != b)
      return "number " + std::to_string(i) + " of " + std::to_string(found.size()) + " is " + a + ", not " + b + " as of " +
             std::to_string(wanted.size());
  }
  return {};
}

struct Sorted {
  test::FhirServer server;
  base::SeededRandom random{4711};
  const fhir::TypeParameters* parameters = fhir::type_parameters("Observation");
  struct One {
    std::string id;
    fhir::IndexRows rows;
    std::int64_t rid = 0, seq = 0;
  };
  std::map<std::string, One> all;

  explicit Sorted(std::uint64_t walk_steps = 0) {
    if (walk_steps > 0) server.options.sort_walk_steps = walk_steps;
    server.open();
  }

  std::string pick(std::initializer_list<const char*> list) {
    return *(list.begin() + static_cast<std::ptrdiff_t>(random.below(list.size())));
  }

  std::string observation() {
    const std::string day = std::to_string(2000 + random.below(24)) + "-0" + std::to_string(1 + random.below(9));
    std::string text = R"({"resourceType":"Observation","status":")" + pick({"final", "final", "final", "amended"}) + R"(","code":{)";
    switch (random.below(4)) {
      case 0:
        text += R"("text":"only a text")";
        break;
      case 1:
        text += R"("coding":[{"system":"urn:a","code":")" + std::to_string(random.below(40)) + R"("},{"system":"urn:b","code":"20"}])";
        break;
      default:
        text += R"("coding":[{"system":"urn:a","code":")" + std::to_string(random.below(4)) + R"("}])";
    }
    text += "}";
    if (random.below(2) > 0)
      text += R"(,"identifier":[{"type":{"coding":[{"code":"MR"}]},"system":"urn:x","value":")" + std::to_string(random.below(900)) +
              R"("},{"system":"urn:y","value":")" + std::to_string(random.below(900)) + R"("}])";
    switch (random.below(6)) {
      case 0:
        break;
      case 1:
        text += R"(,"effectivePeriod":{"start":")" + day + R"(","end":"2024-01-01"})";
        break;
      case 2:
        text += R"(,"effectivePeriod":{"end":")" + day + R"("})";
        break;
      case 3:
        text += R"(,"effectiveTiming":{"event":[")" + day + R"(-03","2013-02-02",")" + day.substr(0, 4) + R"("]})";
        break;
      default:
        text += R"(,"effectiveDateTime":")" + day + "\"";
    }
    switch (random.below(4)) {
      case 0:
        text += R"(,"valueQuantity":{"value":)" + pick({"", "-"}) + std::to_string(random.below(50)) + pick({"", ".0", "e1"}) + R"(,"unit":"mg"})";
        break;
      case 1:
        text += R"(,"valueString":")" + pick({"Grün", "grau", "Gelb", "blau", "--"}) + "\"";
        break;
      default:
        break;
    }
    if (random.below(5) > 0)
      text += R"(,"subject":{"reference":")" + pick({"Patient/1", "Patient/2", "Group/3", "http://else.test/Patient/4"}) + "\"}";
    if (random.below(3) > 0) text += R"(,"meta":{"source":"urn:)" + pick({"a", "b", "c"}) + "\"}";
    return text + "}";
  }

  void put(const std::string& id) {
    const test::Json json(observation());
    REQUIRE(server.store->put({"Observation", id, json.root, {}, fhir::WriteMethod::update, "client", true}));
    const auto [at, is_new] = all.try_emplace(id);
    at->second.id = id;
    if (is_new) at->second.rid = static_cast<std::int64_t>(all.size());
    at->second.rows = fhir::extract_rows(*parameters, json.root, nullptr, kBase);
    at->second.seq = (*server.store->read("Observation", id))->seq;
  }

  void fill(int resources) {
    REQUIRE(server.store->begin());
    for (int i = 0; i < resources; ++i) put("o" + std::to_string(static_cast<int>(random.below(1'000'000))) + "-" + std::to_string(i));
    for (auto at = all.begin(); at != all.end();) {
      const std::string id = at->first;
      if (random.below(10) == 0) put(id);
      ++at;
      if (random.below(20) == 0) {
        REQUIRE(server.store->remove("Observation", id, "client"));
        all.erase(id);
      }
    }
    REQUIRE(server.store->commit());
  }

  /// What _sort promises, done to everything.
  std::vector<std::string> expected(const fhir::SearchQuery& query) {
    struct Row {
      const One* one;
      std::vector<std::optional<Value>> keys;
    };
    std::vector<Row> hits;
    std::vector<fhir::SortTerm> order = query.order;
    if (order.empty()) order.push_back({parameters->find("_lastUpdated"), query.descending});  // the order of the store
    for (const auto& [id, one] : all) {
      if (!fhir::matches(query, one.rows, id)) continue;
      Row row{&one, {}};
      for (const fhir::SortTerm& term : order) {
        std::vector<Value> values;
        if (term.parameter->code == "_id") {
          values.emplace_back(id, 0, "", 0);
        } else if (term.parameter->code == "_lastUpdated") {
          values.emplace_back("", one.seq, "", 0);
        } else {
          values = values_of(*term.parameter, one.rows);
        }
        std::sort(values.begin(), values.end());
        row.keys.push_back(values.empty() ? std::optional<Value>() : term.descending ? values.back() : values.front());
      }
      hits.push_back(std::move(row));
    }
    std::sort(hits.begin(), hits.end(), [&](const Row& a, const Row& b) {
      for (std::size_t i = 0; i < order.size(); ++i) {
        if (a.keys[i] == b.keys[i]) continue;
        if (!a.keys[i] || !b.keys[i]) return a.keys[i].has_value();
        return order[i].descending ? *b.keys[i] < *a.keys[i] : *a.keys[i] < *b.keys[i];
      }
      return order.back().descending ? b.one->rid < a.one->rid : a.one->rid < b.one->rid;
    });
    std::vector<std::string> ids;
    for (const Row& row : hits) ids.push_back(row.one->id);
    return ids;
  }

  std::vector<std::string> paged(fhir::SearchQuery query, std::size_t pages) {
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < pages; ++i) {
      const auto page = server.store->search(query);
      INFO((page ? std::string() : page.error().message()));
      REQUIRE(page);
      REQUIRE(page->rows.size() <= query.count);
      for (const auto& row : page->rows) ids.push_back(row.id);
      if (!page->more) return ids;
      query.after = page->last_key;
    }
    return ids;
  }

  fhir::SearchQuery query(const std::string& text) {
    const std::size_t at = text.find("_sort=");
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const auto& [name, value] : base::parse_query(text)) pairs.emplace_back(name, value);
    REQUIRE(at != text.npos);
    const auto search = fhir::parse_search("Observation", pairs, fhir::SearchMode::strict, kBase);
    REQUIRE(search);
    return search->query;
  }

  std::string random_sort() {
    std::vector<std::string> keys = {"date", "status", "code", "identifier", "subject", "value-quantity", "value-string", "_source", "_id", "_lastUpdated"};
    std::string text;
    for (std::uint64_t n = 1 + random.below(3); n > 0; --n) {
      const auto at = keys.begin() + static_cast<std::ptrdiff_t>(random.below(keys.size()));
      text += (text.empty() ? "" : ",") + pick({"", "-"}) + *at;
      keys.erase(at);
    }
    return text;
  }

  std::string random_filter() {
    switch (random.below(9)) {
      case 0:
        return "&date=" + pick({"ge", "lt"}) + pick({"2001", "2012-03", "2022"});
      case 1:
        return "&status=" + pick({"final", "amended"});
      case 2:
        return "&status:not=final";
      case 3:
        return "&code=urn:a|" + std::to_string(random.below(6));
      case 4:
        return "&value-string:contains=" + pick({"g", "au"});
      case 5:
        return "&date:missing=true&status=final";
      case 6:
        return "&subject=Patient/1,Group/3&code=0,1,2,3";
      default:
        return "";
    }
  }

  void compare(int rounds) {
    for (int round = 0; round < rounds; ++round) {
      const std::string text = "_sort=" + random_sort() + random_filter();
      fhir::SearchQuery one = query(text);
      one.count = 1 + random.below(70);
      INFO(text << " pages of " << one.count);
      auto wanted = expected(one);
      const std::size_t pages = 5;
      CHECK(*server.store->count(one, INT64_MAX) == static_cast<std::int64_t>(wanted.size()));
      std::vector<std::string> first(wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(std::min(wanted.size(), pages * one.count)));
      CHECK(difference(paged(one, pages), first) == "");
    }
  }
};

}  // namespace

TEST_CASE("fhir: a sorted search gives the pages that a sort of everything gives", "[fhir][sort]") {
  Sorted store;
  store.fill(3'000);
  store.compare(140);
  // To the end of it, through those without a value.
  for (const char* text : {"_sort=-date", "_sort=value-string,-date", "_sort=-value-quantity,code", "_sort=identifier", "_sort=status,-_id",
                           "_sort=code,-value-string,date&status=final"}) {
    INFO(text);
    fhir::SearchQuery query = store.query(text);
    query.count = 61;
    CHECK(difference(store.paged(query, 1'000), store.expected(query)) == "");
  }
}

TEST_CASE("fhir: a sort whose walk takes too long goes on with the matches it collected", "[fhir][sort]") {
  Sorted store(2'000);
  store.fill(3'000);
  store.compare(60);
}

TEST_CASE("fhir: pages of a sorted search while others write", "[fhir][sort]") {
  for (const char* text : {"_sort=-date", "_sort=status,-date", "_sort=value-string&status=final"}) {
    Sorted store;
    store.fill(1'500);
    INFO(text);
    fhir::SearchQuery query = store.query(text);
    query.count = 40;
    query.up_to_seq = *store.server.store->last_seq();
    std::vector<std::string> expected = store.expected(query);
    std::vector<std::string> seen;
    std::set<std::string> changed;
    int added = 0;
    for (bool more = true; more;) {
      const auto page = store.server.store->search(query);
      REQUIRE(page);
      for (const auto& row : page->rows) seen.push_back(row.id);
      more = page->more;
      query.after = page->last_key;
      REQUIRE(store.server.store->begin());
      // The row that ended the page, some others, and new ones.
      if (!page->rows.empty()) {
        changed.insert(page->rows.back().id);
        store.put(page->rows.back().id);
      }
      for (int i = 0; i < 5; ++i) {
        const std::string id = expected[store.random.below(expected.size())];
        changed.insert(id);
        if (store.random.below(3) > 0)
          store.put(id);
        else
          REQUIRE(store.server.store->remove("Observation", id, "client"));
        store.put("new" + std::to_string(++added));
      }
      REQUIRE(store.server.store->commit());
    }
    const std::set<std::string> unique(seen.begin(), seen.end());
    CHECK(unique.size() == seen.size());
    // Those that stayed as they were: all of them, in order.
    std::erase_if(expected, [&](const std::string& id) { return changed.contains(id); });
    std::erase_if(seen, [&](const std::string& id) { return changed.contains(id); });
    CHECK(difference(seen, expected) == "");
  }
}

TEST_CASE("fhir: what is sorted by as users write it", "[fhir][sort]") {
  test::FhirServer server;
  const auto put = [&](const std::string& type, const std::string& id, const std::string& members) {
    REQUIRE(server.send("PUT", "/" + type + "/" + id, R"({"resourceType":")" + type + R"(","id":")" + id + "\"," + members + "}").status == 201);
  };
  put("Patient", "1", R"("name":[{"family":"Quent"},{"family":"Abend"}],"birthDate":"1970-01-02")");
  put("Patient", "2", R"("name":[{"family":"Berg"}],"birthDate":"1970")");
  put("Patient", "3", R"("gender":"male")");
  put("Patient", "4", R"("name":[{"family":"Zill"}],"birthDate":"1950-05-05")");
  const auto ids = [&](const std::string& target) {
    const auto response = server.send("GET", target);
    INFO(target << "\n" << response.body);
    REQUIRE(response.status == 200);
    std::string out;
    for (const auto entry : test::Json(response.body)["entry"]) out += std::string(entry["resource"]["id"].text());
    return out;
  };
  CHECK(ids("/Patient?_sort=family") == "1243");
  CHECK(ids("/Patient?_sort=-family") == "4123");
  CHECK(ids("/Patient?_sort=birthdate") == "4213");
  CHECK(ids("/Patient?_sort=-birthdate") == "1243");
  CHECK(ids("/Patient?_sort=-_lastUpdated") == "4321");
  CHECK(ids("/Patient?_sort=-_id") == "4321");
  CHECK(ids("/Patient?_sort=gender,-birthdate") == "3124");
  CHECK(ids("/Patient?_sort=-_lastUpdated&_sort=family") == "4321");
  CHECK(ids("/Patient?_sort=gender&_sort=family") == "3124");
  CHECK(ids("/Patient?family=berg,zill&_sort=-family") == "42");
  CHECK(ids("/Patient?_sort=family&_count=0").empty());
  const std::string ended = R"("status":"finished","class":{"code":"AMB"},"period":)";
  put("Encounter", "a", ended + R"({"start":"2020-01-01","end":"2024-01-01"})");
  put("Encounter", "b", ended + R"({"start":"2022-01-01"})");
  put("Encounter", "c", ended + R"({"start":"2021-01-01","end":"2021-01-02"})");
  // Periods by their start, both ways.
  CHECK(ids("/Encounter?_sort=date") == "acb");
  CHECK(ids("/Encounter?_sort=-date") == "bca");
}
