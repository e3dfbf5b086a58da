// Large parts of bodies are kept apart, once for each content, and what is read is what came, byte for byte.
#include <catch2/catch.hpp>

#include "engine/base/text.h"
#include "engine/journal/body_parts.h"
#include "engine/journal/reader.h"
#include "engine/journal/sqlite_journal.h"
#include "engine/vault/backup.h"
#include "tests/support/crash_disk.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

constexpr std::int64_t kStart = 1'795'000'000'000'000;

std::string document(char fill, std::size_t size = 200'000) {
  std::string out(size, fill);
  for (std::size_t i = 0; i < out.size(); i += 76) out[i] = static_cast<char>('A' + i / 76 % 26);
  return out;
}

std::string result_with(const std::string& embedded) {
  return "MSH|^~\\&|LAB|L|KILN|K|20261118||ORU^R01|M1|P|2.5\rPID|1||4711\rOBX|1|ED|PDF^R||^application^pdf^Base64^" + embedded +
         "||||||F\rOBX|2|TX|C||done||||||F\r";
}

struct Fixture {
  test::TempFolder folder;
  base::ManualClock clock{{kStart}};
  base::InlineExecutor committer;
  std::unique_ptr<SqliteJournal> journal;
  bool encrypts = false, keep_sent = true;

  explicit Fixture(bool with_key = false) : encrypts(with_key) { open(); }
  MasterKeyPtr key() const {
    return encrypts ? *MasterKey::parse(std::string(64, 'c'), "test") : MasterKeyPtr();
  }
  void open() {
    journal.reset();
    JournalOptions options;
    options.folder = folder.path("data/journal");
    options.files.master = key();
    options.keep_sent = keep_sent;
    auto opened = SqliteJournal::open(base::system_env(), clock, committer, options, [] { FAIL("no sync fails here"); });
    if (!opened) FAIL(opened.error().message());
    journal = std::move(*opened);
    journal->keep_config("c1", "the site");
  }
  MessageId add(const std::string& body, channels::ContentKind kind = channels::ContentKind::hl7, const std::string& made = {}) {
    NewMessage m;
    m.channel = "lab_in";
    m.kind = kind;
    m.config_hash = "c1";
    m.body = body;
    MessageId id = 0;
    journal->append(m, [&](auto r) { id = r.value(); });
    Processed p;
    p.id = id;
    p.channel = "lab_in";
    p.outputs.resize(2);
    p.outputs[0].destination = "same";
    p.outputs[0].is_source = true;
    p.outputs[1].destination = "made";
    p.outputs[1].kind = kind;
    p.outputs[1].body = made.empty() ? body : made;
    journal->store(p, [](auto s) { REQUIRE(s.has_value()); });
    journal->flush();
    return id;
  }
  void end(MessageId id, const std::string& destination) {
    Ending e;
    e.destination = destination;
    journal->end(id, "lab_in", e, [](auto s) { REQUIRE(s.has_value()); });
    journal->flush();
  }
  void harm(const std::string& sql) {
    journal.reset();
    base::DatabaseOptions options;
    options.path = folder.path("data/journal/000001-20261118.db");
    auto database = base::Database::open(options);
    REQUIRE(database.has_value());
    REQUIRE(database->exec(sql.c_str()).has_value());
  }
  std::string pending(const std::string& destination, MessageId id) {
    std::string out;
    journal->read_pending("lab_in", destination, id - 1, 1, 1, [&](auto r) {
      REQUIRE(r.value().size() == 1);
      out = r.value()[0].output.body;
    });
    return out;
  }
  JournalReader reader() {
    auto made = JournalReader::open(base::system_env(), folder.path("data/journal"), key());
    REQUIRE(made.has_value());
    return std::move(*made);
  }
  std::int64_t number(const std::string& sql) {
    base::DatabaseOptions options;
    options.path = folder.path("data/journal/000001-20261118.db");
    options.read_only = true;
    auto database = base::Database::open(options);
    REQUIRE(database.has_value());
    auto select = database->prepare(sql);
    REQUIRE(select.has_value());
    REQUIRE(select->step().value());
    return select->integer(0);
  }
  VerifyReport verify() {
    VerifyOptions options;
    options.full = true;
    options.master = key();
    return verify_journal(base::system_env(), folder.path("data/journal"), options).value();
  }
};

}  // namespace

