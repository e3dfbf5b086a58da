// The process ends at every named place of retention, backup and restore: each can be done again, nothing is lost, and what
// was not finished is never taken for finished (reliability.md R17, operations.md §10).
#include <catch2/catch.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "engine/vault/backup.h"
#include "engine/vault/retention.h"
#include "tests/support/failpoints.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

constexpr std::int64_t kDay = 86'400'000'000;
constexpr std::int64_t kStart = 1'795'000'000'000'000;  // 2026-11-18

base::Result<std::unique_ptr<SqliteJournal>> open(const std::string& data, base::Clock& clock, base::Executor& committer) {
  JournalOptions options;
  options.folder = data + "/journal";
  return SqliteJournal::open(base::system_env(), clock, committer, options, [] { ::_exit(74); });
}

/// Four days with a message each; all have ended but the last.
void fill(const std::string& data) {
  base::ManualClock clock{{kStart}};
  base::InlineExecutor committer;
  auto journal = open(data, clock, committer);
  REQUIRE(journal.has_value());
  (*journal)->keep_config("c1", "the site");
  for (int day = 0; day < 4; ++day) {
    NewMessage m;
    m.channel = "adt_in";
    m.config_hash = "c1";
    m.received = clock.wall();
    m.body = "MSH|^~\\&|DAY" + std::to_string(day);
    MessageId id = 0;
    (*journal)->append(m, [&](auto r) { id = r.value(); });
    Processed p;
    p.id = id;
    p.channel = "adt_in";
    p.outputs.resize(1);
    p.outputs[0].destination = "pas";
    p.outputs[0].body = "out";
    (*journal)->store(p, [](auto) {});
    Ending e;
    e.destination = "pas";
    if (day < 3) (*journal)->end(id, "adt_in", e, [](auto) {});
    (*journal)->flush();
    clock.set_wall({clock.wall().micros + kDay});
  }
  REQUIRE((*journal)->close().has_value());
}

void run_prune(const std::string& data) {
  base::ManualClock clock{{kStart + 33 * kDay}};
  base::InlineExecutor committer;
  auto journal = open(data, clock, committer);
  if (!journal) ::_exit(2);
  const auto plan = plan_prune(base::system_env(), data + "/journal", {}, clock.wall());
  if (!plan || !prune(base::system_env(), data + "/journal", **journal, *plan)) ::_exit(3);
}

base::Status run_backup(const std::string& data, const std::string& target) {
  TRY(auto cut, cut_at_rest(base::system_env(), data));
  BackupOptions options;
  options.data_folder = data;
  options.target = target;
  options.gentle = false;
  TRY_VOID(make_backup(base::system_env(), std::move(cut), options));
  return {};
}

/// Runs `work` in a process of its own that ends at the named place; false: it passed no such place.
template <class Work>
bool dies_at(const std::string& name, Work work) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!test::arm_failpoints(name + "=crash@1", "")) ::_exit(1);
    work();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

std::uint64_t findings(const std::string& data) {
  VerifyOptions options;
  options.full = true;
  const auto report = verify_journal(base::system_env(), data + "/journal", options);
  REQUIRE(report.has_value());
  return report->findings_total;
}

}  // namespace

TEST_CASE("retention that was killed at any place is finished by the next run") {
  for (const char* name : {"prune.metadata", "prune.note", "prune.unlink", "prune.sync"}) {
    INFO(name);
    test::TempFolder folder;
    const std::string data = folder.path("data");
    fill(data);
    CHECK(dies_at(name, [&] { run_prune(data); }));
    CHECK(findings(data) == 0);
    run_prune(data);
    CHECK(findings(data) == 0);
    const auto left = plan_prune(base::system_env(), data + "/journal", {}, {kStart + 33 * kDay});
    REQUIRE(left.has_value());
    CHECK(left->files_due == 0);
    CHECK(left->entries.size() == 1);  // the newest, in which something waits
    for (const MessageId id : {1, 2, 3}) CHECK(find_expired(base::system_env(), data + "/journal", id)->has_value());
  }
}

TEST_CASE("a backup that was killed at any place is no backup, and another one is made") {
  for (const char* name : {"backup.copy", "backup.manifest"}) {
    INFO(name);
    test::TempFolder folder;
    fill(folder.path("data"));
    CHECK(dies_at(name, [&] { (void)run_backup(folder.path("data"), folder.path("b1")); }));
    const auto refused = verify_backup(base::system_env(), folder.path("b1"));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == base::ErrorCode::backup_damaged);
    CHECK(run_backup(folder.path("data"), folder.path("b2")).has_value());
    CHECK(verify_backup(base::system_env(), folder.path("b2"))->report.findings_total == 0);
  }
}

TEST_CASE("a restore that was killed at any place leaves the data as they were, or nothing in their place") {
  for (const char* name : {"restore.copy", "restore.rename"}) {
    INFO(name);
    test::TempFolder folder;
    const std::string data = folder.path("data");
    fill(data);
    REQUIRE(run_backup(data, folder.path("backup")).has_value());
    const auto restore = [&] {
      return restore_backup(base::system_env(), folder.path("backup"), data, true, {kStart + 10 * kDay});
    };
    CHECK(dies_at(name, [&] { (void)restore(); }));
    // Whatever is in the place of the data is whole.
    if (std::filesystem::exists(data)) CHECK(findings(data) == 0);
    const auto refused = restore();
    REQUIRE_FALSE(refused.has_value());  // the half of the first one is named, not taken up
    CHECK(refused.error().place == data + ".restoring");
    std::filesystem::remove_all(data + ".restoring");
    const auto done = restore();
    if (!done) FAIL(done.error().message());
    CHECK(done->pending == 1);
    CHECK(findings(data) == 0);
  }
}
