// Encryption at rest (security.md §7): what is sealed cannot be read without the key, cannot be moved, and is read through by
// everything that has the key.
#include <catch2/catch.hpp>
#include <set>

#include "engine/base/text.h"
#include "engine/index/indexer.h"
#include "engine/journal/reader.h"
#include "engine/journal/sqlite_journal.h"
#include "engine/vault/backup.h"
#include "engine/vault/retention.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

constexpr std::int64_t kDay = 86'400'000'000;
constexpr std::int64_t kStart = 1'795'000'000'000'000;  // 2026-11-18
const std::string kFirstKey(64, 'a'), kOtherKey(64, 'b');

MasterKeyPtr key_of(const std::string& text) {
  auto key = MasterKey::parse(text, "test");
  REQUIRE(key.has_value());
  return *key;
}

std::string from_hex(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return out;
}

struct Fixture {
  test::TempFolder folder;
  base::ManualClock clock{{kStart}};
  base::InlineExecutor committer;
  std::unique_ptr<SqliteJournal> journal;
  base::Env& env = base::system_env();
  std::size_t attachment_min = limits::kAttachmentMin;
  std::uint64_t records_per_key = limits::kRecordsPerKey;

  std::string files() const { return folder.path("data/journal"); }
  base::Status try_open(const MasterKeyPtr& key) {
    journal.reset();
    JournalOptions options;
    options.folder = files();
    options.files.master = key;
    options.files.attachment_min = attachment_min;
    options.files.records_per_key = records_per_key;
    auto opened = SqliteJournal::open(env, clock, committer, options, [] { FAIL("no sync fails here"); });
    if (!opened) return base::fail(opened.error());
    journal = std::move(*opened);
    journal->keep_config("c1", "the site");
    return {};
  }
  void open(const MasterKeyPtr& key) {
    const base::Status done = try_open(key);
    if (!done) FAIL(done.error().message());
  }
  JournalReader reader(const MasterKeyPtr& key) {
    auto made = JournalReader::open(env, files(), key);
    REQUIRE(made.has_value());
    return std::move(*made);
  }
  /// A message with everything that can stand beside one; each text of a patient or sender has the word `mark` in it.
  MessageId add(const std::string& mark) {
    NewMessage m;
    m.channel = "adt_in";
    m.received = clock.wall();
    m.config_hash = "c1";
    m.type = "ADT^A01";
    m.control_id = "C" + mark;
    m.name = "file-" + mark;
    m.body = "MSH|^~\\&|HIS|WARD|KILN|LAB|20261118||ADT^A01|C" + mark + "|P|2.5\rPID|1||" + mark + "||" + mark + "^Anna\r" +
             "OBX|1|ED|||" + std::string(3000, 'd') + mark + "\r";
    MessageId id = 0;
    journal->append(m, [&](auto r) { id = r.value(); });
    Processed p;
    p.id = id;
    p.channel = "adt_in";
    p.lookups = "[\"" + mark + "\"]";
    for (const char* name : {"repo", "pas", "late"}) {
      Output& output = p.outputs.emplace_back();
      output.destination = name;
      output.kind = channels::ContentKind::fhir;
      output.is_source = output.destination == "pas";
      output.control_id = "O" + mark;
      output.order_key = "K" + mark;
      output.rendered = {{"path", "out/" + mark}};
      if (!output.is_source) output.body = "{\"id\":\"" + mark + "\",\"for\":\"" + name + "\"}";
    }
    journal->store(p, [](auto s) { REQUIRE(s.has_value()); });
    Attempt attempt;
    attempt.number = 1;
    attempt.code = "AE";
    attempt.detail = "out/" + mark + ".hl7 is there already";
    attempt.reply = "MSA|AE|" + mark;
    journal->note_attempt(id, "adt_in", "repo", attempt, nullptr);
    Ending e;
    e.destination = "repo";
    e.state = DeliveryState::quarantined;
    e.detail = "out/" + mark + ".hl7 cannot be written";
    e.reply = "MSA|AR|" + mark;
    e.sent_hash = base::sha256("{\"id\":\"" + mark + "\",\"for\":\"repo\"}");
    journal->end(id, "adt_in", e, [](auto s) { REQUIRE(s.has_value()); });
    QuarantineNote note;
    note.note = "asked about " + mark;
    note.reason = mark + " is known";
    journal->note_quarantine(id, "adt_in/repo", note, [](auto s) { REQUIRE(s.has_value()); });
    JobRecord job;
    job.kind = "replay";
    job.spec = "{\"query\":\"mrn:" + mark + "\"}";
    job.reason = mark + " was missing";
    job.detail = mark + " stopped it";
    journal->keep_job(job, [](auto r) { REQUIRE(r.has_value()); });
    channels::Unframed unframed;
    unframed.head = "garbage " + mark;
    unframed.name = mark + ".hl7";
    journal->note_unframed("adt_in", unframed);
    journal->flush();
    return id;
  }
  void check(const MasterKeyPtr& key, MessageId id, const std::string& mark) {
    JournalReader all = reader(key);
    const auto stored = all.message(id);
    if (!stored) FAIL(stored.error().message());
    CHECK(stored->message.control_id == "C" + mark);
    CHECK(stored->message.name == "file-" + mark);
    CHECK(stored->message.body.ends_with(mark + "\r"));
    CHECK(stored->message.lookups == "[\"" + mark + "\"]");
    const auto summary = all.summary(id);
    REQUIRE(summary.has_value());
    CHECK(summary->control_id == "C" + mark);
    CHECK(summary->name == "file-" + mark);
    CHECK(summary->size == stored->message.body.size());
    REQUIRE(summary->destinations.size() == 3);
    CHECK(summary->destinations[0].ending.reply == "MSA|AR|" + mark);
    CHECK(summary->destinations[0].ending.detail == "out/" + mark + ".hl7 cannot be written");
    CHECK(summary->destinations[0].ending.sent_hash == base::sha256("{\"id\":\"" + mark + "\",\"for\":\"repo\"}"));
    REQUIRE(summary->destinations[0].note.has_value());
    CHECK(summary->destinations[0].note->note == "asked about " + mark);
    CHECK(summary->destinations[0].note->reason == mark + " is known");
    CHECK(all.sent_output(id, "adt_in/repo")->body == "{\"id\":\"" + mark + "\",\"for\":\"repo\"}");
    CHECK(all.sent_output(id, "adt_in/repo")->control_id == "O" + mark);
    CHECK(all.attempts(id, "adt_in/repo")->at(0).reply == "MSA|AE|" + mark);
    CHECK(all.attempts(id, "adt_in/repo")->at(0).detail == "out/" + mark + ".hl7 is there already");
    const auto waiting = all.pending_output(id, "adt_in/late");
    REQUIRE(waiting.has_value());
    CHECK(waiting->output.body == "{\"id\":\"" + mark + "\",\"for\":\"late\"}");
    CHECK(waiting->output.control_id == "O" + mark);
    CHECK(waiting->output.order_key == "K" + mark);
    CHECK(waiting->output.rendered[0].second == "out/" + mark);
    CHECK(all.pending_output(id, "adt_in/pas")->output.body == stored->message.body);
  }
  /// Files below a folder in whose bytes the word stands.
  std::string files_with(const std::string& below, const std::string& word) {
    std::string out;
    const auto entries = env.list(folder.path(below));
    REQUIRE(entries.has_value());
    for (const auto& entry : *entries) {
      if (entry.is_directory)
        out += files_with(below + "/" + entry.name, word);
      else if (env.read_file(folder.path(below + "/" + entry.name), 1 << 30)->find(word) != std::string::npos)
        out += entry.name + " ";
    }
    return out;
  }
  void harm(const std::string& sql) {
    journal.reset();
    base::DatabaseOptions options;
    options.path = files() + "/000001-20261118.db";
    auto database = base::Database::open(options);
    REQUIRE(database.has_value());
    const base::Status done = database->exec(sql.c_str());
    if (!done) FAIL(done.error().message());
  }
  VerifyReport verify(const MasterKeyPtr& key) {
    VerifyOptions options;
    options.full = true;
    options.master = key;
    auto report = verify_journal(env, files(), options);
    REQUIRE(report.has_value());
    return std::move(*report);
  }
  void index(const MasterKeyPtr& key) {
    Indexer indexer({&env, files(), folder.path("data/index"), {}, key});
    REQUIRE(indexer.catch_up().has_value());
  }
  std::string search(const std::string& text, const MasterKeyPtr& key, bool with_index) {
    JournalReader all = reader(key);
    if (with_index) all.use_index(env, folder.path("data/index"), {});
    const auto query = parse_query_text(text, clock.wall());
    REQUIRE(query.has_value());
    const auto found = all.search(*query, {});
    if (!found) return std::string(found.error().info().code);
    std::string out;
    for (const MessageSummary& one : *found) out += std::to_string(one.id) + " ";
    return out;
  }
};

}  // namespace