TEST_CASE("a document in OBX-5 stands apart from its message, once for all that hold it") {
  for (const bool with_key : {false, true}) {
    INFO(with_key);
    Fixture f(with_key);
    const std::string body = result_with(document('x'));
    const MessageId id = f.add(body);
    const MessageId again = f.add(body + "NTE|1\r");
    CHECK(f.number("SELECT length(body) FROM msg WHERE id=1") < 300);
    CHECK(f.number("SELECT size FROM msg WHERE id=1") == static_cast<std::int64_t>(body.size()));
    CHECK(f.number("SELECT length(body) FROM output WHERE id=1025") < 300);
    CHECK(f.number("SELECT count(*) FROM attachment") == 1);
    f.open();
    std::string read;
    f.journal->read_message(id, [&](auto r) { read = r.value().message.body; });
    CHECK(read == body);
    CHECK(f.pending("same", id) == body);
    CHECK(f.pending("made", id) == body);
    CHECK(f.pending("made", again) == body + "NTE|1\r");
    JournalReader reader = f.reader();
    CHECK(reader.message(id)->message.body == body);
    CHECK(reader.summary(id)->size == body.size());
    CHECK(reader.sent_output(id, "lab_in/made")->body == body);
    CHECK(f.verify().findings_total == 0);
  }
}

TEST_CASE("search looks into what stands apart") {
  for (const bool with_key : {false, true}) {
    Fixture f(with_key);
    f.add(result_with(document('x') + " hiddenword"));
    f.add(result_with("small"));
    const auto query = parse_query_text("text:hiddenword", f.clock.wall());
    JournalReader reader = f.reader();
    const auto found = reader.search(*query, {});
    REQUIRE(found.has_value());
    REQUIRE(found->size() == 1);
    CHECK(found->front().id == 1);
  }
}

