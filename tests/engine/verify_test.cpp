// `kiln verify`: balanced books are said to be so, and each kind of fault is found (reliability.md R6, R14).
#include <catch2/catch.hpp>

#include "engine/base/text.h"
#include "engine/journal/sqlite_journal.h"
#include "engine/vault/verify.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

constexpr std::int64_t kDay = 86'400'000'000;
constexpr std::int64_t kStart = 1'795'000'000'000'000;

struct Fixture {
  test::TempFolder folder;
  base::ManualClock clock{{kStart}};
  base::InlineExecutor committer;
  std::unique_ptr<SqliteJournal> journal;
  MessageId used_up_to = 0;

  Fixture() { open(); }
  void open() {
    journal.reset();
    JournalOptions options;
    options.folder = folder.path("journal");
    options.used_up_to = used_up_to;
    auto opened = SqliteJournal::open(base::system_env(), clock, committer, options, [] { FAIL("no sync fails here"); });
    REQUIRE(opened.has_value());
    journal = std::move(*opened);
    journal->keep_config("c1", "the site");
  }
  /// A message with two outputs of which one is sent, and one that waits.
  MessageId add() {
    MessageId id = 0;
    NewMessage m;
    m.channel = "adt_in";
    m.config_hash = "c1";
    m.body = "MSH|^~\\&|HIS";
    journal->append(m, [&](auto r) { id = r.value(); });
    Processed p;
    p.id = id;
    p.channel = "adt_in";
    p.outputs.resize(2);
    p.outputs[0].destination = "repo";
    p.outputs[0].body = "{\"a\":1}";
    p.outputs[1].destination = "pas";
    p.outputs[1].is_source = true;
    journal->store(p, [](auto s) { REQUIRE(s.has_value()); });
    Ending e;
    e.destination = "repo";
    e.sent_hash = base::sha256("{\"a\":1}");
    journal->end(id, "adt_in", e, [](auto s) { REQUIRE(s.has_value()); });
    journal->flush();
    return id;
  }
  void harm(const char* sql) {
    REQUIRE(journal->close().has_value());
    journal.reset();
    base::DatabaseOptions options;
    options.path = folder.path("journal/000001-20261118.db");
    auto database = base::Database::open(options);
    REQUIRE(database.has_value());
    REQUIRE(database->exec(sql).has_value());
  }
  VerifyReport verify(bool full = true) {
    VerifyOptions options;
    options.full = full;
    auto report = verify_journal(base::system_env(), folder.path("journal"), options);
    REQUIRE(report.has_value());
    return std::move(*report);
  }
};

/// Codes of the findings.
std::string print(const VerifyReport& report) {
  std::string out;
  for (const Finding& finding : report.findings) out += finding.code + " " + std::to_string(finding.id) + "; ";
  return out;
}

}  // namespace

TEST_CASE("verify: books that balance, over two days and a skipped range, beside a running engine") {
  Fixture f;
  f.add();
  f.add();
  f.used_up_to = 10;
  f.open();
  CHECK(f.add() == 11);
  f.clock.set_wall({kStart + kDay});
  CHECK(f.add() == 12);
  const VerifyReport report = f.verify();
  CHECK(print(report) == "");
  CHECK(report.messages == 4);
  CHECK(report.files == 2);
  CHECK(report.last == 12);
  CHECK(report.books.at("adt_in/repo").ended[0] == 4);
  CHECK(report.books.at("adt_in/pas").pending == 4);
  CHECK(report.records == 16);  // four messages, four that wait, four that were sent, and how these ended
  CHECK(report.locked == 0);
  CHECK(print_report(report).find("the books balance") != std::string::npos);
  CHECK(print_report_json(report).find("\"findings_total\":0") != std::string::npos);
}