TEST_CASE("AES-256-GCM gives what its specification says (test cases 14 and 16)") {
  const std::string zero(32, '\0');
  CHECK(base::hex(Sealer(zero).seal_with(std::string(12, '\0'), "", std::string(16, '\0')).substr(12)) ==
        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
  const std::string key = from_hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
  const std::string text = from_hex(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
  const std::string of = from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const std::string sealed = Sealer(key).seal_with(from_hex("cafebabefacedbaddecaf888"), of, text);
  CHECK(base::hex(sealed.substr(12)) ==
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b");
  Sealer sealer(key);
  CHECK(sealer.open(of, sealed).value() == text);
  CHECK(sealer.open("other", sealed).error().code == base::ErrorCode::corrupt_record);
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string flipped = sealed;
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    CHECK_FALSE(sealer.open(of, flipped).has_value());
  }
  CHECK_FALSE(sealer.open(of, sealed.substr(0, 27)).has_value());
  std::set<std::string> nonces;
  for (int i = 0; i < 5000; ++i) nonces.insert(sealer.seal(of, "").value().substr(0, 12));
  CHECK(nonces.size() == 5000);
}

TEST_CASE("a master key is 32 bytes, and lies elsewhere than the data") {
  CHECK(MasterKey::parse(" " + kFirstKey + "\n", "x").has_value());
  CHECK((*MasterKey::parse(kFirstKey, "x"))->id() == (*MasterKey::parse("qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=", "x"))->id());
  for (const char* wrong : {"", "abc", "password password password password password password password pass"}) {
    const auto key = MasterKey::parse(wrong, "kiln.conf");
    REQUIRE_FALSE(key.has_value());
    CHECK(key.error().code == base::ErrorCode::journal_key);
    CHECK(key.error().place == "kiln.conf");
    CHECK(key.error().remedy.find("openssl rand -hex 32") != std::string::npos);
  }
}

TEST_CASE("with a master key no text of a patient is on the disk, and all of it can be read") {
  Fixture f;
  f.attachment_min = 1000;
  const MasterKeyPtr key = key_of(kFirstKey);
  f.open(key);
  const MessageId id = f.add("CANARY4711");
  f.index(key);
  f.check(key, id, "CANARY4711");
  CHECK(f.files_with("data", "CANARY4711") == "");
  CHECK(f.files_with("data", "dddddddddddddddd") == "");
  // Nor can what was sent be told by the hash of a message that somebody has.
  CHECK(f.files_with("data", base::sha256("{\"id\":\"CANARY4711\",\"for\":\"repo\"}")) == "");
  f.open(key);
  CHECK(f.files_with("data", "CANARY4711") == "");
  f.check(key, id, "CANARY4711");
  REQUIRE(f.journal->recovered().jobs.size() == 1);
  CHECK(f.journal->recovered().jobs[0].spec == "{\"query\":\"mrn:CANARY4711\"}");
  CHECK(f.journal->recovered().jobs[0].reason == "CANARY4711 was missing");
  CHECK(f.journal->recovered().jobs[0].detail == "CANARY4711 stopped it");
  // A new day takes the job over, sealed for its own file.
  f.clock.set_wall({kStart + kDay});
  f.add("CANARY4712");
  CHECK(f.files_with("data", "CANARY47") == "");
  f.open(key);
  CHECK(f.journal->recovered().jobs.size() == 2);
  const VerifyReport report = f.verify(key);
  CHECK(report.findings_total == 0);
  CHECK(report.locked == 0);
  CHECK(report.records > 10);
  // The same without a key would be found: the test can fail.
  Fixture clear;
  clear.open(nullptr);
  clear.add("CANARY4711");
  CHECK(clear.files_with("data", "CANARY4711") != "");
}

TEST_CASE("an encrypted journal is not opened without its key, nor with another one") {
  Fixture f;
  const MasterKeyPtr key = key_of(kFirstKey), other = key_of(kOtherKey);
  f.open(key);
  f.add("M");
  for (const MasterKeyPtr& wrong : {MasterKeyPtr(), other}) {
    const base::Status refused = f.try_open(wrong);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == base::ErrorCode::journal_key);
    CHECK(refused.error().place == "000001-20261118.db");
    CHECK(refused.error().text.find(key->id()) != std::string::npos);
    CHECK_FALSE(refused.error().remedy.empty());
    JournalReader reader = f.reader(wrong);
    CHECK(reader.message(1).error().code == base::ErrorCode::journal_key);
    CHECK(reader.sent_output(1, "adt_in/repo").error().code == base::ErrorCode::journal_key);
    CHECK(reader.pending_output(1, "adt_in/late").error().code == base::ErrorCode::journal_key);
    const auto summary = reader.summary(1);  // what is no patient's is shown
    REQUIRE(summary.has_value());
    CHECK(summary->type == "ADT^A01");
    CHECK(summary->control_id.empty());
    CHECK(summary->destinations[0].ending.reply.empty());
    CHECK(summary->destinations[0].ending.detail.empty());
    CHECK(f.search("channel:adt_in", wrong, false) == "1 ");
    CHECK(f.search("mrn:M", wrong, false) == "journal-key");
    // Its checksums tell of damage all the same.
    const VerifyReport report = f.verify(wrong);
    CHECK(report.findings_total == 0);
    CHECK(report.locked > 5);
  }
  f.open(key);
  f.check(key, 1, "M");
}

TEST_CASE("rows from before the key stay readable beside sealed ones, and search finds both") {
  Fixture f;
  const MasterKeyPtr key = key_of(kFirstKey);
  f.open(nullptr);
  const MessageId plain = f.add("BEFORE");
  f.index(nullptr);
  f.open(key);
  const MessageId sealed = f.add("AFTER");
  f.index(key);
  f.check(key, plain, "BEFORE");
  f.check(key, sealed, "AFTER");
  CHECK(f.files_with("data", "AFTER") == "");
  CHECK(f.verify(key).findings_total == 0);
  for (const bool with_index : {false, true}) {
    INFO(with_index);
    CHECK(f.search("mrn:BEFORE", key, with_index) == "1 ");
    CHECK(f.search("mrn:AFTER", key, with_index) == "2 ");
    CHECK(f.search("id:CBEFORE", key, with_index) == "1 ");
    CHECK(f.search("id:CAFTER", key, with_index) == "2 ");
    CHECK(f.search("text:anna", key, with_index) == "2 1 ");
    CHECK(f.search("path:PID-5.1=after", key, with_index) == "2 ");
    CHECK(f.search("mrn:NOBODY", key, with_index) == "");
  }
  // What ends now of the plain one is sealed too.
  Ending e;
  e.destination = "late";
  e.reply = "MSA|AA|LATER";
  f.journal->end(plain, "adt_in", e, [](auto s) { REQUIRE(s.has_value()); });
  f.journal->flush();
  CHECK(f.files_with("data", "LATER") == "");
  CHECK(f.reader(key).summary(plain)->destinations[0].ending.reply == "MSA|AA|LATER");
}

TEST_CASE("a repeated MSH-10 is noticed among sealed messages") {
  Fixture f;
  f.open(key_of(kFirstKey));
  for (int last = 1; last <= 2; ++last) {
    NewMessage m;
    m.channel = "adt_in";
    m.config_hash = "c1";
    m.control_id = "SAME";
    m.by_control_id = true;
    m.dedupe = {9, 9, 9, 9, static_cast<unsigned char>(last)};
    m.body = "MSH|";
    f.journal->append(m, [](auto r) { REQUIRE(r.has_value()); });
  }
  CHECK(f.reader(key_of(kFirstKey)).message(2)->message.same_id_as == 1);
}

TEST_CASE("a sealed record that is moved, cut or of another file is never taken for another one") {
  const std::pair<const char*, MessageId> kAttacks[] = {
      // sums are made right or absent: only the seal is left to tell
      {"UPDATE msg SET body=(SELECT body FROM msg WHERE id=2), crc=(SELECT crc FROM msg WHERE id=2), sum=NULL WHERE id=1", 1},
      {"UPDATE msg SET head=(SELECT head FROM msg WHERE id=2), sum=NULL WHERE id=1", 1},
      {"UPDATE msg SET channel='lab_in', sum=NULL WHERE id=1", 1},
      {"UPDATE output SET body=(SELECT body FROM output WHERE id=2048), crc=(SELECT crc FROM output WHERE id=2048), sum=NULL"
       " WHERE id=1024", 1},
      {"UPDATE outbox SET options=(SELECT options FROM outbox WHERE msg_id=2 AND dest='adt_in/late'), crc=(SELECT crc FROM outbox"
       " WHERE msg_id=2 AND dest='adt_in/late'), sum=NULL WHERE msg_id=1 AND dest='adt_in/late'", 1},
      {"UPDATE delivery SET reply=(SELECT reply FROM delivery WHERE msg_id=2), sum=NULL WHERE msg_id=1", 1},
      {"UPDATE delivery SET detail=(SELECT detail FROM delivery WHERE msg_id=2), sum=NULL WHERE msg_id=1", 1},
      {"UPDATE delivery SET sent_hash=(SELECT sent_hash FROM delivery WHERE msg_id=2), sum=NULL WHERE msg_id=1", 1},
      {"UPDATE attempt SET reply=(SELECT reply FROM attempt WHERE msg_id=2), sum=NULL WHERE msg_id=1", 1},
      {"UPDATE attempt SET detail=(SELECT detail FROM attempt WHERE msg_id=2), sum=NULL WHERE msg_id=1", 1},
      {"UPDATE msg SET key_id=7, sum=NULL WHERE id=1", 1},
  };
  const MasterKeyPtr key = key_of(kFirstKey);
  for (const auto& [sql, id] : kAttacks) {
    INFO(sql);
    Fixture f;
    f.open(key);
    f.add("ONE");
    f.add("TWO");
    f.harm(sql);
    const VerifyReport report = f.verify(key);
    REQUIRE(report.findings_total > 0);
    for (const Finding& finding : report.findings) CHECK(finding.id == id);
    f.check(key, 2, "TWO");
  }
  // A file under the number of another one.
  Fixture f;
  f.open(key);
  f.add("ONE");
  REQUIRE(f.journal->close().has_value());
  f.journal.reset();
  REQUIRE(f.env.rename(f.files() + "/000001-20261118.db", f.files() + "/000002-20261118.db", false).has_value());
  CHECK(f.try_open(key).error().code == base::ErrorCode::journal_key);
}

TEST_CASE("a data key that has sealed enough is followed by another one") {
  Fixture f;
  f.records_per_key = 60;
  const MasterKeyPtr key = key_of(kFirstKey);
  f.open(key);
  for (int i = 0; i < 30; ++i) f.add("M" + std::to_string(i));
  f.open(key);
  for (MessageId id = 1; id <= 30; ++id) f.check(key, id, "M" + std::to_string(id - 1));
  f.harm("CREATE TABLE t(x); DROP TABLE t");  // a look at the file
  base::DatabaseOptions options;
  options.path = f.files() + "/000001-20261118.db";
  auto database = base::Database::open(options);
  auto keys = database->prepare("SELECT count(*), count(DISTINCT m.key_id) FROM data_key k JOIN msg m ON m.key_id=k.id");
  REQUIRE(keys->step().value());
  CHECK(keys->integer(1) >= 4);
}

TEST_CASE("what a key seals beyond what was noted is counted, and a reader that is open knows a key that comes later") {
  Fixture f;
  f.records_per_key = 60;
  const MasterKeyPtr key = key_of(kFirstKey);
  f.open(key);
  f.add("FIRST");
  JournalReader open_before = f.reader(key);
  REQUIRE(open_before.message(1).has_value());
  // One transaction that seals ten times what a key may.
  for (int i = 0; i < 300; ++i) {
    NewMessage m;
    m.channel = "adt_in";
    m.config_hash = "c1";
    m.control_id = "G" + std::to_string(i);
    m.body = "MSH|";
    f.journal->append_with_next(m, [](auto r) { REQUIRE(r.has_value()); });
  }
  f.journal->flush();
  const MessageId last = f.add("LAST");
  CHECK(open_before.message(last)->message.control_id == "CLAST");
  CHECK(open_before.message(150)->message.control_id == "G148");
  base::DatabaseOptions options;
  options.path = f.files() + "/000001-20261118.db";
  options.read_only = true;
  auto database = base::Database::open(options);
  auto used = database->prepare("SELECT (SELECT max(used) FROM data_key),"
                                " (SELECT 2*max(n) FROM (SELECT count(*) n FROM msg GROUP BY key_id)),"
                                " (SELECT count(DISTINCT key_id) FROM msg)");
  REQUIRE(used->step().value());
  CHECK(used->integer(0) >= used->integer(1));
  CHECK(used->integer(2) >= 2);
}

TEST_CASE("a repeated message is known by a code of its key: over a change of day, a restart, and from before the master key") {
  Fixture f;
  const MasterKeyPtr key = key_of(kFirstKey);
  const auto dedupe = [](int n) {
    const std::string hash = base::sha256("message " + std::to_string(n));
    DedupeKey out;
    std::copy_n(hash.begin(), out.size(), out.begin());
    return out;
  };
  const auto add = [&](int n) {
    NewMessage m;
    m.channel = "adt_in";
    m.config_hash = "c1";
    m.dedupe = dedupe(n);
    m.body = "MSH|";
    f.journal->append(m, [](auto r) { REQUIRE(r.has_value()); });
  };
  const auto find = [&](int n) {
    MessageId out = 99;
    f.journal->find_duplicate(dedupe(n), [&](auto r) { out = r.value(); });
    return f.journal->maybe_seen(dedupe(n)) ? out : 0;
  };
  const auto bytes_of = [&](int n) {
    const DedupeKey bytes = dedupe(n);
    return std::string(bytes.begin(), bytes.end());
  };
  f.open(nullptr);
  add(1);
  f.open(key);
  add(2);
  f.clock.set_wall({kStart + kDay});
  add(3);
  for (int round = 0; round < 2; ++round) {
    CHECK(find(1) == 1);
    CHECK(find(2) == 2);
    CHECK(find(3) == 3);
    CHECK(find(4) == 0);
    f.open(key);
  }
  f.journal.reset();
  CHECK(f.files_with("data", bytes_of(1)) != "");
  CHECK(f.files_with("data", bytes_of(2)) == "");
  CHECK(f.files_with("data", bytes_of(2).substr(0, 8)) == "");
  CHECK(f.files_with("data", bytes_of(3)) == "");
}

TEST_CASE("a job whose record is damaged is set aside and told: intake goes on at midnight, and a start is not refused") {
  for (const char* harm : {"UPDATE job SET spec=zeroblob(length(spec)), sum=NULL", "UPDATE job SET spec=zeroblob(length(spec))",
                           "UPDATE job SET kind='other'"}) {
    INFO(harm);
    Fixture f;
    const MasterKeyPtr key = key_of(kFirstKey);
    f.open(key);
    f.add("ONE");
    f.harm(harm);
    CHECK(f.verify(key).findings_total == 1);
    f.open(key);
    CHECK(f.journal->recovered().jobs.empty());
    const auto look = [&f] {
      std::vector<JobRecord> out;
      f.journal->read_jobs(10, [&](auto r) { out = r.value(); });
      return out;
    };
    REQUIRE(look().size() == 1);
    CHECK(look()[0].damaged);
    CHECK(look()[0].state == JobState::failed);
    CHECK(look()[0].detail == "the record of the job is damaged");
    f.clock.set_wall({kStart + kDay});
    f.add("TWO");  // asserts that everything is taken
    f.open(key);
    REQUIRE(look().size() == 2);
    CHECK(look()[0].state == JobState::running);
    CHECK(look()[1].state == JobState::failed);
  }
}

TEST_CASE("a backup of an encrypted journal is proven with and without the key, restored, and holds no key") {
  Fixture f;
  const MasterKeyPtr key = key_of(kFirstKey);
  f.open(key);
  f.add("CANARY");
  f.journal->cut([&](base::Result<SqliteJournal::Cut> cut) {
    BackupOptions options;
    options.data_folder = f.folder.path("data");
    options.target = f.folder.path("backup");
    options.now = f.clock.wall();
    options.gentle = false;
    REQUIRE(make_backup(f.env, std::move(cut.value()), options).has_value());
  });
  CHECK(f.files_with("backup", "CANARY") == "");
  const auto blind = verify_backup(f.env, f.folder.path("backup"));
  REQUIRE(blind.has_value());
  CHECK(blind->report.findings_total == 0);
  CHECK(blind->report.locked > 5);
  const auto proven = verify_backup(f.env, f.folder.path("backup"), key);
  REQUIRE(proven.has_value());
  CHECK(proven->report.findings_total == 0);
  CHECK(proven->report.locked == 0);
  f.journal.reset();
  for (const MasterKeyPtr& wrong : {MasterKeyPtr(), key_of(kOtherKey)}) {  // no engine could start on it: nothing is moved
    const auto refused = restore_backup(f.env, f.folder.path("backup"), f.folder.path("data"), true, f.clock.wall(), wrong);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == base::ErrorCode::journal_key);
    CHECK_FALSE(refused.error().remedy.empty());
    CHECK(f.env.exists(f.folder.path("data/journal")));
  }
  const auto restored = restore_backup(f.env, f.folder.path("backup"), f.folder.path("data"), true, f.clock.wall(), key);
  if (!restored) FAIL(restored.error().message());
  f.open(key);
  f.check(key, 1, "CANARY");
}

TEST_CASE("what retention keeps of a sealed message names nobody") {
  Fixture f;
  const MasterKeyPtr key = key_of(kFirstKey);
  f.open(key);
  const MessageId id = f.add("CANARY");
  for (const char* name : {"late", "pas"}) {
    Ending e;
    e.destination = name;
    f.journal->end(id, "adt_in", e, [](auto s) { REQUIRE(s.has_value()); });
  }
  QuarantineNote note;
  note.resolution = Resolution::resolved;
  f.journal->note_quarantine(id, "adt_in/repo", note, [](auto s) { REQUIRE(s.has_value()); });
  f.clock.set_wall({kStart + 40 * kDay});
  f.add("LATER");
  auto plan = plan_prune(f.env, f.files(), {}, f.clock.wall());
  REQUIRE(plan.has_value());
  REQUIRE(prune(f.env, f.files(), *f.journal, *plan)->size() == 1);
  CHECK(f.files_with("data", "CANARY") == "");
  const auto expired = find_expired(f.env, f.files(), id);
  REQUIRE(expired.has_value());
  REQUIRE(expired->has_value());
  CHECK((*expired)->type == "ADT^A01");
  CHECK((*expired)->control_id.empty());
}
