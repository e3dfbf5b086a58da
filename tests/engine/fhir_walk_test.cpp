// Searches whose clauses have many rows: walked in the order of the page, tested on the way, or by sets (store README).
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "engine/base/random.h"
#include "engine/store/rid_set.h"
#include "fhir/search/query.h"
#include "tests/engine/fhir_fixture.h"

using namespace kiln;
using engine::RidSet;

namespace {

constexpr const char* kBase = "http://fhir.test/fhir";
constexpr int kResources = 3'000;

/// A store with many observations, and what a look at each of them says.
struct Wide {
  test::FhirServer server;
  base::SeededRandom random{77};
  struct One {
    std::string id;
    fhir::IndexRows rows;
    std::int64_t seq = 0;
  };
  std::vector<One> all;  ///< in the order of the store

  std::string pick(std::initializer_list<const char*> list) {
    return *(list.begin() + static_cast<std::ptrdiff_t>(random.below(list.size())));
  }

  std::string observation(int i) {
    const bool rare = i % 100 == 37;
    std::string text = R"({"resourceType":"Observation","status":")" + pick({"final", "final", "amended"}) +
                       R"(","code":{"coding":[{"system":"urn:a","code":")" + (rare ? "rare" : pick({"1", "2"})) +
                       R"("},{"system":"urn:b","code":"2"}]},"subject":{"reference":"Patient/)" + pick({"1", "2"}) + "\"}";
    const std::string year = rare ? "1999" : std::to_string(2000 + random.below(24));
    if (random.below(8) > 0) text += R"(,"effectiveDateTime":")" + year + "-0" + std::to_string(1 + random.below(9)) + "\"";
    if (random.below(4) > 0)
      text += R"(,"valueQuantity":{"value":)" + std::to_string(random.below(500)) + R"(,"unit":"mg"})";
    return text + "}";
  }

  Wide() {
    const auto* parameters = fhir::type_parameters("Observation");
    REQUIRE(server.store->begin());
    for (int i = 0; i < kResources; ++i) {
      const test::Json json(observation(i));
      const std::string id = "o" + std::to_string(i);
      REQUIRE(server.store->put({"Observation", id, json.root, {}, fhir::WriteMethod::update, "client", true}));
      all.push_back({id, fhir::extract_rows(*parameters, json.root, nullptr, kBase), 0});
    }
    // Some are changed, so that the orders differ, and some are gone.
    for (int i = 0; i < kResources; i += 7) {
      const test::Json json(observation(i));
      REQUIRE(server.store->put({"Observation", all[static_cast<std::size_t>(i)].id, json.root, {},
                                 fhir::WriteMethod::update, "client", true}));
      all[static_cast<std::size_t>(i)].rows = fhir::extract_rows(*parameters, json.root, nullptr, kBase);
    }
    for (int i = 5; i < kResources; i += 50) REQUIRE(server.store->remove("Observation", "o" + std::to_string(i), "client"));
    REQUIRE(server.store->commit());
    std::erase_if(all, [](const One& one) { return std::stoi(one.id.substr(1)) % 50 == 5; });
    for (One& one : all) one.seq = (*server.store->read("Observation", one.id))->seq;
  }

  std::vector<std::string> expected(const fhir::SearchQuery& query) {
    std::vector<const One*> hits;
    for (const One& one : all)
      if (fhir::matches(query, one.rows, one.id)) hits.push_back(&one);
    if (query.sort == fhir::SortKey::last_updated)
      std::sort(hits.begin(), hits.end(), [](const One* a, const One* b) { return a->seq < b->seq; });
    if (query.descending) std::reverse(hits.begin(), hits.end());
    std::vector<std::string> ids;
    for (const One* one : hits) ids.push_back(one->id);
    return ids;
  }

  /// All pages one after the other, at most `pages`.
  std::vector<std::string> paged(fhir::SearchQuery query, int pages) {
    std::vector<std::string> ids;
    for (int i = 0; i < pages; ++i) {
      const auto page = server.store->search(query);
      REQUIRE(page);
      REQUIRE(page->rows.size() <= query.count);
      for (const auto& row : page->rows) ids.push_back(row.id);
      if (!page->more) return ids;
      query.after = page->last_key;
    }
    return ids;
  }

  std::string clause() {
    switch (random.below(7)) {
      case 0:
        return "date=" + pick({"ge", "le", "gt", "lt", "ne", "sa", "eb"}) + pick({"2001", "2012-03", "2022", "1999"});
      case 1:
        return "code=" + pick({"urn:a|1", "2", "urn:b|", "urn:a|rare", "rare,1", "none"});
      case 2:
        return "status" + pick({"", ":not"}) + "=" + pick({"final", "amended", "final,amended"});
      case 3:
        return "value-quantity=" + pick({"ge", "le", "gt", "ne", "ap", ""}) + pick({"10", "250", "490", "1e2"});
      case 4:
        return pick({"date", "value-quantity"}) + ":missing=" + pick({"true", "false"});
      case 5:
        return "subject=" + pick({"Patient/1", "2", "Patient/1,Patient/2"});
      default:
        return "code-value-quantity=" + pick({"urn:a|1", "2", "urn:a|rare"}) + "$" + pick({"ge10", "lt400", "gt499"});
    }
  }
};

}  // namespace

