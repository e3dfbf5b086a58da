// Every bit that changes in a record is noticed, with the number of its message, and never delivered (reliability.md R14, T20).
#include <catch2/catch.hpp>
#include <fstream>
#include <map>

#include "engine/base/text.h"
#include "engine/journal/reader.h"
#include "engine/journal/sqlite_journal.h"
#include "engine/vault/scrub.h"
#include "engine/vault/verify.h"
#include "tests/support/crash_disk.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

constexpr std::int64_t kStart = 1'795'000'000'000'000;

struct Fixture {
  test::TempFolder folder;
  base::ManualClock clock{{kStart}};
  base::InlineExecutor committer;
  std::unique_ptr<SqliteJournal> journal;
  MasterKeyPtr key;
  std::map<MessageId, std::string> bodies;  ///< as they were taken

  explicit Fixture(bool encrypts, int messages = 3) {
    if (encrypts) key = *MasterKey::parse(std::string(64, 'd'), "test");
    REQUIRE(open().has_value());
    for (int i = 0; i < messages; ++i) add(i);
    REQUIRE(journal->close().has_value());
    journal.reset();
  }
  std::string files() const { return folder.path("journal"); }
  std::string file() const { return files() + "/000001-20261118.db"; }
  base::Status open() {
    journal.reset();
    JournalOptions options;
    options.folder = files();
    options.files.master = key;
    options.files.attachment_min = 2000;
    auto opened = SqliteJournal::open(base::system_env(), clock, committer, options, [] { FAIL("no sync fails here"); });
    if (!opened) return base::fail(opened.error());
    journal = std::move(*opened);
    journal->keep_config("c1", "the site");
    return {};
  }
  void add(int i) {
    NewMessage m;
    m.channel = "adt_in";
    m.received = {kStart + i};
    m.config_hash = "c1";
    m.type = "ADT^A01";
    m.control_id = "M" + std::to_string(i);
    m.peer = "127.0.0.1:4";
    m.name = "n";
    m.action = "create";
    m.dedupe[0] = static_cast<unsigned char>(i + 1);
    m.body = "MSH|^~\\&|HIS|" + std::to_string(i) + "\rOBX|1|" + std::string(i == 1 ? 3000 : 20, 'x') + "\r";
    if (i == 1) {
      m.edited_from = 1;
      m.step.emplace();
      m.step->link = "adt_in/HIS|WARD";
      m.step->decision.verdict = hl7::SequenceVerdict::expected;
      m.step->decision.reply = "3";
      m.step->decision.next = {3, false, false};
    }
    MessageId id = 0;
    journal->append(m, [&](auto r) { id = r.value(); });
    bodies[id] = m.body;
    Processed p;
    p.id = id;
    p.channel = "adt_in";
    p.lookups = "[1]";
    for (const char* name : {"same", "made", "sent"}) {
      Output& output = p.outputs.emplace_back();
      output.destination = name;
      output.is_source = output.destination == "same";
      output.control_id = "O";
      output.order_key = "K";
      if (!output.is_source) output.body = "made " + std::to_string(i);
    }
    journal->store(p, [](auto s) { REQUIRE(s.has_value()); });
    Attempt attempt;
    attempt.number = 1;
    attempt.code = "AE";
    attempt.detail = "busy";
    attempt.reply = "MSA|AE";
    journal->note_attempt(id, "adt_in", "sent", attempt, nullptr);
    Ending e;
    e.destination = "sent";
    e.code = "AA";
    e.detail = "sent";
    e.reply = "MSA|AA";
    e.sent_hash = base::sha256(p.outputs[2].body);
    journal->end(id, "adt_in", e, [](auto s) { REQUIRE(s.has_value()); });
    if (i == 1) add_beside(id);
    journal->flush();
  }
  /// What operators, jobs and links leave beside a message.
  void add_beside(MessageId id) {
    Ending e;
    e.destination = "made";
    e.state = DeliveryState::quarantined;
    journal->end(id, "adt_in", e, [](auto s) { REQUIRE(s.has_value()); });
    QuarantineNote note{Resolution::resolved, "ada", "asked", "is known", "bob", {kStart}, 7};
    journal->note_quarantine(id, "adt_in/made", note, [](auto s) { REQUIRE(s.has_value()); });
    journal->set_hold({"destination:adt_in/same", HoldState::paused, "ada", "maintenance", {kStart}}, nullptr);
    JobRecord job;
    job.kind = "replay";
    job.spec = "{}";
    job.total = 9;
    job.requester = "ada";
    job.reason = "lost";
    job.detail = "waits";
    job.created = {kStart};
    journal->keep_job(job, nullptr);
    channels::Unframed bytes;
    bytes.head = "garbage";
    bytes.bytes = 7;
    bytes.peer = "127.0.0.1:5";
    bytes.name = "a.hl7";
    bytes.detail = "no trailer";
    bytes.received_at = {kStart};
    journal->note_unframed("adt_in", bytes);
  }
  base::Database database(bool read_only = false) {
    base::DatabaseOptions options;
    options.path = file();
    options.read_only = read_only;
    auto opened = base::Database::open(options);
    REQUIRE(opened.has_value());
    return std::move(*opened);
  }
  base::Result<VerifyReport> verify() {
    VerifyOptions options;
    options.full = true;
    options.master = key;
    return verify_journal(base::system_env(), files(), options);
  }
};

