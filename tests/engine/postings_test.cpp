// Runs of keys: what is found is what was written, whatever was merged meanwhile.

#include <catch2/catch.hpp>
#include <set>

#include "engine/base/random.h"
#include "engine/index/postings.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

struct Store {
  kiln::test::TempFolder folder;
  base::Database database;
  PostingWriter writer;
  std::map<std::int64_t, std::set<MessageId>> truth;
  MessageId last = 0;

  Store() {
    base::DatabaseOptions options;
    options.path = folder.path("runs.db");
    auto opened = base::Database::open(options);
    REQUIRE(opened.has_value());
    database = std::move(*opened);
    REQUIRE(database.exec(kPostingSchema).has_value());
  }
  void write(std::vector<Posting> postings, MessageId to) {
    for (const auto& [hash, id] : postings) truth[hash].insert(id);
    REQUIRE(database.begin().has_value());
    REQUIRE(writer.write(database, last + 1, to, postings).has_value());
    REQUIRE(database.commit().has_value());
    last = to;
  }
  bool tidy(std::size_t budget) {
    REQUIRE(database.begin().has_value());
    const auto more = writer.tidy(database, budget);
    REQUIRE(more.has_value());
    REQUIRE(database.commit().has_value());
    return *more;
  }
  std::int64_t count(const char* sql) {
    auto select = database.prepare(sql);
    REQUIRE(select.has_value());
    REQUIRE(select->step().has_value());
    return select->integer(0);
  }
  std::set<MessageId> expected(const KeyNode& node) {
    if (node.kind == KeyNode::Kind::key) return truth[node.hash];
    std::set<MessageId> out;
    bool first = true;
    for (const KeyNode& part : node.parts) {
      const std::set<MessageId> one = expected(part);
      if (node.kind == KeyNode::Kind::any || std::exchange(first, false)) {
        out.insert(one.begin(), one.end());
      } else {
        std::erase_if(out, [&](MessageId id) { return !one.contains(id); });
      }
    }
    return out;
  }
  void check(const KeyNode& node, MessageId from, MessageId to, bool oldest_first, std::size_t limit) {
    std::vector<MessageId> wanted;
    for (const MessageId id : expected(node))
      if (id >= from && id <= to) wanted.push_back(id);
    if (!oldest_first) std::reverse(wanted.begin(), wanted.end());
    wanted.resize(std::min(wanted.size(), limit));
    const auto found = find_postings(database, node, from, to, oldest_first, limit);
    REQUIRE(found.has_value());
    CHECK(*found == wanted);
  }
};

KeyNode key(std::int64_t hash) { return {KeyNode::Kind::key, hash, {}}; }

/// Key 1 is of every message, 2 of every second, 3 to 9 of some, the others of few; negative ones, too.
std::vector<Posting> postings_of(base::Random& random, MessageId from, MessageId to) {
  std::vector<Posting> out;
  for (MessageId id = from; id <= to; ++id) {
    out.emplace_back(1, id);
    if (id % 2 == 0) out.emplace_back(2, id);
    out.emplace_back(3 + static_cast<std::int64_t>(random.below(7)), id);
    out.emplace_back(100 + static_cast<std::int64_t>(random.below(500)), id);
    out.emplace_back(-1'000'000 - static_cast<std::int64_t>(id), id);
    if (random.below(50) == 0) out.emplace_back(INT64_MIN, id);
    if (random.below(50) == 0) out.emplace_back(INT64_MAX, id);
  }
  return out;
}