TEST_CASE("verify finds each kind of fault, and says so in the exit of the report") {
  const std::pair<const char*, const char*> kFaults[] = {
      {"DELETE FROM msg WHERE id=2; DELETE FROM outbox WHERE msg_id=2; DELETE FROM delivery WHERE msg_id=2;"
       " DELETE FROM output WHERE id/1024=2; UPDATE waiting SET count=2",
       "sequence-gap 2; "},
      {"DELETE FROM outbox WHERE msg_id=2; DELETE FROM delivery WHERE msg_id=2;"
       " UPDATE waiting SET count=2; UPDATE meta SET value='3' WHERE key='settled_to'",
       "no-outcome 2; "},
      {"INSERT INTO delivery(msg_id, dest, state, attempts, in_doubt, code, detail, sent_hash, reply, updated_us) SELECT msg_id, 'adt_in/pas', 0, 1, 0, '', '', NULL, NULL, 0 FROM outbox WHERE msg_id=2",
       "two-states 2; "},
      {"UPDATE outbox SET msg_id=99 WHERE msg_id=3; UPDATE meta SET value='0' WHERE key='settled_to'",
       "orphan-output 99; "},
      {"UPDATE delivery SET msg_id=99 WHERE msg_id=3", "orphan-outcome 99; "},
      {"UPDATE output SET id=99*1024 WHERE id=3072", "orphan-record 99; "},
      {"UPDATE delivery SET code='AE' WHERE msg_id=3", "corrupt-record 3; "},
      {"UPDATE msg SET channel='lab_in' WHERE id=3", "corrupt-record 3; corrupt-record 3; "},
      {"UPDATE waiting SET count=7", "wrong-count 0; "},
      {"UPDATE msg SET body=x'4142' WHERE id=1", "corrupt-record 1; corrupt-record 1; "},
      {"UPDATE output SET body=x'4142' WHERE id=1024", "corrupt-record 1; "},
      {"UPDATE delivery SET sent_hash=zeroblob(32), sum=NULL WHERE msg_id=1 AND dest='adt_in/repo'", "sent-altered 1; "},
  };
  for (const auto& [sql, expected] : kFaults) {
    INFO(sql);
    Fixture f;
    for (int i = 0; i < 3; ++i) f.add();
    f.harm(sql);
    const VerifyReport report = f.verify();
    CHECK(print(report) == expected);
    CHECK(report.findings_total > 0);
  }
}

TEST_CASE("removed files are no gap, and what is still to come keeps a file") {
  Fixture f;
  const MessageId done = f.add();
  Ending e;
  e.destination = "pas";
  f.journal->end(done, "adt_in", e, [](auto) {});
  f.journal->flush();
  f.clock.set_wall({kStart + kDay});
  const MessageId waits = f.add();
  f.clock.set_wall({kStart + 2 * kDay});
  const MessageId quarantined = f.add();
  e.state = DeliveryState::quarantined;
  f.journal->end(quarantined, "adt_in", e, [](auto) {});
  f.journal->flush();
  f.clock.set_wall({kStart + 3 * kDay});
  f.add();
  const auto remove = [&f] {
    std::vector<std::uint32_t> gone;
    f.journal->remove_files({1, 2, 3, 4}, [&](auto r) { gone = r.value(); });
    return gone;
  };
  CHECK(remove() == std::vector<std::uint32_t>{1});
  CHECK_FALSE(base::system_env().exists(f.folder.path("journal/000001-20261118.db")));
  CHECK(print(f.verify()) == "");
  CHECK(f.verify().removed == 1);
  e.state = DeliveryState::sent;
  f.journal->end(waits, "adt_in", e, [](auto) {});
  f.journal->flush();
  CHECK(remove() == std::vector<std::uint32_t>{2});
  QuarantineNote note;
  note.resolution = Resolution::resolved;
  f.journal->note_quarantine(quarantined, "adt_in/pas", note, [](auto s) { REQUIRE(s.has_value()); });
  CHECK(remove() == std::vector<std::uint32_t>{3});
  f.clock.set_wall({kStart + 4 * kDay});
  f.add();
  f.open();
  CHECK(print(f.verify()) == "");
  CHECK(f.verify().removed == 3);
  CHECK(f.journal->recovered().last_id == 5);
  std::string config;
  f.journal->read_config("c1", [&](auto r) { config = r.value_or(""); });
  CHECK(config == "the site");
}