/// Columns of a record that only its own check can know; what the books check, or what may change, is left out.
const std::map<std::string, std::vector<std::string>> kColumns = {
    {"msg", {"received_us", "channel", "kind", "type", "control_id", "peer", "name", "action", "dedupe", "crc", "key_id", "config",
             "parent", "replay_of", "framing_fault", "size", "sum", "parts", "head", "body"}},
    {"outbox", {"kind", "is_source", "control_id", "options", "crc", "packed", "okey", "slot", "key_id", "sum"}},
    {"output", {"id", "dest", "kind", "control_id", "crc", "form", "key_id", "sum", "parts", "body"}},
    {"delivery", {"dest", "state", "attempts", "in_doubt", "code", "detail", "sent_hash", "reply", "updated_us", "key_id", "sum"}},
    {"attempt", {"dest", "n", "at_us", "took_us", "in_doubt", "code", "detail", "reply", "key_id", "sum"}},
    {"lookup", {"crc", "key_id", "answers"}},
    {"attachment", {"key_id", "crc", "body"}},
    {"quarantine", {"resolution", "owner", "note", "reason", "changed_by", "changed_us", "released_as", "key_id", "sum"}},
    {"origin", {"edited_from", "job", "sum"}},
    {"link", {"name", "verdict", "reply", "last", "resync", "frozen", "sum"}},
    {"hold", {"subject", "state", "set_by", "reason", "since_us", "sum"}},
    {"job", {"kind", "spec", "total", "requester", "reason", "detail", "created_us", "key_id", "sum"}},
    {"unframed", {"received_us", "channel", "kind", "peer", "name", "detail", "bytes", "key_id", "sum", "head"}}};

/// The number of the message a row is of, as SQL.
std::string message_of(const std::string& table) {
  if (table == "msg") return "id";
  if (table == "output") return "id/1024";
  if (table == "hold" || table == "job" || table == "unframed") return "0";  // of no message
  return table == "attachment" ? "2" : "msg_id";
}

}  // namespace