TEST_CASE("wide searches give the pages that a look at every resource gives", "[search]") {
  Wide wide;
  std::size_t hits = 0, long_ones = 0;
  for (int round = 0; round < 150; ++round) {
    std::string text;
    for (std::uint64_t n = 1 + wide.random.below(3); n > 0; --n) text += (text.empty() ? "" : "&") + wide.clause();
    auto query = fhir::parse_criteria("Observation", text, kBase);
    REQUIRE(query);
    query->sort = wide.random.below(2) > 0 ? fhir::SortKey::rid : fhir::SortKey::last_updated;
    query->descending = wide.random.below(2) > 0;
    query->count = 1 + wide.random.below(60);
    const int pages = 6;
    INFO(text << (query->descending ? " descending" : "") << (query->sort == fhir::SortKey::rid ? "" : " by seq")
              << " pages of " << query->count);
    std::vector<std::string> expected = wide.expected(*query);
    CHECK(*wide.server.store->count(*query, INT64_MAX) == static_cast<std::int64_t>(expected.size()));
    std::size_t each = 0;
    fhir::SearchQuery every = *query;
    every.count = kResources;
    REQUIRE(wide.server.store->each(every, [&](fhir::StoredVersion) -> base::Status {
      ++each;
      return {};
    }));
    CHECK(each == expected.size());
    hits += expected.size();
    long_ones += expected.size() > 1'000 ? 1 : 0;
    if (expected.size() > pages * query->count) expected.resize(pages * query->count);
    CHECK(wide.paged(*query, pages) == expected);
  }
  CHECK(hits > 20'000);
  CHECK(long_ones > 10);
}

TEST_CASE("what changed after the first page is on no later one", "[search]") {
  Wide wide;
  auto query = fhir::parse_criteria("Observation", "date=ge2001&status=final", kBase);
  REQUIRE(query);
  query->count = 20;
  query->up_to_seq = *wide.server.store->last_seq();
  const auto first = wide.server.store->search(*query);
  REQUIRE(first);
  REQUIRE(first->more);
  const std::string changed = first->rows.front().id;
  const test::Json json(R"({"resourceType":"Observation","status":"final","code":{"text":"x"},"effectiveDateTime":"2020"})");
  REQUIRE(wide.server.store->begin());
  REQUIRE(wide.server.store->put({"Observation", "new", json.root, {}, fhir::WriteMethod::update, "client", true}));
  REQUIRE(wide.server.store->commit());
  query->after = first->last_key;
  const auto ids = wide.paged(*query, 1000);
  CHECK(std::find(ids.begin(), ids.end(), "new") == ids.end());
  CHECK(std::find(ids.begin(), ids.end(), changed) == ids.end());
}

TEST_CASE("a set of rids is walked both ways", "[search]") {
  constexpr std::int64_t kFirst = std::int64_t{7} << 40;
  RidSet set(kFirst);
  std::vector<std::int64_t> rids;
  base::SeededRandom random(3);
  for (std::int64_t at = 1; at < 5'000; at += 1 + static_cast<std::int64_t>(random.below(150))) rids.push_back(kFirst + at);
  for (const std::int64_t rid : rids) set.add(rid), set.add(rid);
  CHECK(set.size() == static_cast<std::int64_t>(rids.size()));
  for (const bool descending : {false, true}) {
    std::vector<std::int64_t> found;
    std::optional<std::int64_t> at;
    while ((at = set.next(at, descending))) found.push_back(*at);
    if (descending) std::reverse(found.begin(), found.end());
    CHECK(found == rids);
  }
  for (std::int64_t rid = kFirst; rid < kFirst + 5'100; ++rid) {
    const auto above = std::upper_bound(rids.begin(), rids.end(), rid);
    CHECK(set.next(rid, false) == (above == rids.end() ? std::nullopt : std::optional(*above)));
    const auto below = std::lower_bound(rids.begin(), rids.end(), rid);
    CHECK(set.next(rid, true) == (below == rids.begin() ? std::nullopt : std::optional(*(below - 1))));
    CHECK(set.contains(rid) == std::binary_search(rids.begin(), rids.end(), rid));
  }
  RidSet other(kFirst), third(kFirst);
  other.add(rids[3]);
  other.add(kFirst + 100'000);
  third.add_all(set);
  third.remove(other);
  set.keep_only(other);
  set.count_again();
  third.count_again();
  CHECK(set.size() == 1);
  CHECK(set.contains(rids[3]));
  CHECK_FALSE(third.contains(rids[3]));
  CHECK(third.size() == static_cast<std::int64_t>(rids.size()) - 1);
}
