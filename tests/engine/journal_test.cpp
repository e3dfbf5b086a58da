#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <set>

#include "engine/journal/query.h"
#include "engine/journal/reader.h"
#include "engine/journal/sqlite_journal.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

constexpr std::int64_t kDay = 86'400'000'000;
constexpr std::int64_t kStart = 1'795'000'000'000'000;  // 2026-11-18

NewMessage sample(const std::string& control_id, unsigned char key = 0) {
  NewMessage m;
  m.channel = "adt_in";
  m.received = {kStart};
  m.peer = "127.0.0.1:4000";
  m.type = "ADT^A01^ADT_A01";
  m.control_id = control_id;
  m.dedupe[0] = key;
  m.config_hash = "c1";
  m.body = "MSH|^~\\&|HIS|" + control_id;
  return m;
}

/// A journal whose committer runs in the caller.
struct Fixture {
  test::TempFolder folder;
  base::ManualClock clock{{kStart}};
  base::InlineExecutor committer;
  std::unique_ptr<SqliteJournal> journal;
  bool stopped = false;
  MessageId used_up_to = 0;

  Fixture() { open(); }
  void open() {
    JournalOptions options;
    options.folder = folder.path() + "/journal";
    options.used_up_to = used_up_to;
    auto opened = SqliteJournal::open(base::system_env(), clock, committer, options, [this] { stopped = true; });
    REQUIRE(opened.has_value());
    journal = std::move(*opened);
    journal->keep_config("c1", "the site");
  }
  void reopen(bool clean) {
    if (clean) REQUIRE(journal->close().has_value());
    journal.reset();
    open();
  }
  MessageId append(NewMessage m) {
    MessageId id = 0;
    journal->append(std::move(m), [&](base::Result<MessageId> r) {
      REQUIRE(r.has_value());
      id = *r;
    });
    return id;
  }
  void store(MessageId id, std::vector<std::string> destinations) {
    Processed p;
    p.id = id;
    p.channel = "adt_in";
    for (auto& name : destinations) {
      Output output;
      output.destination = name;
      output.control_id = "X";
      output.is_source = name == "pas";
      if (!output.is_source) output.body = "{\"resourceType\":\"Bundle\"}";
      output.rendered = {{"file", "a\"b.csv"}};
      p.outputs.push_back(output);
    }
    journal->store(p, [](base::Status s) { REQUIRE(s.has_value()); });
    journal->flush();
  }
  std::vector<PendingOutput> pending(const std::string& destination, MessageId after = 0, std::size_t limit = 100) {
    std::vector<PendingOutput> out;
    journal->read_pending("adt_in", destination, after, limit, 1 << 20, [&](auto r) {
      REQUIRE(r.has_value());
      out = std::move(*r);
    });
    return out;
  }
  void end(MessageId id, const std::string& destination, DeliveryState state = DeliveryState::sent) {
    Ending e;
    e.destination = destination;
    e.state = state;
    e.attempts = 1;
    journal->end(id, "adt_in", e, [](base::Status s) { REQUIRE(s.has_value()); });
    journal->flush();
  }
  JournalReader reader() {
    auto r = JournalReader::open(base::system_env(), folder.path() + "/journal");
    REQUIRE(r.has_value());
    return std::move(*r);
  }
};

}  // namespace

TEST_CASE("messages get increasing numbers that survive a restart") {
  Fixture f;
  CHECK(f.append(sample("A")) == 1);
  CHECK(f.append(sample("B")) == 2);
  f.reopen(true);
  CHECK(f.journal->recovered().clean_stop);
  CHECK(f.journal->recovered().unprocessed == std::vector<MessageId>{1, 2});
  CHECK(f.append(sample("C")) == 3);
}

TEST_CASE("an orderly stop is told from a crash") {
  Fixture f;
  f.append(sample("A"));
  f.reopen(false);
  CHECK_FALSE(f.journal->recovered().clean_stop);
  f.reopen(true);
  CHECK(f.journal->recovered().clean_stop);
}

