// What the journal keeps beside messages: holds, notes of quarantine, attempts, what was sent, jobs; and that files of formats
// 2, 3 and 4 are taken over (reliability.md R16).
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "engine/base/text.h"
#include "engine/detail/memory_journal.h"
#include "engine/journal/reader.h"
#include "engine/journal/schema_history.h"
#include "engine/journal/sqlite_journal.h"
#include "engine/limits.h"
#include "engine/vault/verify.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

constexpr std::int64_t kDay = 86'400'000'000;
constexpr std::int64_t kStart = 1'795'000'000'000'000;  // 2026-11-18

struct Fixture {
  test::TempFolder folder;
  base::ManualClock clock{{kStart}};
  base::InlineExecutor committer;
  std::unique_ptr<SqliteJournal> journal;
  bool keep_sent = true;
  MasterKeyPtr master;

  explicit Fixture(bool start = true) {
    if (start) open();
  }
  void open() {
    journal.reset();
    JournalOptions options;
    options.folder = folder.path("journal");
    options.keep_sent = keep_sent;
    options.files.master = master;
    auto opened = SqliteJournal::open(base::system_env(), clock, committer, options, [] { FAIL("no sync fails here"); });
    if (!opened) FAIL(opened.error().message());
    journal = std::move(*opened);
    journal->keep_config("c1", "the site");
  }
  void next_day() { clock.set_wall({clock.wall().micros + kDay}); }
  JournalReader reader() {
    auto r = JournalReader::open(base::system_env(), folder.path("journal"), master);
    if (!r) FAIL(r.error().message());
    return std::move(*r);
  }
};

NewMessage sample(const std::string& control_id) {
  NewMessage m;
  m.channel = "adt_in";
  m.received = {kStart};
  m.control_id = control_id;
  m.config_hash = "c1";
  m.body = "MSH|^~\\&|HIS|" + control_id;
  return m;
}

MessageId append(Journal& journal, NewMessage m) {
  MessageId id = 0;
  journal.append(std::move(m), [&](base::Result<MessageId> r) { id = r.value(); });
  return id;
}

void store(Journal& journal, MessageId id, const std::string& body, const std::string& order_key = {}) {
  Processed p;
  p.id = id;
  p.channel = "adt_in";
  for (const char* name : {"repo", "pas"}) {
    Output& output = p.outputs.emplace_back();
    output.destination = name;
    output.kind = channels::ContentKind::fhir;
    output.is_source = output.destination == "pas";
    output.order_key = order_key;
    if (!output.is_source) output.body = body;
  }
  journal.store(p, [](base::Status s) { REQUIRE(s.has_value()); });
  journal.flush();
}

Ending ending(const std::string& destination, DeliveryState state, const std::string& sent) {
  Ending e;
  e.destination = destination;
  e.state = state;
  e.attempts = 1;
  if (!sent.empty()) e.sent_hash = base::sha256(sent);
  return e;
}

void end(Journal& journal, MessageId id, const Ending& e) {
  journal.end(id, "adt_in", e, [](base::Status s) { REQUIRE(s.has_value()); });
  journal.flush();
}

std::vector<PendingOutput> pending(Journal& journal, const std::string& destination) {
  std::vector<PendingOutput> out;
  journal.read_pending("adt_in", destination, 0, 100, 1 << 20, [&](auto r) { out = r.value(); });
  return out;
}

std::string print_holds(Journal& journal) {
  std::string out;
  journal.read_holds([&](auto r) {
    for (const Hold& hold : r.value()) out += hold.subject + " " + name_of(hold.state) + " " + hold.by + "; ";
  });
  return out;
}

std::vector<JobRecord> jobs(Journal& journal) {
  std::vector<JobRecord> out;
  journal.read_jobs(100, [&](auto r) { out = r.value(); });
  return out;
}

JobId keep(Journal& journal, JobRecord job) {
  JobId id = 0;
  journal.keep_job(std::move(job), [&](auto r) { id = r.value(); });
  return id;
}

Hold hold(const char* subject, HoldState state) {
  return {subject, state, "ada", "maintenance", {kStart}};
}

base::Status note(Journal& journal, MessageId id, const std::string& destination, QuarantineNote what) {
  base::Status status = base::fail(base::ErrorCode::internal);
  journal.note_quarantine(id, destination, std::move(what), [&](base::Status s) { status = std::move(s); });
  return status;
}

