// Retention and backup (reliability.md R17, S3, B10, B11; operations.md §9, §10).
#include <catch2/catch.hpp>
#include <fstream>
#include <thread>

#include "engine/base/text.h"
#include "engine/journal/reader.h"
#include "engine/vault/backup.h"
#include "engine/vault/keeper.h"
#include "engine/vault/retention.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

constexpr std::int64_t kDay = 86'400'000'000;
constexpr std::int64_t kStart = 1'795'000'000'000'000;  // 2026-11-18 11:06 UTC

struct Fixture {
  test::TempFolder folder;
  base::ManualClock clock{{kStart}};
  base::InlineExecutor committer;
  std::unique_ptr<SqliteJournal> journal;
  base::Env& env = base::system_env();

  Fixture() { open(data()); }
  std::string data() const { return folder.path("data"); }
  std::string files() const { return folder.path("data/journal"); }
  void open(const std::string& data) {
    journal.reset();
    JournalOptions options;
    options.folder = data + "/journal";
    auto opened = SqliteJournal::open(env, clock, committer, options, [] { FAIL("no sync fails here"); });
    if (!opened) FAIL(opened.error().message());
    journal = std::move(*opened);
    journal->keep_config("c1", "the site");
  }
  MessageId add(bool waits = false) {
    MessageId id = 0;
    NewMessage m;
    m.channel = "adt_in";
    m.received = clock.wall();
    m.config_hash = "c1";
    m.type = "ADT^A01";
    m.body = "MSH|^~\\&|HIS";
    journal->append(m, [&](auto r) { id = r.value(); });
    Processed p;
    p.id = id;
    p.channel = "adt_in";
    p.outputs.resize(1);
    p.outputs[0].destination = "pas";
    p.outputs[0].body = "out " + std::to_string(id);
    journal->store(p, [](auto s) { REQUIRE(s.has_value()); });
    if (!waits) end(id, DeliveryState::sent);
    journal->flush();
    return id;
  }
  void end(MessageId id, DeliveryState state) {
    Ending e;
    e.destination = "pas";
    e.state = state;
    e.sent_hash = base::sha256("out " + std::to_string(id));
    journal->end(id, "adt_in", e, [](auto s) { REQUIRE(s.has_value()); });
    journal->flush();
  }
  void days_later(int days) { clock.set_wall({clock.wall().micros + days * kDay}); }
  PrunePlan plan(RetentionPolicy policy = {}) {
    auto made = plan_prune(env, files(), policy, clock.wall());
    REQUIRE(made.has_value());
    return std::move(*made);
  }
  std::vector<std::uint32_t> prune_now(RetentionPolicy policy = {}) {
    auto gone = prune(env, files(), *journal, plan(policy));
    if (!gone) FAIL(gone.error().message());
    return *gone;
  }
  BackupOptions backup_options(const std::string& name) {
    BackupOptions options;
    options.data_folder = data();
    options.target = folder.path(name);
    options.now = clock.wall();
    options.version = "test";
    options.gentle = false;
    return options;
  }
  BackupManifest backup(const std::string& name) {
    base::Result<BackupManifest> made = base::fail(base::ErrorCode::internal);
    journal->cut([&](base::Result<SqliteJournal::Cut> cut) {
      REQUIRE(cut.has_value());
      add();  // comes after the picture: not in the backup
      made = make_backup(env, std::move(*cut), backup_options(name));
    });
    if (!made) FAIL(made.error().message());
    return *made;
  }
};

}  // namespace

TEST_CASE("retention takes whole days that are past their time and have nothing to come (B10, B11)") {
  Fixture f;
  f.add();
  f.days_later(1);
  const MessageId waits = f.add(true);
  f.days_later(1);
  const MessageId quarantined = f.add(true);
  f.end(quarantined, DeliveryState::quarantined);
  f.days_later(28);
  f.add();
  CHECK(f.plan().files_due == 0);
  f.days_later(2);
  CHECK(f.plan().entries[0].why() == "due");
  CHECK(f.plan().entries[1].why() == "held by 1 pending");
  f.days_later(1);
  f.add();
  CHECK(f.plan().entries[2].why() == "held by 1 quarantined");
  CHECK(f.plan().entries[3].why() == "not due yet");
  CHECK(f.plan().entries[4].why() == "takes messages");
  CHECK(f.prune_now() == std::vector<std::uint32_t>{1});
  f.end(waits, DeliveryState::sent);
  CHECK(f.prune_now() == std::vector<std::uint32_t>{2});
  // The metadata of what went are kept, and then go too.
  const auto expired = find_expired(f.env, f.files(), 1);
  REQUIRE(expired.has_value());
  REQUIRE(expired->has_value());
  CHECK((*expired)->type == "ADT^A01");
  CHECK((*expired)->received.micros == kStart);
  CHECK_FALSE(find_expired(f.env, f.files(), quarantined)->has_value());
  CHECK(f.env.exists(f.files() + "/metadata-202611.db"));
  RetentionPolicy short_memory;
  short_memory.metadata_us = kDay;
  CHECK(f.plan(short_memory).metadata_due == std::vector<std::string>{"metadata-202611.db"});
  f.prune_now(short_memory);
  CHECK_FALSE(f.env.exists(f.files() + "/metadata-202611.db"));
  const auto report = verify_journal(f.env, f.files(), {});
  CHECK(report->findings_total == 0);
  CHECK(report->removed == 2);
}