TEST_CASE("outputs wait in order with their body until they end") {
  Fixture f;
  for (int i = 0; i < 5; ++i) f.store(f.append(sample("M" + std::to_string(i))), {"repo", "pas"});
  const auto waiting = f.pending("pas");
  REQUIRE(waiting.size() == 5);
  CHECK(waiting[2].id == 3);
  CHECK(waiting[2].output.body == "MSH|^~\\&|HIS|M2");
  CHECK(f.pending("repo")[0].output.body == "{\"resourceType\":\"Bundle\"}");
  CHECK(f.pending("repo")[0].output.rendered[0].second == "a\"b.csv");
  f.end(1, "pas");
  f.end(3, "pas", DeliveryState::quarantined);
  CHECK(f.pending("pas").size() == 3);
  CHECK(f.pending("pas", 2, 1)[0].id == 4);
  f.reopen(false);
  CHECK(f.pending("pas").size() == 3);
  CHECK(f.pending("repo").size() == 5);
  CHECK(f.journal->recovered().unprocessed.empty());
}

TEST_CASE("attempts and doubt are remembered") {
  Fixture f;
  f.store(f.append(sample("A")), {"pas"});
  f.journal->note_attempt(1, "adt_in", "pas", 3, true, nullptr);
  f.reopen(false);
  CHECK(f.pending("pas")[0].attempts == 3);
  CHECK(f.pending("pas")[0].in_doubt);
}

TEST_CASE("a new day opens a new file and old messages end in their own") {
  Fixture f;
  f.store(f.append(sample("A")), {"pas"});
  f.clock.set_wall({kStart + kDay});
  f.store(f.append(sample("B")), {"pas"});
  f.clock.set_wall({kStart});  // the clock going back opens nothing
  f.store(f.append(sample("C")), {"pas"});
  auto files = base::system_env().list(f.folder.path() + "/journal");
  REQUIRE(files.has_value());
  CHECK(std::count_if(files->begin(), files->end(), [](const auto& e) { return e.name.ends_with(".db"); }) == 2);
  CHECK(f.pending("pas").size() == 3);
  f.end(1, "pas");
  f.reopen(false);
  REQUIRE(f.pending("pas").size() == 2);
  CHECK(f.pending("pas")[0].id == 2);
  CHECK(f.append(sample("D")) == 4);
  auto reader = f.reader();
  CHECK(reader.message(1)->message.control_id == "A");
  CHECK(reader.message(3)->message.control_id == "C");
  CHECK(reader.message(1)->message.config_hash == "c1");
  CHECK(reader.message(3)->message.config_hash == "c1");
}

TEST_CASE("duplicates are found by the whole key, also after a restart") {
  Fixture f;
  f.append(sample("A", 7));
  DedupeKey same{}, near_miss{};
  same[0] = near_miss[0] = 7;
  near_miss[15] = 1;
  const auto find = [&](const DedupeKey& key) {
    MessageId found = 99;
    f.journal->find_duplicate(key, [&](auto r) { found = r.value(); });
    return found;
  };
  for (int round = 0; round < 2; ++round) {
    CHECK(f.journal->maybe_seen(same));
    CHECK(find(same) == 1);
    CHECK(find(near_miss) == 0);
    f.reopen(false);
  }
}