/// Puts a dump of a file where a journal is.
void restore_dump(const test::TempFolder& folder, const std::string& name, int format = 2) {
  std::ifstream in(std::string(KILN_SOURCE_DIR) + "/tests/golden/journal/" + std::to_string(format) + "/" + name + ".sql");
  REQUIRE(in);
  std::stringstream text;
  text << in.rdbuf();
  REQUIRE(base::system_env().make_folders(folder.path("journal")).has_value());
  base::DatabaseOptions options;
  options.path = folder.path("journal/" + name + ".db");
  auto database = base::Database::open(options);
  REQUIRE(database.has_value());
  const base::Status done = database->exec(text.str().c_str());
  if (!done) FAIL(done.error().message());
}

}  // namespace

TEST_CASE("what is held stays held over restarts and changes of files") {
  Fixture f;
  f.journal->set_hold(hold("destination:adt_in/pas", HoldState::paused), nullptr);
  f.journal->set_hold(hold("source:adt_in", HoldState::stopped), nullptr);
  f.journal->set_hold(hold("channel:lab_in", HoldState::paused), nullptr);
  f.journal->set_hold(hold("channel:lab_in", HoldState::running), nullptr);
  const std::string held = "destination:adt_in/pas paused ada; source:adt_in stopped ada; ";
  CHECK(print_holds(*f.journal) == held);
  f.next_day();
  append(*f.journal, sample("A"));
  CHECK(print_holds(*f.journal) == held);
  f.open();
  REQUIRE(f.journal->recovered().holds.size() == 2);
  CHECK(f.journal->recovered().holds[0].reason == "maintenance");
  CHECK(f.journal->recovered().holds[0].since.micros == kStart);
  // Let go in the new file: the row of the old one does not come back.
  f.journal->set_hold(hold("source:adt_in", HoldState::running), nullptr);
  f.next_day();
  append(*f.journal, sample("B"));
  f.open();
  CHECK(print_holds(*f.journal) == "destination:adt_in/pas paused ada; ");
}

TEST_CASE("a crash between the making of a new file and its first row loses no hold and no job") {
  Fixture f;
  f.journal->set_hold(hold("channel:adt_in", HoldState::paused), nullptr);
  JobRecord job;
  job.kind = "replay";
  keep(*f.journal, job);
  f.journal.reset();
  {
    auto made = DayFile::open(base::system_env(), f.folder.path("journal"), {2, "20261119"}, 1);
    REQUIRE(made.has_value());
  }
  f.open();
  CHECK(print_holds(*f.journal) == "channel:adt_in paused ada; ");
  CHECK(f.journal->recovered().jobs.size() == 1);
}

TEST_CASE("a job goes on where the last message it made was made") {
  Fixture f;
  detail::MemoryJournal memory;
  for (Journal* journal : {static_cast<Journal*>(f.journal.get()), static_cast<Journal*>(&memory)}) {
    for (const char* id : {"A", "B", "C"}) append(*journal, sample(id));
    JobRecord job;
    job.kind = "replay";
    job.spec = "{\"query\":\"\"}";
    job.requester = "ada";
    job.total = 3;
    CHECK(keep(*journal, job) == 1);
    NewMessage again = sample("A");
    again.job = 1;
    again.replay_of = 2;
    const MessageId made = append(*journal, again);
    job.id = 1;
    job.position = 1;  // an older idea of it: what append() noted counts
    job.state = JobState::paused;
    keep(*journal, job);
    REQUIRE(jobs(*journal).size() == 1);
    const JobRecord found = jobs(*journal)[0];
    CHECK(found.position == 2);
    CHECK(found.done == 1);
    CHECK(found.total == 3);
    CHECK(found.state == JobState::paused);
    CHECK(found.requester == "ada");
    NewMessage stored;
    journal->read_message(made, [&](auto r) { stored = r.value().message; });
    CHECK(stored.job == 1);
  }
  f.next_day();
  append(*f.journal, sample("D"));
  f.open();
  REQUIRE(f.journal->recovered().jobs.size() == 1);
  CHECK(f.journal->recovered().jobs[0].position == 2);
  JobRecord next;
  next.kind = "replay";
  CHECK(keep(*f.journal, next) == 2);
  CHECK(f.reader().summary(4)->job == 1);
}

