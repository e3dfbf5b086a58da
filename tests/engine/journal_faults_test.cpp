// What a failed sync does to the journal (reliability.md R7, S4): whoever waits is not answered, the process ends.
#include <catch2/catch.hpp>
#include <filesystem>

#include "engine/journal/sqlite_journal.h"
#include "engine/limits.h"
#include "tests/support/crash_disk.h"
#include "tests/support/fault_env.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

constexpr std::int64_t kDay = 86'400'000'000;
constexpr std::int64_t kStart = 1'795'000'000'000'000;  // 2026-11-18

struct Fixture {
  test::TempFolder folder;
  test::FaultEnv env;
  base::ManualClock clock{{kStart}};
  base::InlineExecutor committer;
  std::unique_ptr<SqliteJournal> journal;
  int stops = 0;          ///< how often the process would have ended
  std::size_t stored = 0, refused = 0;

  Fixture() { REQUIRE(open().has_value()); }
  base::Status open() {
    journal.reset();
    JournalOptions options;
    options.folder = folder.path("journal");
    TRY(journal, SqliteJournal::open(env, clock, committer, options, [this] { ++stops; }));
    journal->keep_config("c1", "the site");
    return {};
  }
  void append(std::size_t bytes = 20) {
    NewMessage m;
    m.channel = "c";
    m.config_hash = "c1";
    m.body.assign(bytes, 'x');
    journal->append(std::move(m), [this](base::Result<MessageId> id) { ++(id ? stored : refused); });
  }
  /// Until the journal stops, at most so many messages of 100 KB.
  void append_until_stop(int most) {
    for (int i = 0; i < most && stops == 0; ++i) append(100'000);
  }
  std::uint64_t wal_bytes() {
    std::uint64_t out = 0;
    const auto listed = env.list(folder.path("journal"));
    for (const auto& file : *listed)
      if (file.name.ends_with("-wal")) out += file.size;
    return out;
  }
};

}  // namespace

TEST_CASE("one failed sync of a checkpoint ends the process, and nobody is answered after it") {
  Fixture f;
  f.env.fail_sync().database = 1;
  f.append_until_stop(1000);
  REQUIRE(f.stops == 1);
  CHECK(f.stored > 10);
  const std::size_t before = f.stored;
  f.append();
  f.append();
  CHECK(f.stored == before);
  CHECK(f.refused == 0);
  // What was answered is there after a start from the disk; new messages go to a new file, that of the failure is left as it is.
  CHECK(f.env.exists(f.folder.path("journal/sync-failed")));
  REQUIRE(f.open().has_value());
  f.append();
  CHECK(f.env.exists(f.folder.path("journal/000002-20261118.db")));
  CHECK_FALSE(f.env.exists(f.folder.path("journal/sync-failed")));
  f.append();
  CHECK_FALSE(f.env.exists(f.folder.path("journal/000003-20261118.db")));
  CHECK(f.journal->recovered().unprocessed.size() >= before);
}

TEST_CASE("one failed sync of the log before a checkpoint ends the process too") {
  Fixture f;
  f.append();
  const std::size_t before = f.stored;
  f.env.fail_sync().wal = 1;  // of the next commit
  f.append();
  CHECK(f.stops == 1);
  CHECK(f.stored == before);
}

TEST_CASE("checkpoints keep the log short without SQLite's automatic ones") {
  Fixture f;
  std::uint64_t longest = 0;
  for (int i = 0; i < 600; ++i) {
    f.append(100'000);
    longest = std::max(longest, f.wal_bytes());
  }
  CHECK(f.stops == 0);
  CHECK(f.stored == 600);
  CHECK(longest > 10'000'000);
  CHECK(longest < 25'000'000);  // 1,000 pages of 16 KB and what one commit adds
}

TEST_CASE("one failed sync of the folder at midnight ends the process") {
  Fixture f;
  f.append();
  f.clock.set_wall({kStart + kDay});
  f.env.fail_sync().folder = 1;
  f.append();
  CHECK(f.stops == 1);
  CHECK(f.stored == 1);
  CHECK(f.refused == 0);
  f.append();  // a second try would find a folder that syncs
  CHECK(f.stored == 1);
  REQUIRE(f.open().has_value());
  f.append();
  CHECK(f.stored == 2);
}

TEST_CASE("one failed sync of the folder at the start refuses the start") {
  Fixture f;
  f.env.fail_sync().folder = 1;
  const base::Status opened = f.open();
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().code == base::ErrorCode::fsync_failed);
}

TEST_CASE("a stop whose last checkpoint is not confirmed says so") {
  Fixture f;
  f.append();
  f.env.fail_sync().database = 1;
  const base::Status closed = f.journal->close();
  REQUIRE_FALSE(closed.has_value());
  CHECK(closed.error().code == base::ErrorCode::fsync_failed);
}

TEST_CASE("the reserve takes space while there is some, and comes back after it was given away") {
  test::TempFolder folder;
  const std::string path = folder.path("kiln.reserve");
  Reserve reserve(path, 2u << 20);
  REQUIRE(reserve.is_held());
  CHECK_FALSE(reserve.is_released());
  CHECK(base::system_env().info(path)->size == 2u << 20);
  CHECK(reserve.release());
  CHECK(reserve.is_released());
  CHECK(base::system_env().info(path)->size == 0);
  CHECK_FALSE(reserve.release());
  CHECK(reserve.take());
  CHECK_FALSE(reserve.is_released());
  CHECK(Reserve(path, 2u << 20).is_held());  // the next start finds it
  Reserve none;
  CHECK_FALSE(none.release());
  CHECK_FALSE(none.is_released());
}

