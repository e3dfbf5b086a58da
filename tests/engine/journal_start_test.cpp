// What a start reads of a journal (reliability.md R11), and what a wrong clock does to its files (S3, R15).
#include <catch2/catch.hpp>
#include <cstring>

#include "engine/base/limits.h"
#include "engine/journal/sqlite_journal.h"
#include "tests/support/fault_env.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

constexpr std::int64_t kDay = 86'400'000'000;
constexpr std::int64_t kStart = 1'795'000'000'000'000;  // 2026-11-18

DedupeKey key_of(MessageId number) {
  DedupeKey key{};
  std::memcpy(key.data(), &number, sizeof number);
  return key;
}

struct Fixture {
  test::TempFolder folder;
  test::FaultEnv env;
  base::ManualClock clock{{kStart}};
  base::InlineExecutor committer;
  std::size_t dedupe_ids = 1000;
  std::unique_ptr<SqliteJournal> journal;

  Fixture() { open(); }
  void open() {
    journal.reset();
    JournalOptions options;
    options.folder = folder.path("journal");
    options.dedupe_ids = dedupe_ids;
    auto opened = SqliteJournal::open(env, clock, committer, options, [] { FAIL("no sync fails here"); });
    REQUIRE(opened.has_value());
    journal = std::move(*opened);
    journal->keep_config("c1", "the site");
  }
  MessageId append(bool with_key = true) {
    static MessageId number = 0;
    MessageId id = 0;
    NewMessage m;
    m.channel = "c";
    m.config_hash = "c1";
    if (with_key) m.dedupe = key_of(++number);
    m.body.assign(2000, 'x');
    journal->append(std::move(m), [&](auto r) { id = r.value(); });
    return id;
  }
  /// Messages of 2 KB with an output of 2 KB each; one of `pending_every` outputs waits, the others have ended.
  void fill(MessageId count, MessageId pending_every, bool with_keys) {
    for (MessageId done = 0; done < count;) {
      const MessageId first = next_ + 1, last = next_ + std::min<MessageId>(250, count - done);
      for (MessageId id = first; id <= last; ++id) {
        NewMessage m;
        m.channel = "c";
        m.config_hash = "c1";
        if (with_keys) m.dedupe = key_of(id);
        m.body.assign(2000, 'x');
        journal->append_with_next(std::move(m), [](auto) {});
      }
      journal->flush();
      for (MessageId id = first; id <= last; ++id) finish(id, id % pending_every == 0);
      journal->flush();
      done += last - next_;
      next_ = last;
    }
  }
  void finish(MessageId id, bool waits) {
    Processed p;
    p.id = id;
    p.channel = "c";
    p.outputs.resize(1);
    p.outputs[0].destination = "d";
    for (std::uint64_t at = 0; at < 2000; ++at)  // does not pack well
      p.outputs[0].body += static_cast<char>('!' + (at * 2654435761u * (id + 7) >> 13) % 90);
    journal->store(std::move(p), [](base::Status s) { REQUIRE(s.has_value()); });
    if (waits) return;
    Ending ending;
    ending.destination = "d";
    journal->end(id, "c", std::move(ending), [](base::Status s) { REQUIRE(s.has_value()); });
  }
  /// Bytes of journal files that a start reads.
  std::uint64_t start() {
    REQUIRE(journal->close().has_value());
    env.reset_counts();
    open();
    return env.bytes_read();
  }
  std::uint64_t file_bytes() {
    std::uint64_t out = 0;
    const auto listed = env.list(folder.path("journal"));
    for (const auto& file : *listed)
      if (file.name.ends_with(".db")) out += file.size;
    return out;
  }
  std::vector<std::string> files() {
    std::vector<std::string> out;
    const auto listed = env.list(folder.path("journal"));
    for (const auto& file : *listed)
      if (file.name.ends_with(".db")) out.push_back(file.name);
    return out;
  }

  MessageId next_ = 0;
};