TEST_CASE("a quarantined output has an owner and a note until it is dropped") {
  Fixture f;
  detail::MemoryJournal memory;
  for (Journal* journal : {static_cast<Journal*>(f.journal.get()), static_cast<Journal*>(&memory)}) {
    const MessageId id = append(*journal, sample("A"));
    store(*journal, id, "{}");
    end(*journal, id, ending("pas", DeliveryState::quarantined, {}));
    end(*journal, id, ending("repo", DeliveryState::sent, {}));
    QuarantineNote what;
    what.owner = "ada";
    what.note = "asked the laboratory";
    CHECK(note(*journal, id, "adt_in/pas", what).has_value());
    CHECK(note(*journal, id, "adt_in/repo", what).error().code == base::ErrorCode::message_not_found);
    CHECK(note(*journal, 99, "adt_in/pas", what).error().code == base::ErrorCode::message_not_found);
    what.resolution = Resolution::dropped;
    what.reason = "sent by telephone";
    CHECK(note(*journal, id, "adt_in/pas", what).has_value());
    std::optional<QuarantineNote> kept;
    journal->read_quarantine_note(id, "adt_in/pas", [&](auto r) { kept = r.value(); });
    REQUIRE(kept.has_value());
    CHECK(kept->owner == "ada");
    CHECK(kept->resolution == Resolution::dropped);
    std::optional<Ending> ended;
    journal->read_ending(id, journal == &memory ? "pas" : "adt_in/pas", [&](auto r) { ended = r.value(); });
    REQUIRE(ended.has_value());
    CHECK(ended->state == DeliveryState::removed);
  }
  const auto summary = f.reader().summary(1);
  REQUIRE(summary.has_value());
  REQUIRE(summary->destinations.size() == 2);
  REQUIRE(summary->destinations[0].note.has_value());
  CHECK(summary->destinations[0].note->note == "asked the laboratory");
  CHECK_FALSE(summary->destinations[1].note.has_value());
}

TEST_CASE("failed attempts make a timeline, of which a long one keeps its beginning and its end") {
  Fixture f;
  store(*f.journal, append(*f.journal, sample("A")), "{}");
  f.journal->note_attempt(1, "adt_in", "pas", 1, true, nullptr);  // only the count
  for (std::uint32_t n = 1; n <= limits::kAttemptsKept + 20; ++n) {
    Attempt attempt;
    attempt.number = n;
    attempt.at = {kStart + n};
    attempt.took_us = 7;
    attempt.code = "timeout";
    attempt.reply = std::string(limits::kAttemptReplyMax + 1, 'x');
    f.journal->note_attempt(1, "adt_in", "pas", attempt, nullptr);
  }
  CHECK(pending(*f.journal, "pas")[0].attempts == limits::kAttemptsKept + 20);
  const auto attempts = f.reader().attempts(1, "adt_in/pas");
  REQUIRE(attempts.has_value());
  REQUIRE(attempts->size() == limits::kAttemptsKept + 1);
  CHECK(attempts->front().number == 1);
  CHECK(attempts->front().code == "timeout");
  CHECK(attempts->front().took_us == 7);
  CHECK(attempts->front().reply.size() == limits::kAttemptReplyMax);
  CHECK(attempts->back().number == limits::kAttemptsKept + 20);
  CHECK(f.reader().attempts(1, "adt_in/repo")->empty());
}

TEST_CASE("what was sent can be shown after it was sent, unless the site does not want it kept") {
  Fixture f(false);
  for (const bool kept : {true, false}) {
    f.keep_sent = kept;
    f.open();
    const std::string body = "{\"resourceType\":\"Bundle\",\"pad\":\"" + std::string(2000, 'x') + "\"}";
    const MessageId id = append(*f.journal, sample("A"));
    store(*f.journal, id, body, "4711");
    REQUIRE(pending(*f.journal, "repo").size() == 1);
    CHECK(pending(*f.journal, "repo")[0].output.body == body);
    CHECK(pending(*f.journal, "repo")[0].output.order_key == "4711");
    CHECK(f.reader().sent_output(id, "adt_in/repo")->body == body);
    end(*f.journal, id, ending("repo", DeliveryState::sent, body));
    end(*f.journal, id, ending("pas", DeliveryState::sent, sample("A").body));
    auto reader = f.reader();
    CHECK(reader.sent_output(id, "adt_in/pas")->body == sample("A").body);
    const auto sent = reader.sent_output(id, "adt_in/repo");
    REQUIRE(sent.has_value() == kept);
    if (kept) {
      CHECK(sent->body == body);
      CHECK(sent->kind == channels::ContentKind::fhir);
    } else {
      CHECK(sent.error().code == base::ErrorCode::message_not_found);
    }
  }
}

