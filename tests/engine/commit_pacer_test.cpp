// How many commits messages take: alone while there are few, together when there are many.
#include <catch2/catch.hpp>
#include <vector>

#include "engine/base/limits.h"
#include "engine/base/virtual_executor.h"
#include "engine/commit_pacer.h"
#include "engine/journal/sqlite_journal.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

/// A loop, and a journal whose committer runs only when the test says so.
struct Fixture {
  test::TempFolder folder;
  base::ManualClock clock{{1'795'000'000'000'000}};
  base::VirtualExecutor loop{clock};
  base::VirtualExecutor committer{clock};
  std::unique_ptr<SqliteJournal> journal;
  std::unique_ptr<CommitPacer> pacer;
  std::vector<MessageId> durable;

  Fixture() {
    JournalOptions options;
    options.folder = folder.path("journal");
    auto opened = SqliteJournal::open(base::system_env(), clock, committer, options, [] {});
    REQUIRE(opened.has_value());
    journal = std::move(*opened);
    journal->keep_config("c1", "the site");
    pacer = std::make_unique<CommitPacer>(loop, *journal);
  }
  void append(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      NewMessage message;
      message.channel = "c";
      message.config_hash = "c1";
      message.body = "MSH|";
      pacer->append(message, [this](base::Result<MessageId> id) { durable.push_back(id.value()); });
    }
  }
};

constexpr std::size_t kAlone = base::limits::kCommittedAloneMax;
constexpr std::size_t kGroup = base::limits::kPacedCommitMax;

}  // namespace

TEST_CASE("few messages are committed without waiting for the loop", "[pacer]") {
  Fixture f;
  for (int round = 0; round < 5; ++round) {
    f.append(kAlone);
    f.committer.run_ready();
    CHECK(f.durable.size() == kAlone);
    for (std::size_t i = 0; i < kAlone; ++i) f.pacer->answered();
    f.durable.clear();
  }
}

TEST_CASE("messages of one turn of the loop share a commit, none is forgotten", "[pacer]") {
  Fixture f;
  f.append(kAlone);
  f.committer.run_ready();
  f.append(5);
  f.committer.run_ready();
  CHECK(f.durable.size() == kAlone);  // the loop has not come round
  f.loop.run_ready();
  f.committer.run_ready();
  CHECK(f.durable.size() == kAlone + 5);
  f.append(2);
  f.loop.run_ready();
  f.committer.run_ready();
  REQUIRE(f.durable.size() == kAlone + 7);
  for (MessageId id = 1; id <= f.durable.size(); ++id) CHECK(f.durable[id - 1] == id);
}

TEST_CASE("a long turn of the loop commits on the way", "[pacer]") {
  Fixture f;
  f.append(kAlone);
  f.committer.run_ready();
  f.append(kGroup + 1);
  f.committer.run_ready();
  CHECK(f.durable.size() == kAlone + kGroup + 1);  // what was queued when the committer came is in
  f.append(1);
  f.committer.run_ready();
  CHECK(f.durable.size() == kAlone + kGroup + 1);
  f.loop.run_ready();
  f.committer.run_ready();
  CHECK(f.durable.size() == kAlone + kGroup + 2);
}

TEST_CASE("a message that waits is committed by the stop of the journal", "[pacer]") {
  Fixture f;
  f.append(kAlone + 2);
  f.pacer.reset();
  f.loop.run_ready();
  REQUIRE(f.journal->close().has_value());
  CHECK(f.durable.size() == kAlone + 2);
}
