// The audit trail: any change of it is found.

#include "engine/security/audit_log.h"

#include <catch2/catch.hpp>

#include "engine/base/json.h"
#include "engine/base/random.h"
#include "tests/support/crash_disk.h"
#include "tests/support/temp_folder.h"

namespace kiln::engine {
namespace {

AuditRecord record(std::uint64_t number) {
  AuditRecord out;
  out.at = {static_cast<std::int64_t>(1'700'000'000'000'000 + number * 1'000'000)};
  out.user = number % 3 == 0 ? "ann" : "bob";
  out.from = "127.0.0.1:1";
  out.action = number % 2 == 0 ? "message.view" : "message.search";
  out.target = "/messages/" + std::to_string(number);
  out.outcome = "ok";
  out.detail = "q=" + std::to_string(number);
  return out;
}

struct Fixture {
  test::TempFolder folder;
  std::string path = base::join_path(folder.path(), "audit.db"),
              key = base::join_path(folder.path(), "audit.key");
  AuditLog open() {
    auto log = AuditLog::open(base::system_env(), path, key);
    REQUIRE(log);
    return std::move(*log);
  }
  void run(const std::string& sql) {
    base::DatabaseOptions options;
    options.path = path;
    options.page_size = 4096;
    auto database = base::Database::open(options);
    REQUIRE(database);
    REQUIRE(database->exec(sql.c_str()));
    REQUIRE(database->checkpoint());
  }
  /// The file as `bytes`, without a log of later writes.
  void put_back(const std::string& bytes) {
    for (const char* end : {"-wal", "-shm"})
      if (base::system_env().exists(path + end)) REQUIRE(base::system_env().remove(path + end));
    REQUIRE(base::system_env().write_file_atomic(path, bytes));
  }
  bool is_whole() {
    auto log = open();
    const auto verdict = log.verify();
    REQUIRE(verdict);
    return verdict->ok;
  }
};

}  // namespace

TEST_CASE("on a full disk there is space for records of what is done about it") {
  test::TempFolder folder;
  const std::string reserve = folder.path("audit.reserve");
  test::CrashDisk disk;
  test::CrashEnv env(disk);
  const auto fill = [&disk] {
    disk.fault = test::CrashDisk::Fault::full;
    disk.calls = 0;
    disk.fail_at = 1;  // once: then what was given back is there
  };
  {
    auto log = AuditLog::open(env, "audit.db", "audit.key", reserve);
    REQUIRE(log);
    REQUIRE(log->append(record(1)));
    const std::uint64_t held = base::system_env().info(reserve)->size;
    CHECK(held >= 1u << 20);
    fill();
    const auto second = log->append(record(2));
    REQUIRE(second);
    CHECK(second->number == 2);
    CHECK(base::system_env().info(reserve)->size == held);  // there was room again
    const auto verdict = log->verify();
    REQUIRE(verdict);
    CHECK(verdict->ok);
    CHECK(verdict->records == 2);
  }
  auto without = AuditLog::open(env, "audit.db", "audit.key");
  REQUIRE(without);
  fill();
  const auto refused = without->append(record(3));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == base::ErrorCode::audit_failed);
  CHECK_FALSE(refused.error().remedy.empty());
}

TEST_CASE("records are listed newest first, by user, action and outcome") {
  Fixture f;
  auto log = f.open();
  for (std::uint64_t n = 1; n <= 30; ++n) CHECK(log.append(record(n))->number == n);
  AuditQuery query;
  query.limit = 5;
  CHECK(log.list(query)->front().number == 30);
  query.before = 11;
  CHECK(log.list(query)->front().number == 10);
  query = {};
  query.user = "ann";
  CHECK(log.list(query)->size() == 10);
  query = {};
  query.action = "message";
  CHECK(log.list(query)->size() == 30);
  query.action = "message.vie";
  CHECK(log.list(query)->empty());
  const auto event = base::parse_json(print_audit_event(record(1)));
  REQUIRE(event);
  CHECK(event->root()["resourceType"].text() == "AuditEvent");
}

TEST_CASE("the chain goes on over a restart, and long details are cut") {
  Fixture f;
  {
    auto log = f.open();
    REQUIRE(log.append(record(1)));
  }
  auto log = f.open();
  AuditRecord long_one = record(2);
  long_one.detail = std::string(10'000, 'x') + "é";
  CHECK(log.append(long_one)->number == 2);
  CHECK(log.list({})->front().detail.size() < 5'000);
  CHECK(log.verify()->ok);
  CHECK(log.verify()->records == 2);
}

TEST_CASE("every change, gap, insertion and other order is found") {
  Fixture f;
  constexpr std::uint64_t kRecords = 1'100;  // one checkpoint
  {
    auto log = f.open();
    for (std::uint64_t n = 1; n <= kRecords; ++n) REQUIRE(log.append(record(n)));
    CHECK(log.verify()->checkpoints == 1);
  }
  REQUIRE(f.is_whole());
  f.run("select 1");
  const auto original = base::system_env().read_file(f.path, 64u << 20);
  REQUIRE(original);
  base::SeededRandom random(20261123);
  const char* const columns[] = {"at", "user", "source", "action", "target", "outcome", "detail", "hash"};
  for (int i = 0; i < 60; ++i) {
    const std::string n = std::to_string(random.below(kRecords - 1) + 1);
    const std::string other = std::to_string(random.below(1'000'000));
    const std::uint64_t kind = random.below(4);
    std::string sql;
    if (kind == 0) sql = "delete from record where n = " + n;
    if (kind == 1)
      sql =
          "update record set " + std::string(columns[random.below(8)]) + " = 'x" + other + "' where n = " + n;
    if (kind == 2)
      sql = "update record set n = -1 where n = " + n + "; update record set n = " + n + " where n = " + n +
            " + 1; update record set n = " + n + " + 1 where n = -1";
    if (kind == 3)
      sql = "update record set n = n + 100000 where n >= " + n + "; insert into record select " + n +
            ", at, user, source, action, target, outcome, detail, hash from record where n = 100000 + " + n +
            "; update record set n = n - 99999 where n >= 100000";
    INFO(sql);
    f.run(sql);
    CHECK(!f.is_whole());
    f.put_back(*original);
  }
  // The end is cut below a checkpoint; a checkpoint is forged; the key is another one.
  f.run("delete from record where n > 900");
  CHECK(!f.is_whole());
  f.put_back(*original);
  f.run("update checkpoint set mac = zeroblob(32)");
  CHECK(!f.is_whole());
  f.put_back(*original);
  CHECK(f.is_whole());
  REQUIRE(base::system_env().write_file_atomic(f.key, std::string(32, 'k')));
  CHECK(!f.is_whole());
}

}  // namespace kiln::engine