TEST_CASE("a message of another is marked so, and a scan gives every message in order") {
  Fixture f;
  append(*f.journal, sample("A"));
  NewMessage edited = sample("B");
  edited.edited_from = 1;
  append(*f.journal, edited);
  f.next_day();
  append(*f.journal, sample("C"));
  auto reader = f.reader();
  CHECK(reader.summary(2)->edited_from == 1);
  CHECK(reader.message(2)->message.edited_from == 1);
  std::string seen;
  const auto visit = [&](MessageId id, base::Result<StoredMessage> message) {
    seen += std::to_string(id) + message.value().message.control_id + " ";
    return seen.size() < 100;
  };
  REQUIRE(reader.each_message(0, 100, visit).has_value());
  CHECK(seen == "1A 2B 3C ");
  seen.clear();
  REQUIRE(reader.each_message(2, 2, visit).has_value());
  CHECK(seen == "2B ");
}

TEST_CASE("a file of format 2 is read as it is and brought to the present format when it is opened for writing") {
  Fixture f(false);
  restore_dump(f.folder, "000001-20261123");
  {
    auto reader = f.reader();
    CHECK(reader.summary(4)->destinations[1].ending.code == "AR");
    CHECK(reader.pending_output(6, "adt_in/far")->output.body.starts_with("{\"resourceType\":\"Bundle\""));
    CHECK(reader.sent_output(1, "adt_in/pas")->control_id == "M1");
    CHECK(reader.sent_output(1, "adt_in/files").error().code == base::ErrorCode::message_not_found);
    CHECK(reader.attempts(5, "adt_in/pas")->empty());
  }
  f.clock.set_wall({1'795'400'300'000'000});
  f.open();
  CHECK(f.journal->recovered().clean_stop);
  CHECK(f.journal->recovered().unprocessed.empty());
  CHECK(f.journal->recovered().last_id == 7);
  CHECK(f.journal->recovered().pending ==
        std::vector<std::pair<std::string, std::uint64_t>>{{"adt_in/far", 6}, {"adt_in/pas", 2}});
  const auto far = pending(*f.journal, "far");
  REQUIRE(far.size() == 6);
  CHECK(far[0].attempts == 1);
  CHECK(far[5].output.body.ends_with("}"));
  const auto pas = pending(*f.journal, "pas");
  REQUIRE(pas.size() == 2);
  CHECK(pas[0].in_doubt);
  CHECK(pas[0].output.body.find("|M5|") != std::string::npos);
  // The file goes on in the new format: old rows end, new ones come.
  end(*f.journal, 6, ending("far", DeliveryState::sent, far[5].output.body));
  const MessageId id = append(*f.journal, sample("N"));
  CHECK(id == 8);
  store(*f.journal, id, "{\"new\":true}", "k");
  f.open();
  CHECK(pending(*f.journal, "far").size() == 5);
  CHECK(pending(*f.journal, "repo")[0].output.order_key == "k");
  CHECK(note(*f.journal, 4, "adt_in/pas", {}).has_value());
}

TEST_CASE("an interrupted step from format 2 is done by the next start") {
  Fixture f(false);
  restore_dump(f.folder, "000001-20261123");
  base::DatabaseOptions options;
  options.path = f.folder.path("journal/000001-20261123.db");
  {
    auto database = base::Database::open(options);
    REQUIRE(database.has_value());
    REQUIRE(database->begin().has_value());
    REQUIRE(database->exec(kFormat2To3).has_value());  // and the process ends
  }
  f.open();
  CHECK(pending(*f.journal, "far").size() == 6);
  f.journal.reset();
  auto database = base::Database::open(options);
  REQUIRE(database.has_value());
  const std::string newer = "UPDATE meta SET value='" + std::to_string(kJournalFormat + 1) + "' WHERE key='format'";
  REQUIRE(database->exec(newer.c_str()).has_value());
  base::InlineExecutor committer;
  JournalOptions journal;
  journal.folder = f.folder.path("journal");
  const auto refused = SqliteJournal::open(base::system_env(), f.clock, committer, journal, [] {});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == base::ErrorCode::journal_format);
}

TEST_CASE("a file of format 3 is read as it is, brought to the present format without a row changed, and goes on in it") {
  Fixture f(false);
  restore_dump(f.folder, "000001-20261123", 3);
  const auto check = [&f] {
    auto reader = f.reader();
    CHECK(reader.message(8)->message.control_id == "M8");
    CHECK(reader.message(8)->message.lookups == "[{\"name\":\"wards\",\"answer\":\"north\"}]");
    CHECK(reader.summary(8)->size == reader.message(8)->message.body.size());
    const auto summary = reader.summary(8);
    REQUIRE(summary->destinations.size() == 2);
    CHECK(summary->destinations[0].ending.reply.ends_with("MSA|AR|M8\r"));
    REQUIRE(summary->destinations[0].note.has_value());
    CHECK(summary->destinations[0].note->note == "asked the laboratory");
    CHECK(reader.attempts(8, "adt_in/far")->at(0).reply == "MSA|AE|M8\r");
    CHECK(reader.pending_output(8, "adt_in/far")->output.order_key == "4712");
    CHECK(reader.pending_output(8, "adt_in/far")->output.body.ends_with("\"p4712\"}"));
    CHECK(reader.pending_output(6, "adt_in/far")->output.body.starts_with("{\"resourceType\":\"Bundle\""));
    const auto query = parse_query_text("id:M8", f.clock.wall());
    CHECK(reader.search(*query, {})->size() == 1);
    VerifyOptions options;
    options.full = true;
    const auto report = verify_journal(base::system_env(), f.folder.path("journal"), options);
    REQUIRE(report.has_value());
    CHECK(report->findings_total == 0);
    CHECK(report->messages == 8);
  };
  check();
  f.clock.set_wall({1'795'400'300'000'000});
  f.open();
  check();
  REQUIRE(f.journal->recovered().holds.size() == 1);
  REQUIRE(f.journal->recovered().jobs.size() == 1);
  CHECK(f.journal->recovered().jobs[0].spec == "{\"query\":\"mrn:4712\"}");
  CHECK(pending(*f.journal, "far").size() == 7);
  end(*f.journal, 8, ending("far", DeliveryState::sent, pending(*f.journal, "far")[6].output.body));
  CHECK(note(*f.journal, 8, "adt_in/pas", {}).has_value());
  const MessageId id = append(*f.journal, sample("N"));
  CHECK(id == 9);
  store(*f.journal, id, "{\"new\":true}", "k");
  f.open();
  CHECK(pending(*f.journal, "far").size() == 6);
  CHECK(pending(*f.journal, "repo")[0].output.order_key == "k");
}

TEST_CASE("an interrupted step from format 3 is done by the next start") {
  Fixture f(false);
  restore_dump(f.folder, "000001-20261123", 3);
  base::DatabaseOptions options;
  options.path = f.folder.path("journal/000001-20261123.db");
  {
    auto database = base::Database::open(options);
    REQUIRE(database.has_value());
    REQUIRE(database->begin().has_value());
    REQUIRE(raise_format(*database, 3).has_value());  // and the process ends before the commit
  }
  f.open();
  CHECK(pending(*f.journal, "far").size() == 7);
}

TEST_CASE("a file of format 4 is read as it is, in the clear and sealed, brought to the present format and goes on in it") {
  Fixture f(false);
  f.master = *MasterKey::parse(std::string(64, '4'), "test");
  restore_dump(f.folder, "000001-20261123", 4);
  const auto verify = [&f] {
    VerifyOptions options;
    options.full = true;
    options.master = f.master;
    const auto report = verify_journal(base::system_env(), f.folder.path("journal"), options);
    REQUIRE(report.has_value());
    CHECK(report->locked == 0);
    return report->findings_total;
  };
  const auto check = [&f, &verify] {
    auto reader = f.reader();
    for (MessageId id = 1; id <= 4; ++id) {
      INFO(id);
      const std::string n = std::to_string(id);
      const auto message = reader.message(id);
      REQUIRE(message.has_value());
      CHECK(message->message.control_id == "M" + n);
      CHECK(message->message.name == "in/" + n + ".hl7");
      CHECK(message->message.lookups == "[\"ward " + n + "\"]");
      CHECK(message->message.body.find("||471" + n) != std::string::npos);
      CHECK(message->message.edited_from == (id % 2 == 0 ? 1 : 0));
      CHECK(message->message.step.has_value() == (id % 2 == 0));
      const auto summary = reader.summary(id);
      REQUIRE(summary->destinations.size() == 3);
      CHECK(summary->destinations[0].ending.detail == "out/M" + n + ".hl7 cannot be written");
      REQUIRE(summary->destinations[0].note.has_value());
      CHECK(summary->destinations[0].note->note == "asked the ward about 471" + n);
      CHECK(summary->destinations[1].ending.reply == "MSA|AA|M" + n + "\r");
      CHECK(summary->destinations[1].ending.sent_hash == base::sha256(message->message.body));
      CHECK(reader.attempts(id, "adt_in/files")->at(0).detail == "out/M" + n + ".hl7 is there already");
      CHECK(reader.sent_output(id, "adt_in/pas").has_value());
      CHECK(reader.pending_output(id, "adt_in/repo")->output.body.find("\"p" + n) != std::string::npos);
    }
    CHECK(verify() == 0);
  };
  check();
  f.clock.set_wall({1'795'392'100'000'000});
  f.open();
  check();
  CHECK(f.journal->recovered().holds.size() == 1);
  CHECK_FALSE(f.journal->recovered().holds[0].damaged);
  REQUIRE(f.journal->recovered().jobs.size() == 2);
  for (const JobRecord& job : f.journal->recovered().jobs) {
    CHECK_FALSE(job.damaged);
    CHECK(job.spec == "{\"query\":\"mrn:4711\"}");
    CHECK(job.reason == "4711 was missing");
  }
  DedupeKey key{1, 2, 3, 4, 2, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9};
  for (const MessageId n : {MessageId{2}, MessageId{4}}) {
    key[4] = static_cast<unsigned char>(n);
    CHECK(f.journal->maybe_seen(key));
    f.journal->find_duplicate(key, [n](auto r) { CHECK(r.value() == n); });
  }
  LinkStates links;
  f.journal->read_links("adt_in", [&](auto r) { links = r.value(); });
  CHECK(links.at("adt_in/HIS|WARD").state == hl7::SequenceState{4, false, false});
  // What is written on beside old rows is whole, and what changes an old row keeps it so.
  const MessageId id = append(*f.journal, sample("N"));
  store(*f.journal, id, "{\"new\":true}", "k");
  CHECK(note(*f.journal, 3, "adt_in/files", {Resolution::dropped, "ada", "", "of no use", "ada", {kStart}, 0}).has_value());
  f.journal->set_link(4, {7, false, false}, [](auto s) { REQUIRE(s.has_value()); });
  f.next_day();
  append(*f.journal, sample("O"));
  f.open();
  CHECK(verify() == 0);
  CHECK(jobs(*f.journal).size() == 2);
  CHECK(f.reader().summary(3)->destinations[0].ending.state == DeliveryState::removed);
  CHECK(f.reader().summary(3)->destinations[0].ending.detail == "out/M3.hl7 cannot be written");
}

TEST_CASE("an interrupted step from format 4 is done by the next start") {
  Fixture f(false);
  f.master = *MasterKey::parse(std::string(64, '4'), "test");
  restore_dump(f.folder, "000001-20261123", 4);
  base::DatabaseOptions options;
  options.path = f.folder.path("journal/000001-20261123.db");
  {
    auto database = base::Database::open(options);
    REQUIRE(database.has_value());
    REQUIRE(database->begin().has_value());
    REQUIRE(raise_format(*database, 4).has_value());  // and the process ends before the commit
  }
  f.open();
  CHECK(pending(*f.journal, "repo").size() == 4);
}

TEST_CASE("what is held back holds on when its record is damaged, and a numbered link waits for an operator") {
  Fixture f;
  f.journal->set_hold(hold("destination:adt_in/pas", HoldState::stopped), nullptr);
  NewMessage m = sample("A");
  m.step.emplace();
  m.step->link = "adt_in/HIS|WARD";
  m.step->decision.verdict = hl7::SequenceVerdict::expected;
  m.step->decision.next = {3, false, false};
  append(*f.journal, m);
  f.journal.reset();
  base::DatabaseOptions options;
  options.path = f.folder.path("journal/000001-20261118.db");
  {
    auto database = base::Database::open(options);
    REQUIRE(database.has_value());
    REQUIRE(database->exec("UPDATE hold SET state=9; UPDATE link SET last=4").has_value());
  }
  f.open();
  REQUIRE(f.journal->recovered().holds.size() == 1);
  CHECK(f.journal->recovered().holds[0].damaged);
  CHECK(f.journal->recovered().holds[0].state == HoldState::paused);
  const auto link = [&f] {
    LinkStates links;
    f.journal->read_links("adt_in", [&](auto r) { links = r.value(); });
    return links.at("adt_in/HIS|WARD").state;
  };
  CHECK(link().frozen);
  f.journal->set_link(1, {3, false, false}, [](auto s) { REQUIRE(s.has_value()); });
  CHECK(link() == hl7::SequenceState{3, false, false});
  const auto report = verify_journal(base::system_env(), f.folder.path("journal"), {});
  REQUIRE(report.has_value());
}