TEST_CASE("a clock that jumps a year ahead expires nothing by itself (S3)") {
  Fixture f;
  for (int day = 0; day < 6; ++day) {
    f.add();
    f.days_later(1);
  }
  f.days_later(365);
  const PrunePlan plan = f.plan();
  CHECK(plan.files_due == 5);
  CHECK(plan.refused);
  CHECK(f.prune_now().empty());
  CHECK(print_plan(plan).find("--confirm") != std::string::npos);
  RetentionPolicy confirmed;
  confirmed.confirmed = true;
  CHECK(f.prune_now(confirmed).size() == 5);
}

TEST_CASE("the day on which the disk is full is told by weekdays, and files that leave are counted") {
  std::vector<std::pair<std::int64_t, std::uint64_t>> days;
  const std::int64_t today = 20'000 * kDay;
  for (std::int64_t day = 1; day <= 14; ++day) days.emplace_back(today - day * kDay, day % 7 == 0 ? 1000 : 0);
  // 1,000 bytes on one day a week: 2,500 bytes are gone in the third week.
  const auto full = forecast_full(days, 2500, 1000 * kDay, {today});
  REQUIRE(full.has_value());
  CHECK(full->micros == today + 14 * kDay);
  CHECK_FALSE(forecast_full(days, 2500, 14 * kDay, {today}).has_value());  // leaves as fast as it comes
  CHECK_FALSE(forecast_full({}, 0, kDay, {today}).has_value());
}