TEST_CASE("what rides on later commits is not missed after a crash") {
  Fixture f;
  const MessageId count = 3000;  // several rounds of dedupe keys and of `settled_to`
  std::set<MessageId> waiting;
  for (MessageId i = 1; i <= count; ++i) {
    NewMessage m = sample("M" + std::to_string(i));
    std::memcpy(m.dedupe.data(), &i, sizeof i);
    const MessageId id = f.append(m);
    if (i % 500 == 499)
      waiting.insert(id);
    else
      f.store(id, i % 2 == 0 ? std::vector<std::string>{"pas"} : std::vector<std::string>{"repo", "pas"});
    if (i % 3 == 0 && waiting.count(id) == 0) f.end(id, "pas");
  }
  for (const MessageId late : {499, 1499}) {  // far behind the others
    f.store(late, {"pas"});
    waiting.erase(late);
  }
  for (int round = 0; round < 2; ++round) {
    CHECK(f.reader().search(*parse_query_text("state:unprocessed", {kStart}), {})->size() == waiting.size());
    f.reopen(false);
    const auto& found = f.journal->recovered().unprocessed;
    CHECK(std::set<MessageId>(found.begin(), found.end()) == waiting);
    bool all_seen = true;
    for (MessageId i = 1; i <= count; ++i) {
      DedupeKey key{};
      std::memcpy(key.data(), &i, sizeof i);
      all_seen = all_seen && f.journal->maybe_seen(key);
    }
    CHECK(all_seen);
  }
}

TEST_CASE("a journal that was moved away does not give numbers again that others remember") {
  Fixture f;
  for (const char* id : {"A", "B"}) f.append(sample(id));
  f.used_up_to = 1;  // less than the journal knows: nothing changes
  f.reopen(true);
  CHECK(f.append(sample("C")) == 3);
  REQUIRE(f.journal->close().has_value());
  f.journal.reset();
  std::filesystem::rename(f.folder.path() + "/journal", f.folder.path() + "/away");
  f.used_up_to = 3;
  f.open();
  CHECK(f.append(sample("D")) == 4);
  f.used_up_to = 9;
  f.reopen(true);
  CHECK(f.append(sample("E")) == 10);
  f.store(10, {"pas"});
  f.reopen(false);
  CHECK(f.pending("pas").size() == 1);
  CHECK(f.journal->recovered().unprocessed == std::vector<MessageId>{4});
}

TEST_CASE("attempts to process a message count on over restarts") {
  Fixture f;
  f.append(sample("A"));
  for (std::uint32_t attempt = 1; attempt <= 3; ++attempt) {
    std::uint32_t counted = 0;
    f.journal->note_processing(1, [&](auto r) { counted = r.value(); });
    CHECK(counted == attempt);
    f.reopen(false);
  }
}

TEST_CASE("a flipped bit is found and never delivered") {
  Fixture f;
  f.store(f.append(sample("A", 7)), {"repo", "pas"});
  REQUIRE(f.journal->close().has_value());
  f.journal.reset();
  base::DatabaseOptions options;
  auto files = base::system_env().list(f.folder.path() + "/journal");
  for (const auto& file : *files)
    if (file.name.ends_with(".db")) options.path = f.folder.path() + "/journal/" + file.name;
  {
    auto db = base::Database::open(options);
    REQUIRE(db->exec("UPDATE msg SET body = CAST('MSH|^~\\&|HIS|B' AS BLOB)").has_value());
  }
  f.open();
  CHECK(f.pending("pas").empty());
  CHECK(f.pending("repo").size() == 1);
  bool corrupt = false;
  f.journal->read_message(1, [&](auto r) { corrupt = !r && r.error().code == base::ErrorCode::corrupt_record; });
  CHECK(corrupt);
  auto reader = f.reader();
  CHECK(reader.summary(1)->destinations[0].ending.code == "corrupt-record");
  MessageId known = 0;
  f.journal->find_duplicate(sample("A", 7).dedupe, [&](auto r) { known = r.value(); });
  CHECK(known == 1);  // its key is not what changed
}

TEST_CASE("one bad change does not spoil its group") {
  Fixture f;
  const MessageId id = f.append(sample("A"));
  f.store(id, {"pas"});
  Processed again;
  again.id = id;
  again.channel = "adt_in";
  again.outputs.resize(1);
  again.outputs[0].destination = "pas";  // the same key twice: refused by the table
  bool refused = false;
  f.journal->store(again, [&](base::Status s) { refused = !s.has_value(); });
  f.journal->flush();
  CHECK(refused);
  CHECK(f.pending("pas").size() == 1);
  CHECK(f.append(sample("B")) == 2);
}