TEST_CASE("a file that is too small for a reserve counts as none, and is made one when there is space") {
  test::TempFolder folder;
  const std::string path = folder.path("kiln.reserve");
  REQUIRE(base::system_env().write_file_atomic(path, std::string(1000, 'x')).has_value());
  Reserve reserve(path, 2u << 20);
  CHECK(reserve.is_held());
  CHECK(base::system_env().info(path)->size == 2u << 20);
  CHECK(reserve.release());
  CHECK(reserve.take());  // one that it took for a reserve of 1,000 bytes never came back, and nothing was taken from senders
  CHECK_FALSE(reserve.is_released());
  // No space for one at first: nothing is refused on its account, and it is taken when there is some.
  Reserve none(folder.path("no/such/folder/kiln.reserve"), 2u << 20);
  CHECK_FALSE(none.is_held());
  CHECK_FALSE(none.is_released());
  CHECK_FALSE(none.release());
  REQUIRE(base::system_env().make_folders(folder.path("no/such/folder")).has_value());
  CHECK(none.take());
  CHECK(none.is_held());
}

namespace {

/// The journal on a disk in memory whose next write finds it full, and a reserve on the real one.
struct FullDisk {
  test::TempFolder folder;
  test::CrashDisk disk;
  test::CrashEnv env{disk};
  base::ManualClock clock{{kStart}};
  base::InlineExecutor committer;
  std::unique_ptr<SqliteJournal> journal;
  const std::string reserve = folder.path("kiln.reserve");

  ~FullDisk() { journal.reset(); }
  base::Status open() {
    journal.reset();
    JournalOptions options;
    options.folder = "journal";
    options.reserve_path = reserve;
    options.reserve_bytes = 2u << 20;
    TRY(journal, SqliteJournal::open(env, clock, committer, options, [] { FAIL("no sync fails here"); }));
    journal->keep_config("c1", "the site");
    return {};
  }
  /// A close writes too: whoever wants a full disk at the start closes first.
  void fill(bool for_ever = false) {
    disk.fault = test::CrashDisk::Fault::full;
    disk.calls = 0;
    disk.fail_at = 1;
    disk.fail_for_ever = for_ever;
  }
  base::Result<MessageId> append() {
    base::Result<MessageId> out = base::fail(base::ErrorCode::internal);
    NewMessage m;
    m.channel = "c";
    m.config_hash = "c1";
    m.body = "MSH|";
    journal->append(std::move(m), [&out](base::Result<MessageId> id) { out = std::move(id); });
    return out;
  }
  base::Status end(MessageId id) {
    base::Status out = base::fail(base::ErrorCode::internal);
    Ending e;
    e.destination = "d";
    journal->end(id, "c", e, [&out](base::Status done) { out = std::move(done); });
    journal->flush();
    return out;
  }
  std::uint64_t held() { return base::system_env().info(reserve)->size; }
  void later() { clock.advance(std::chrono::milliseconds(limits::kReserveLookMs)); }
};

}  // namespace

TEST_CASE("a disk that is full at the start gives the reserve back for it, and takes nothing new until it is there again") {
  FullDisk f;
  REQUIRE(f.open().has_value());
  const MessageId id = f.append().value();
  f.journal.reset();
  f.fill();
  REQUIRE(f.open().has_value());
  CHECK(f.held() == 0);
  CHECK_FALSE(f.journal->is_writable());
  CHECK(f.append().error().code == base::ErrorCode::disk_full);
  CHECK(f.end(id).has_value());
  f.later();
  CHECK(f.append().value() == id + 1);
  CHECK(f.held() == 2u << 20);
  CHECK(f.journal->is_writable());
  // On a disk that stays full the start is refused, and nothing is harmed.
  f.journal.reset();
  f.fill(true);
  CHECK(f.open().error().code == base::ErrorCode::disk_full);
  f.disk.fault = test::CrashDisk::Fault::none;
  REQUIRE(f.open().has_value());
}

TEST_CASE("a disk that is full at the change of day gives the reserve back, and what was taken ends") {
  FullDisk f;
  REQUIRE(f.open().has_value());
  const MessageId id = f.append().value();
  f.clock.set_wall({kStart + kDay});
  f.fill();
  CHECK(f.append().error().code == base::ErrorCode::disk_full);
  CHECK(f.held() == 0);
  CHECK(f.disk.files.contains("journal/000002-20261119.db"));
  CHECK(f.end(id).has_value());
  f.later();
  CHECK(f.append().value() == id + 1);
  CHECK(f.held() == 2u << 20);
}

TEST_CASE("a reserve that cannot be given back is tried again, and nothing is answered for it") {
  FullDisk f;
  REQUIRE(f.open().has_value());
  const MessageId id = f.append().value();
  // Something else stands in its place, which cannot be cut.
  REQUIRE(base::system_env().rename(f.reserve, f.reserve + ".away", false).has_value());
  REQUIRE(base::system_env().make_folders(f.reserve).has_value());
  f.fill();
  CHECK(f.end(id).error().code == base::ErrorCode::disk_full);
  CHECK(f.append().has_value());  // it was full once only
  REQUIRE(std::filesystem::remove(f.reserve));
  REQUIRE(base::system_env().rename(f.reserve + ".away", f.reserve, false).has_value());
  f.fill();
  CHECK(f.end(id).has_value());
  CHECK(f.held() == 0);
}