TEST_CASE("a large body of another kind stands apart as a whole, and one of many small segments too") {
  Fixture f;
  const std::string table = "a,b\n" + document('1', 90'000);
  const MessageId csv = f.add(table, channels::ContentKind::csv);
  std::string many = "MSH|^~\\&|LAB\r";
  while (many.size() < limits::kHotBodyFactor * limits::kAttachmentMin + 100) many += "NTE|1||a line\r";
  const MessageId long_one = f.add(many);
  CHECK(f.number("SELECT max(length(body)) FROM msg") == 0);
  JournalReader reader = f.reader();
  CHECK(reader.message(csv)->message.body == table);
  CHECK(reader.message(long_one)->message.body == many);
  CHECK(f.pending("made", csv) == table);
}

TEST_CASE("what is taken apart is put together again, whatever it is") {
  Fixture f;
  base::DatabaseOptions options;
  options.path = f.folder.path("parts.db");
  auto database = base::Database::open(options);
  REQUIRE(database.has_value());
  REQUIRE(database->exec("CREATE TABLE attachment(id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, key_id INTEGER NOT NULL,"
                         " crc INTEGER NOT NULL, uses INTEGER, body BLOB NOT NULL)").has_value());
  FileKeys none;
  const RowSource file{*database, none};
  test::Chance chance(7);
  for (int round = 0; round < 300; ++round) {
    std::string body;
    const std::size_t size = chance.below(400);
    while (body.size() < size) {
      const std::uint64_t pick = chance.below(20);
      if (pick == 0) body += "\r";
      else if (pick == 1) body += "|";
      else if (pick == 2) body += "\n";
      else if (pick == 3) body += std::string(chance.below(60), static_cast<char>(chance.below(256)));
      else body += static_cast<char>(chance.below(256));
    }
    const auto kind = chance.below(3) == 0 ? channels::ContentKind::csv : channels::ContentKind::hl7;
    const std::size_t part_min = 1 + chance.below(40);
    auto parts = find_parts(body, kind, part_min);
    for (BodyPart& part : parts) {
      CHECK(part.length >= part_min);
      part.attachment = keep_attachment(file, std::string_view(body).substr(part.offset, part.length)).value();
    }
    if (parts.empty()) continue;
    const auto joined = join_parts(file, print_parts(parts), without_parts(body, parts));
    REQUIRE(joined.has_value());
    CHECK(*joined == body);
  }
  for (const char* wrong : {"", "x", "0:1", "0:1:1:1", "0:99999:1", "9999:1:1", "0:3:999999", "-1:3:1", "0:3:1,"}) {
    INFO(wrong);
    CHECK(join_parts(file, wrong, "rest").error().code == base::ErrorCode::corrupt_record);
  }
}

TEST_CASE("a damaged or missing part is never left out") {
  for (const char* sql : {"UPDATE attachment SET body=zeroblob(200000)", "DELETE FROM attachment",
                          "UPDATE msg SET parts='1:200000:1' WHERE id=1", "UPDATE attachment SET id=2"}) {
    INFO(sql);
    Fixture f;
    f.add(result_with(document('x')));
    REQUIRE(f.journal->close().has_value());
    f.journal.reset();
    {
      base::DatabaseOptions options;
      options.path = f.folder.path("data/journal/000001-20261118.db");
      auto database = base::Database::open(options);
      REQUIRE(database->exec(sql).has_value());
    }
    CHECK(f.reader().message(1).error().code == base::ErrorCode::corrupt_record);
    CHECK(f.verify().findings_total > 0);
    f.open();
    f.journal->read_pending("lab_in", "same", 0, 10, 1 << 20, [](auto r) { CHECK(r.value().empty()); });
    std::optional<Ending> ended;
    f.journal->flush();
    f.journal->read_ending(1, "lab_in/same", [&](auto r) { ended = r.value(); });
    REQUIRE(ended.has_value());
    CHECK(ended->code == "corrupt-record");
  }
}

TEST_CASE("a backup holds the parts") {
  Fixture f;
  const std::string body = result_with(document('y'));
  f.add(body);
  f.journal->cut([&](base::Result<SqliteJournal::Cut> cut) {
    BackupOptions options;
    options.data_folder = f.folder.path("data");
    options.target = f.folder.path("backup");
    options.now = f.clock.wall();
    options.gentle = false;
    REQUIRE(make_backup(base::system_env(), std::move(cut.value()), options).has_value());
  });
  CHECK(verify_backup(base::system_env(), f.folder.path("backup"))->report.findings_total == 0);
  auto copy = JournalReader::open(base::system_env(), f.folder.path("backup/journal"));
  REQUIRE(copy.has_value());
  CHECK(copy->message(1)->message.body == body);
}

TEST_CASE("a document that is damaged on the disk is not taken for the same one that comes again, and is whole after it") {
  for (const bool with_key : {false, true}) {
    INFO(with_key);
    Fixture f(with_key);
    const std::string body = result_with(document('x'));
    const MessageId id = f.add(body);
    f.harm("UPDATE attachment SET body=zeroblob(length(body))");
    f.open();
    base::ErrorCode damaged = base::ErrorCode::internal;
    f.journal->read_message(id, [&](auto r) { damaged = r.error().code; });
    CHECK(damaged == base::ErrorCode::corrupt_record);
    const MessageId again = f.add(body + "NTE|1\r");
    JournalReader reader = f.reader();
    CHECK(reader.message(again)->message.body == body + "NTE|1\r");
    CHECK(reader.sent_output(again, "lab_in/made")->body == body + "NTE|1\r");
    CHECK(reader.message(id)->message.body == body);
    CHECK(f.number("SELECT count(*) FROM attachment") == 1);
    CHECK(f.verify().findings_total == 0);
  }
}

TEST_CASE("what nobody wants kept after it was sent goes with its large parts, but for those that something else has") {
  for (const bool with_key : {false, true}) {
    INFO(with_key);
    Fixture f(with_key);
    f.keep_sent = false;
    f.open();
    const std::string body = result_with(document('x')), made = result_with(document('y')), shared = result_with(document('z'));
    const MessageId id = f.add(body, channels::ContentKind::hl7, made);     // a part of its own for what was made
    const MessageId other = f.add(body, channels::ContentKind::hl7, shared);
    const MessageId third = f.add(body, channels::ContentKind::hl7, shared);  // and one that two outputs have
    CHECK(f.number("SELECT count(*) FROM attachment") == 3);
    f.end(id, "made");
    CHECK(f.number("SELECT count(*) FROM attachment") == 2);
    f.end(other, "made");
    CHECK(f.number("SELECT count(*) FROM attachment") == 2);
    CHECK(f.pending("made", third) == shared);
    f.end(third, "made");
    CHECK(f.number("SELECT count(*) FROM attachment") == 1);
    // The message itself stays whole, also when the count were wrong.
    const MessageId same = f.add(body);
    f.harm("UPDATE attachment SET uses=1");
    f.open();
    f.end(same, "made");
    CHECK(f.reader().message(same)->message.body == body);
    CHECK(f.number("SELECT count(*) FROM attachment") == 1);
    // Parts from before they were counted stay.
    f.harm("UPDATE attachment SET uses=NULL");
    f.open();
    const MessageId last = f.add("MSH|^~\\&|LAB\rOBX|1|", channels::ContentKind::hl7, body);
    f.end(last, "made");
    CHECK(f.reader().message(id)->message.body == body);
    CHECK(f.verify().findings_total == 0);
  }
}