TEST_CASE("search reads the newest first, filters and pages") {
  Fixture f;
  for (int i = 0; i < 10; ++i) {
    NewMessage m = sample("M" + std::to_string(i));
    m.received.micros += i * 1'000'000;
    if (i % 2 == 1) m.type = "ORU^R01^ORU_R01";
    f.store(f.append(m), {"pas"});
  }
  f.end(4, "pas", DeliveryState::quarantined);
  f.end(5, "pas");
  auto reader = f.reader();
  const auto ids = [&](const char* text, SearchOptions options = {}) {
    auto query = parse_query_text(text, {kStart + 20'000'000});
    REQUIRE(query.has_value());
    std::string out;
    auto found = reader.search(*query, options);
    REQUIRE(found.has_value());
    for (const auto& summary : *found) out += std::to_string(summary.id) + " ";
    return out;
  };
  CHECK(ids("") == "10 9 8 7 6 5 4 3 2 1 ");
  CHECK(ids("type:ORU") == "10 8 6 4 2 ");
  CHECK(ids("id:M3 AND channel:adt_in") == "4 ");
  CHECK(ids("state:quarantined") == "4 ");
  CHECK(ids("state:pending type:ADT") == "9 7 3 1 ");
  CHECK(ids("-state:pending") == "5 4 ");
  CHECK(ids("dest:pas msg:4..6") == "6 5 4 ");
  CHECK(ids("dest:adt_in/pas msg:4..6") == "6 5 4 ");
  CHECK(ids("dest:repo") == "");
  CHECK(ids("since:13s") == "10 9 8 ");
  CHECK(ids("7") == "7 ");
  CHECK(ids("", {3, 8, false, 0}) == "7 6 5 ");
  CHECK(ids("", {3, 0, true, 4}) == "5 6 7 ");
}