TEST_CASE("each byte of each column of a record is covered: a change is found under its message") {
  for (const bool encrypts : {false, true}) {
    Fixture f(encrypts);
    const auto pristine = base::system_env().read_file(f.file(), 1 << 30);
    REQUIRE(f.verify()->findings_total == 0);
    std::size_t flips = 0;
    for (const auto& [table, columns] : kColumns) {
      for (const std::string& column : columns) {
        // The value of one row, its type, and its key.
        struct Cell {
          std::string row, value;
          std::int64_t number = 0, id = 0;
          bool is_number = false, is_blob = false, is_null = false;
        };
        std::vector<Cell> cells;
        {
          base::Database database = f.database(true);
          const bool has_rowid = table != "outbox" && table != "delivery" && table != "attempt" && table != "quarantine";
          const std::string where = table == "hold" ? "'hold.state=1'" : has_rowid ? "'rowid='||rowid" : "'msg_id='||msg_id||' AND dest='''||dest||''''";
          auto select = database.prepare("SELECT " + where + ", " + message_of(table) + ", typeof(" + column + "), " + column +
                                         " FROM " + table + " WHERE " + message_of(table) + " IN (0, 2)");
          REQUIRE(select.has_value());
          while (select->step().value()) {
            Cell& cell = cells.emplace_back();
            cell.row = select->text(0);
            cell.id = select->integer(1);
            const std::string type(select->text(2));
            cell.is_number = type == "integer";
            cell.is_blob = type == "blob";
            cell.is_null = type == "null";
            if (cell.is_number) cell.number = select->integer(3);
            else cell.value = cell.is_blob ? select->blob(3) : select->text(3);
          }
        }
        REQUIRE_FALSE(cells.empty());
        for (const Cell& cell : cells) {
          const std::size_t bytes = cell.is_number ? 2 : cell.is_null ? 1 : std::max<std::size_t>(1, cell.value.size());
          for (std::size_t at = 0; at < bytes; at += std::max<std::size_t>(1, bytes / 5)) {
            INFO(table + "." + column + " of " + cell.row + ", byte " + std::to_string(at) + (encrypts ? ", sealed" : ""));
            {
              base::Database database = f.database();
              REQUIRE(database.exec("PRAGMA synchronous=OFF").has_value());
              auto update = database.prepare("UPDATE " + table + " SET " + column + "=? WHERE " + cell.row);
              REQUIRE(update.has_value());
              std::string value = cell.value.empty() ? std::string("x") : cell.value;
              if (!cell.value.empty()) value[at] = static_cast<char>(value[at] ^ 4);
              if (cell.is_null && (column == "parent" || column == "replay_of")) update->bind(1, std::int64_t{1});
              else if (cell.is_number) update->bind(1, cell.number ^ (at == 0 ? 1 : 64));
              else if (cell.is_blob || cell.is_null) update->bind_blob(1, value);
              else update->bind(1, std::string_view(value));
              const base::Status done = update->run();
              if (!done) continue;  // a constraint does not let it be so
            }
            const auto report = f.verify();
            REQUIRE(report.has_value());
            ++flips;
            const bool found = std::any_of(report->findings.begin(), report->findings.end(), [&](const Finding& finding) {
              return finding.id == static_cast<MessageId>(cell.id);
            });
            CHECK(found);
            std::ofstream(f.file(), std::ios::binary | std::ios::trunc) << *pristine;
          }
        }
      }
    }
    CHECK(flips > 150);
  }
}

TEST_CASE("bits that change anywhere in a file: what is delivered is what was taken, or nothing") {
  for (const bool encrypts : {false, true}) {
    Fixture f(encrypts, 12);
    const auto pristine = base::system_env().read_file(f.file(), 1 << 30);
    test::Chance chance(encrypts ? 41 : 40);
    std::size_t noticed = 0, harmless = 0;
    for (int round = 0; round < 150; ++round) {
      std::string bytes = *pristine;
      std::size_t at = chance.below(bytes.size());
      while (bytes[at] == 0) at = chance.below(bytes.size());  // most of a small file is empty pages
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << chance.below(8)));
      INFO("byte " + std::to_string(at));
      REQUIRE(base::system_env().write_file_atomic(f.file(), bytes).has_value());
      const auto report = f.verify();
      bool damaged = !report || report->findings_total > 0;
      if (f.open()) {
        const std::size_t before = f.bodies.size();
        for (const auto& taken : f.bodies)
          f.journal->read_message(taken.first, [&](auto r) {
            if (r) CHECK(r->message.body == taken.second);
            else damaged = true;
          });
        for (const char* destination : {"same", "made"}) {
          std::size_t waiting = 0;
          f.journal->read_pending("adt_in", destination, 0, 1000, 1 << 24, [&](auto r) {
            if (!r) return;
            waiting = r->size();
            for (const PendingOutput& output : *r) {
              const auto found = f.bodies.find(output.id);
              REQUIRE(found != f.bodies.end());
              CHECK(output.output.body ==
                    (output.output.is_source ? found->second : "made " + std::to_string(output.id - 1)));
              CHECK(output.output.control_id == "O");
              CHECK(output.output.order_key == "K");
            }
          });
          damaged = damaged || waiting < before;
        }
        f.journal.reset();
      } else {
        damaged = true;
      }
      ++(damaged ? noticed : harmless);
      for (const char* beside : {"-wal", "-shm"})
        if (base::system_env().exists(f.file() + beside)) REQUIRE(base::system_env().remove(f.file() + beside).has_value());
      for (int generation = 2; generation < 4; ++generation) {
        const std::string other = f.files() + "/00000" + std::to_string(generation) + "-20261118.db";
        if (base::system_env().exists(other)) REQUIRE(base::system_env().remove(other).has_value());
      }
    }
    CHECK(noticed > 50);
    CHECK(noticed + harmless == 150);
  }
}