KeyNode random_node(base::Random& random, MessageId last, int depth) {
  if (depth == 0 || random.below(3) == 0) {
    const auto which = random.below(8);
    if (which == 0) return key(INT64_MIN);
    if (which == 1) return key(INT64_MAX);
    if (which == 2) return key(77);  // nobody has it
    if (which == 3) return key(-1'000'000 - static_cast<std::int64_t>(random.below(last)));
    if (which < 6) return key(1 + static_cast<std::int64_t>(random.below(9)));
    return key(100 + static_cast<std::int64_t>(random.below(500)));
  }
  KeyNode out{random.below(2) == 0 ? KeyNode::Kind::all : KeyNode::Kind::any, 0, {}};
  const auto parts = 1 + random.below(3);
  for (std::uint64_t i = 0; i < parts; ++i) out.parts.push_back(random_node(random, last, depth - 1));
  return out;
}

}  // namespace

TEST_CASE("postings: what is found is what was written, before, during and after merges") {
  Store store;
  base::SeededRandom random(5);
  for (int round = 0; round < 60; ++round) {
    const MessageId to = store.last + 1 + random.below(round % 9 == 0 ? 3'000 : 200);
    store.write(postings_of(random, store.last + 1, to), to);
    (void)store.tidy(1 + random.below(4'000));
    for (int i = 0; i < 6; ++i) {
      const MessageId from = random.below(store.last + 10), upto = from + random.below(store.last + 10);
      store.check(random_node(random, store.last, 2), i == 0 ? 0 : from, i == 0 ? INT64_MAX : upto, random.below(2) == 0,
                  i % 2 == 0 ? 7 : 100'000);
    }
  }
  while (store.tidy(10'000)) {
  }
  CHECK(store.count("SELECT count(*) FROM run") < 16 + 16);
  CHECK(store.count("SELECT count(*) FROM garbage") == 0);
  CHECK(store.count("SELECT count(*) FROM page WHERE run NOT IN (SELECT id FROM run)") == 0);
  for (int i = 0; i < 100; ++i) store.check(random_node(random, store.last, 3), 0, INT64_MAX, i % 2 == 0, 100'000);
}

TEST_CASE("postings: a merge that was cut off leaves nothing behind and loses nothing") {
  Store store;
  base::SeededRandom random(6);
  for (int round = 0; round < 40; ++round) {
    const MessageId to = store.last + 50;
    store.write(postings_of(random, store.last + 1, to), to);
    (void)store.tidy(500);
    if (round % 3 == 0) store.writer = PostingWriter();  // the process ended
    if (round % 5 == 0) {                                // the disk was full
      REQUIRE(store.database.begin().has_value());
      REQUIRE(store.writer.tidy(store.database, 300).has_value());
      store.database.rollback();
      store.writer.forget();
    }
    store.check(random_node(random, store.last, 2), 0, INT64_MAX, true, 100'000);
  }
  while (store.tidy(1'000)) {
  }
  CHECK(store.count("SELECT count(*) FROM garbage") == 0);
  CHECK(store.count("SELECT count(*) FROM page WHERE run NOT IN (SELECT id FROM run)") == 0);
  CHECK(store.count("SELECT sum(count) FROM run") > 0);
  for (int i = 0; i < 60; ++i) store.check(random_node(random, store.last, 3), 0, INT64_MAX, i % 2 == 0, 100'000);
}

TEST_CASE("postings: a row of the file holds one page, and a page of nonsense ends itself") {
  Store store;
  base::SeededRandom random(7);
  store.write(postings_of(random, 1, 5'000), 5'000);
  CHECK(store.count("SELECT max(length(data)) FROM page") <= 4'050);
  CHECK(store.count("SELECT min(length(data)) FROM (SELECT data FROM page ORDER BY run, hash, id LIMIT 3)") > 3'000);
  REQUIRE(store.database.exec("UPDATE page SET data=randomblob(3000)").has_value());
  for (const std::int64_t hash : {std::int64_t{1}, std::int64_t{-1'000'500}, INT64_MAX}) {
    const auto found = find_postings(store.database, key(hash), 0, INT64_MAX, true, 1'000);
    CHECK(found.has_value());
  }
  KeyNode both{KeyNode::Kind::all, 0, {key(1), key(2)}};
  CHECK(find_postings(store.database, both, 0, INT64_MAX, false, 1'000).has_value());
}