void check_growth(bool with_keys) {
  Fixture f;
  // Beyond the messages that may be looked up one by one (kSettledLagMax, and one commit of 250): only then is the
  // reading bounded.
  f.fill(6000, 4, with_keys);
  const std::uint64_t first = f.start();
  const auto pending = f.journal->recovered().pending;
  REQUIRE(pending.size() == 1);
  CHECK(pending[0] == std::pair<std::string, std::uint64_t>{"c/d", 1500});
  CHECK(f.journal->recovered().unprocessed.empty());
  f.fill(6000, 4, with_keys);
  const std::uint64_t second = f.start();
  CHECK(f.journal->recovered().pending[0].second == 3000);
  INFO("read " << first << " then " << second << " of " << f.file_bytes());
  CHECK(f.file_bytes() > 25'000'000);
  constexpr std::uint64_t kMost = (base::limits::kSettledLagMax + 2 * 250) * 2 * 2'500;  // message and output of each
  CHECK(first < kMost);
  CHECK(second < kMost);
  CHECK(second < f.file_bytes() / 3);
}

}  // namespace

TEST_CASE("a start does not read the messages and outputs of a journal") {
  SECTION("of messages with dedupe keys") { check_growth(true); }
  SECTION("of messages without") { check_growth(false); }
}

TEST_CASE("the dedupe window is the newest keys, over files, whatever the clock says") {
  Fixture f;
  f.dedupe_ids = 600;
  f.fill(500, 1000, true);
  f.clock.set_wall({kStart + kDay});
  f.fill(500, 1000, true);
  REQUIRE(f.files().size() == 2);
  for (const std::int64_t wall : {kStart + kDay, kStart + 400 * kDay, kStart - 400 * kDay}) {
    f.clock.set_wall({wall});
    f.start();
    CHECK_FALSE(f.journal->maybe_seen(key_of(400)));
    CHECK(f.journal->maybe_seen(key_of(401)));
    CHECK(f.journal->maybe_seen(key_of(1000)));
  }
}

TEST_CASE("counts of waiting outputs are right after every kind of end") {
  Fixture f;
  f.fill(50, 5, true);
  f.journal.reset();  // as after a crash
  f.open();
  CHECK(f.journal->recovered().pending[0].second == 10);
  // A file that was written before counts were kept is counted once.
  f.journal.reset();
  {
    auto file = base::Database::open({.path = f.folder.path("journal/" + f.files()[0])});
    REQUIRE(file.has_value());
    REQUIRE(file->exec("DROP TABLE waiting").has_value());
  }
  f.open();
  CHECK(f.journal->recovered().pending[0].second == 10);
  // Rows that no count knows of still wait.
  f.journal.reset();
  {
    auto file = base::Database::open({.path = f.folder.path("journal/" + f.files()[0])});
    REQUIRE(file.has_value());
    REQUIRE(file->exec("UPDATE waiting SET count=0").has_value());
  }
  f.open();
  REQUIRE(f.journal->recovered().pending.size() == 1);
  CHECK(f.journal->recovered().pending[0].second >= 1);
}

TEST_CASE("a clock that was a year ahead does not stop the change of files") {
  Fixture f;
  CHECK(f.append() == 1);
  f.clock.set_wall({kStart + 365 * kDay});
  CHECK(f.append() == 2);
  f.clock.set_wall({kStart});
  CHECK(f.append() == 3);
  CHECK(f.files().size() == 2);  // not at once: it may swing
  f.clock.advance(std::chrono::minutes(61));
  CHECK(f.append() == 4);
  REQUIRE(f.files().size() == 3);
  CHECK(f.files()[2].starts_with("000003-202611"));
  f.clock.advance(std::chrono::hours(24));
  CHECK(f.append() == 5);
  CHECK(f.files().size() == 4);
  f.start();
  CHECK(f.journal->recovered().unprocessed == std::vector<MessageId>{1, 2, 3, 4, 5});
  CHECK(f.append() == 6);
  CHECK(f.files().size() == 4);
}

TEST_CASE("a clock that swings over midnight does not make a file each time") {
  Fixture f;
  for (int i = 0; i < 200; ++i) {
    f.clock.set_wall({kStart + (i % 2) * kDay});
    f.clock.advance(std::chrono::seconds(1));
    f.append();
  }
  CHECK(f.files().size() == 2);
}