TEST_CASE("the scrub finds a record that changed, names it once, and remembers how far it came") {
  for (const bool encrypts : {false, true}) {
    Fixture f(encrypts, 10);
    {
      base::Database database = f.database();
      REQUIRE(database.exec("UPDATE msg SET body=zeroblob(length(body)) WHERE id=4;"
                            "UPDATE delivery SET code='AE' WHERE msg_id=7").has_value());
    }
    const std::string note = f.folder.path("scrub.json");
    Scrub::Parts parts{&base::system_env(), &f.clock, f.files(), note, f.key};
    parts.messages_per_part = 3;
    Scrub scrub(parts);
    int steps = 0;
    while (scrub.step().value()) ++steps;
    CHECK(steps == 4);
    Scrub::State state = scrub.state();
    CHECK(state.last_full.micros == kStart);
    CHECK(state.records > 40);
    CHECK(state.locked == 0);
    REQUIRE(state.faults.size() >= 2);
    CHECK(state.faults.front().id == 4);
    CHECK(state.faults.back().id == 7);
    CHECK(state.faults.back().file == "000001-20261118.db");
    const std::uint64_t total = state.faults_total;
    while (scrub.step().value()) continue;
    CHECK(scrub.state().faults_total == total);  // known already
    CHECK(scrub.print_json().find("\"damaged\":" + std::to_string(total)) != std::string::npos);
    CHECK(Scrub(parts).state().last_full.micros == kStart);
    // Without the key the checksums tell.
    parts.master = nullptr;
    parts.note.clear();
    Scrub blind(parts);
    while (blind.step().value()) continue;
    CHECK(blind.state().faults_total >= 2);
    CHECK((blind.state().locked > 0) == encrypts);
  }
}

TEST_CASE("the scrub leaves a place behind that the disk does not give back, tells it once, and comes to the end") {
  test::CrashDisk disk;
  test::CrashEnv env(disk);
  base::ManualClock clock{{kStart}};
  base::InlineExecutor committer;
  const auto fill = [&](int day) {
    JournalOptions options;
    options.folder = "journal";
    clock.set_wall({kStart + day * std::int64_t{86'400'000'000}});
    auto journal = SqliteJournal::open(env, clock, committer, options, [] { FAIL("no sync fails here"); });
    REQUIRE(journal.has_value());
    (*journal)->keep_config("c1", "the site");
    for (int i = 0; i < 100; ++i) {
      NewMessage m;
      m.channel = "c";
      m.config_hash = "c1";
      m.body = "MSH|" + std::string(20'000, 'x');
      (*journal)->append(m, [](auto r) { REQUIRE(r.has_value()); });
    }
    REQUIRE((*journal)->close().has_value());
  };
  fill(0);
  fill(1);
  const auto walk = [](Scrub& scrub) {
    int steps = 0, refused = 0;
    for (; steps < 500; ++steps) {
      const auto more = scrub.step();
      if (!more) ++refused;
      if (more && !*more) break;
    }
    CHECK(steps < 500);
    return refused;
  };
  const std::string first = "journal/000001-20261118.db", second = "journal/000002-20261119.db";
  REQUIRE(disk.files.contains(second));
  const std::uint64_t middle = disk.files[first].bytes.size() / 2;
  Scrub::Parts parts{&env, &clock, "journal", "", nullptr};
  parts.messages_per_part = 20;
  {  // some pages
    disk.is_bad = [&](const std::string& path, std::uint64_t at) { return path == first && at >= middle && at < middle + 10 * 16'384; };
    Scrub scrub(parts);
    CHECK(walk(scrub) > 0);
    const Scrub::State state = scrub.state();
    CHECK(state.last_full.micros > 0);
    CHECK(state.faults_total >= 1);
    CHECK(state.faults_total <= 12);
    CHECK(state.records >= 185);
    for (const Scrub::Fault& fault : state.faults) CHECK(fault.file == "000001-20261118.db");
    walk(scrub);
    CHECK(scrub.state().faults_total == state.faults_total);
  }
  {  // one whole file
    disk.is_bad = [&](const std::string& path, std::uint64_t) { return path == first; };
    Scrub scrub(parts);
    CHECK(walk(scrub) > 0);
    CHECK(scrub.state().faults_total == 1);
    CHECK(scrub.state().records >= 100);
  }
  {  // once, for another reason: nothing is said of the record
    int left = 1;
    disk.is_bad = [&](const std::string& path, std::uint64_t at) { return path == first && at >= middle && left-- > 0; };
    Scrub scrub(parts);
    CHECK(walk(scrub) == 1);
    CHECK(scrub.state().faults_total == 0);
    CHECK(scrub.state().records >= 200);
  }
}