TEST_CASE("a backup is one picture at a number, beside messages that come, and is proven by its check") {
  Fixture f;
  f.add();
  f.days_later(1);
  f.add(true);
  std::ofstream(f.data() + "/accounts.json") << "{}";
  std::ofstream(f.data() + "/kiln.lock") << "";
  const BackupManifest made = f.backup("backup");
  CHECK(made.last == 2);
  REQUIRE(made.files.size() == 3);
  CHECK(made.files[2].name == "accounts.json");
  const auto check = verify_backup(f.env, f.folder.path("backup"));
  if (!check) FAIL(check.error().message());
  CHECK(check->report.findings_total == 0);
  CHECK(check->report.messages == 2);
  CHECK(check->manifest.made.micros == f.clock.wall().micros);
  // Whatever is changed in it is noticed.
  const std::string victim = f.folder.path("backup/" + made.files[0].name);
  {
    std::fstream file(victim, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(20'000);
    file.put('X');
  }
  CHECK(verify_backup(f.env, f.folder.path("backup")).error().code == base::ErrorCode::backup_damaged);
  CHECK(f.env.remove(victim).has_value());
  CHECK(verify_backup(f.env, f.folder.path("backup")).error().code == base::ErrorCode::backup_damaged);
  CHECK(verify_backup(f.env, f.folder.path("data")).error().code == base::ErrorCode::backup_damaged);
}

TEST_CASE("a restored journal holds the channels whose messages were accepted and not yet mapped") {
  Fixture f;
  f.add();
  NewMessage m;
  m.channel = "lab";
  m.received = f.clock.wall();
  m.config_hash = "c1";
  m.body = "MSH|^~\\&|LAB";
  f.journal->append(m, [](auto id) { REQUIRE(id.has_value()); });
  f.journal->flush();
  f.backup("backup");
  f.journal.reset();
  const auto restored = restore_backup(f.env, f.folder.path("backup"), f.data(), true, f.clock.wall());
  if (!restored) FAIL(restored.error().message());
  CHECK(restored->held == std::vector<std::string>{"lab", "adt_in/pas"});
  f.open(f.data());
  CHECK(f.journal->recovered().unprocessed == std::vector<MessageId>{2});
  std::vector<std::string> subjects;
  for (const Hold& hold : f.journal->recovered().holds) subjects.push_back(hold.subject);
  CHECK(subjects == std::vector<std::string>{"channel:lab", "destination:adt_in/pas"});
}

TEST_CASE("a restored journal starts with everything in doubt and every destination paused") {
  Fixture f;
  f.add();
  f.add(true);
  f.backup("backup");
  f.journal.reset();
  CHECK(restore_backup(f.env, f.folder.path("backup"), f.data(), false, f.clock.wall()).error().code ==
        base::ErrorCode::bad_value);
  const auto restored = restore_backup(f.env, f.folder.path("backup"), f.data(), true, f.clock.wall());
  if (!restored) FAIL(restored.error().message());
  CHECK(restored->pending == 1);
  CHECK(restored->held == std::vector<std::string>{"adt_in/pas"});
  CHECK(f.env.exists(restored->moved_to + "/journal"));
  f.open(f.data());
  CHECK_FALSE(f.journal->recovered().clean_stop);
  CHECK(f.journal->recovered().last_id == 2);
  REQUIRE(f.journal->recovered().holds.size() == 1);
  CHECK(f.journal->recovered().holds[0].subject == "destination:adt_in/pas");
  CHECK(f.journal->recovered().holds[0].by == "restore");
  f.journal->read_pending("adt_in", "pas", 0, 10, 1000, [](auto outputs) {
    REQUIRE(outputs.value().size() == 1);
    CHECK(outputs.value()[0].in_doubt);
    CHECK(outputs.value()[0].output.body == "out 2");
  });
  CHECK(verify_journal(f.env, f.files(), {})->findings_total == 0);
}

TEST_CASE("a numbered link that was silent for longer than messages are kept goes on at its number") {
  Fixture f;
  const auto step = [&f](const std::string& link, std::int64_t last) {
    NewMessage m;
    m.channel = "adt_in";
    m.received = f.clock.wall();
    m.config_hash = "c1";
    m.body = "MSH|";
    m.step.emplace();
    m.step->link = link;
    m.step->decision.next = {last, false, false};
    MessageId id = 0;
    f.journal->append(m, [&](auto r) { id = r.value(); });
    Processed p;
    p.id = id;
    p.channel = "adt_in";
    p.endings.resize(1);
    p.endings[0].destination = kNoDestination;
    p.endings[0].state = DeliveryState::filtered;
    f.journal->store(p, [](auto s) { REQUIRE(s.has_value()); });
    f.journal->flush();
    return id;
  };
  step("adt_in/HIS|A", 6);
  const MessageId silent = step("adt_in/HIS|A", 7);
  step("adt_in/LAB|B", 3);
  f.days_later(1);
  step("adt_in/LAB|B", 4);
  f.days_later(40);
  f.add();
  CHECK(f.prune_now() == std::vector<std::uint32_t>{1, 2});
  const auto links = [&f] {
    LinkStates out;
    f.journal->read_links("adt_in", [&](auto r) { out = r.value(); });
    return out;
  };
  REQUIRE(links().size() == 2);
  CHECK(links().at("adt_in/HIS|A").state.last == 7);
  CHECK(links().at("adt_in/LAB|B").state.last == 4);
  // An operator resumes it: the row is found where it is now.
  f.journal->set_link(silent, {9, true, false}, [](auto s) { REQUIRE(s.has_value()); });
  f.open(f.data());
  CHECK(links().at("adt_in/HIS|A").state.last == 9);
  CHECK(verify_journal(f.env, f.files(), {})->findings_total == 0);
}

TEST_CASE("a backup that is asked to stop ends at its next part and is no backup") {
  Fixture f;
  for (int i = 0; i < 50; ++i) f.add();
  int asked = 0;
  f.journal->cut([&](base::Result<SqliteJournal::Cut> cut) {
    BackupOptions options = f.backup_options("backup");
    options.stop = [&asked] { return ++asked > 1; };
    const auto made = make_backup(f.env, std::move(cut.value()), options);
    REQUIRE_FALSE(made.has_value());
    CHECK(made.error().code == base::ErrorCode::cancelled);
  });
  CHECK(asked == 2);
  CHECK(verify_backup(f.env, f.folder.path("backup")).error().code == base::ErrorCode::backup_damaged);
  // Retention too: nothing has gone.
  f.days_later(40);
  f.add();
  const auto gone = prune(f.env, f.files(), *f.journal, f.plan(), [] { return true; });
  REQUIRE_FALSE(gone.has_value());
  CHECK(gone.error().code == base::ErrorCode::cancelled);
  CHECK(f.env.exists(f.files() + "/000001-20261118.db"));
  CHECK(f.prune_now().size() == 1);
}

TEST_CASE("a keeper that stops takes no more work and ends what is under way") {
  Fixture f;
  for (int i = 0; i < 20; ++i) f.add();
  base::InlineExecutor work;
  Keeper keeper({&f.env, &f.clock, f.journal.get(), nullptr, &work, f.data(), "test", {}, {}});
  CHECK(keeper.backup_to(f.folder.path("one")).has_value());
  bool ended = false;
  keeper.stop([&] { ended = true; });
  CHECK(ended);
  CHECK(keeper.backup_to(f.folder.path("two")).error().code == base::ErrorCode::cancelled);
  CHECK(keeper.prune_now({}).error().code == base::ErrorCode::cancelled);
}