TEST_CASE("a search in parts finds the same as one read") {
  Fixture f;
  for (int day = 0; day < 3; ++day) {
    f.clock.set_wall({kStart + day * kDay});
    for (int i = 0; i < 7; ++i) {
      const MessageId id = f.append(sample("M" + std::to_string(i)));
      f.store(id, {"pas"});
      if (i % 3 == 0) f.end(id, "pas");
    }
  }
  auto reader = f.reader();
  for (const char* text : {"", "state:pending", "state:sent", "id:M4", "dest:pas -state:sent", "msg:5..9", "-msg:5..9", "dest:repo"})
    for (const bool oldest_first : {false, true})
      for (const std::size_t limit : {2u, 50u})
        for (const MessageId edge : {0u, 8u}) {
          INFO(text << " " << oldest_first << " " << limit << " " << edge);
          SearchOptions options{limit, oldest_first ? 0 : edge, oldest_first, oldest_first ? edge : 0};
          const auto ids = [&](std::uint64_t ids_per_read) {
            options.ids_per_read = ids_per_read;
            auto found = reader.search(*parse_query_text(text, {kStart}), options);
            REQUIRE(found.has_value());
            std::string out;
            for (const auto& summary : *found) out += std::to_string(summary.id) + " ";
            return out;
          };
          const std::string whole = ids(20'000);
          CHECK(ids(1) == whole);
          CHECK(ids(3) == whole);
          CHECK(whole.empty() == (std::string(text) == "dest:repo"));
        }
  CHECK(reader.search(*parse_query_text("state:pending", {kStart}), {})->size() == 12);
}

TEST_CASE("a search does not keep the log from being emptied") {
  Fixture f;
  for (int i = 0; i < 4; ++i) f.store(f.append(sample("M" + std::to_string(i))), {"pas"});
  auto reader = f.reader();
  REQUIRE(reader.search(*parse_query_text("state:pending", {kStart}), {1, 0, false, 0, 1})->size() == 1);
  const auto wal_bytes = [&] {
    std::uint64_t out = 0;
    const auto listed = base::system_env().list(f.folder.path() + "/journal");
    for (const auto& file : *listed)
      if (file.name.ends_with("-wal")) out += file.size;
    return out;
  };
  REQUIRE(f.journal->close().has_value());  // empties the log as far as readers allow
  const std::uint64_t before = wal_bytes();
  f.append(sample("X"));
  CHECK(wal_bytes() == before);  // written from its beginning again; behind a reader it would have grown
  CHECK(reader.search(*parse_query_text("", {kStart}), {})->size() == 5);
}

TEST_CASE("a page of the queue that one file cuts short does not go on with the next file") {
  Fixture f;
  for (int day = 0; day < 2; ++day) {
    f.clock.set_wall({kStart + day * kDay});
    for (int i = 0; i < 3; ++i) f.store(f.append(sample("D" + std::to_string(day) + std::to_string(i))), {"pas"});
  }
  std::string ids;
  for (MessageId after = 0;;) {
    std::vector<PendingOutput> page;
    f.journal->read_pending("adt_in", "pas", after, 100, 20, [&](auto r) { page = std::move(*r); });  // two bodies
    if (page.empty()) break;
    for (const auto& output : page) ids += std::to_string(output.id) + " ";
    after = page.back().id;
  }
  CHECK(ids == "1 2 3 4 5 6 ");
}

TEST_CASE("a file whose creation was interrupted is completed, not refused") {
  Fixture f;
  f.store(f.append(sample("A")), {"pas"});
  const std::string next = f.folder.path() + "/journal/000002-20261119.db";
  SECTION("while the engine runs: a full disk at midnight") {
    { auto empty = base::Database::open({.path = next}); REQUIRE(empty.has_value()); }
    CHECK(f.reader().message(1).has_value());
    f.clock.set_wall({kStart + kDay});
    CHECK(f.append(sample("B")) == 2);
  }
  SECTION("at the next start") {
    REQUIRE(base::system_env().open_append(next).has_value());
    f.reopen(false);
    CHECK(f.journal->recovered().last_id == 1);
    CHECK(f.append(sample("B")) == 2);
  }
  std::string found;
  for (MessageId id = 1; id <= 2; ++id)
    f.journal->read_message(id, [&](auto r) { found += r ? r->message.control_id : "-"; });
  CHECK(found == "AB");
  CHECK(f.reader().message(2)->message.control_id == "B");
}

TEST_CASE("a part detached after midnight is found") {
  Fixture f;
  const MessageId whole = f.append(sample("A"));
  f.clock.set_wall({kStart + kDay});
  f.append(sample("B"));
  Processed p;
  p.id = whole;
  p.channel = "adt_in";
  p.children.push_back(sample("part"));
  p.child_endings.resize(1);
  p.child_endings[0].destination = kNoDestination;
  f.journal->store(p, [](base::Status s) { REQUIRE(s.has_value()); });
  std::string found;
  f.journal->read_message(3, [&](auto r) { found = r ? r->message.control_id : r.error().message(); });
  CHECK(found == "part");
  CHECK(f.reader().message(3)->message.parent == whole);
  CHECK(f.append(sample("C")) == 4);
}

TEST_CASE("a wrong query says what is wrong") {
  for (const auto& [text, remedy] : std::vector<std::pair<const char*, const char*>>{
           {"chanel:x", "did you mean `channel:`"}, {"state:lost", "pending"}, {"since:soon", "2h"}, {"msg:x", "msg:4711"}}) {
    const auto query = parse_query_text(text, {0});
    REQUIRE_FALSE(query.has_value());
    CHECK(query.error().code == base::ErrorCode::query_syntax);
    CHECK(query.error().remedy.find(remedy) != std::string::npos);
  }
}
