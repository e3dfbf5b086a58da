#include "engine/base/sql/sqlite.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/fault_env.h"
#include "tests/support/temp_folder.h"

using namespace kiln::base;

namespace {

Database open_writer(const std::string& path) {
  auto database = Database::open({.path = path});
  REQUIRE(database);
  return std::move(*database);
}

std::int64_t count(Database& database) {
  auto statement = database.cached("SELECT count(*) FROM t");
  REQUIRE(statement);
  REQUIRE(*statement->step());
  return statement->integer(0);
}

}  // namespace

TEST_CASE("the writer has the pragmas of the storage rules") {
  kiln::test::TempFolder folder;
  Database database = open_writer(folder.path("a.db"));
  CHECK(*database.pragma_text("journal_mode") == "wal");
  CHECK(*database.pragma_integer("synchronous") == 2);
  CHECK(*database.pragma_integer("page_size") == 16384);
  CHECK(*database.pragma_integer("foreign_keys") == 1);
  CHECK(*database.pragma_integer("journal_size_limit") == 67108864);
}

TEST_CASE("values come back as they were bound") {
  kiln::test::TempFolder folder;
  Database database = open_writer(folder.path("a.db"));
  REQUIRE(database.exec("CREATE TABLE t(i INTEGER, s TEXT, b BLOB, n TEXT)"));
  {
    auto insert = database.prepare("INSERT INTO t VALUES(?,?,?,?)");
    REQUIRE(insert);
    insert->bind(1, INT64_MIN).bind(2, "").bind_blob(3, std::string_view("a\0b", 3)).bind_null(4);
    REQUIRE(insert->run());
  }
  auto select = database.cached("SELECT i,s,b,n FROM t");
  REQUIRE(select);
  REQUIRE(*select->step());
  CHECK(select->integer(0) == INT64_MIN);
  CHECK_FALSE(select->is_null(1));
  CHECK(select->text(1).empty());
  CHECK(select->blob(2) == std::string_view("a\0b", 3));
  CHECK(select->is_null(3));
  CHECK_FALSE(*select->step());
}

TEST_CASE("a cached statement that is in use is prepared a second time") {
  kiln::test::TempFolder folder;
  Database database = open_writer(folder.path("a.db"));
  REQUIRE(database.exec("CREATE TABLE t(i INTEGER); INSERT INTO t VALUES(1),(2)"));
  auto outer = database.cached("SELECT i FROM t ORDER BY i");
  REQUIRE(*outer->step());
  {
    auto inner = database.cached("SELECT i FROM t ORDER BY i");
    REQUIRE(*inner->step());
    CHECK(inner->integer(0) == 1);
  }
  REQUIRE(*outer->step());
  CHECK(outer->integer(0) == 2);
}

TEST_CASE("savepoints undo one request of a group") {
  kiln::test::TempFolder folder;
  Database database = open_writer(folder.path("a.db"));
  REQUIRE(database.exec("CREATE TABLE t(i INTEGER UNIQUE)"));
  REQUIRE(database.begin());
  REQUIRE(database.savepoint(1));
  REQUIRE(database.exec("INSERT INTO t VALUES(1)"));
  REQUIRE(database.release(1));
  REQUIRE(database.savepoint(1));
  REQUIRE(database.exec("INSERT INTO t VALUES(2)"));
  const auto broken = database.exec("INSERT INTO t VALUES(1)");
  REQUIRE_FALSE(broken);
  CHECK(broken.error().code == ErrorCode::database_conflict);
  REQUIRE(database.rollback_to(1));
  REQUIRE(database.commit());
  CHECK(count(database) == 1);
  database.rollback();
  CHECK_FALSE(database.in_transaction());
}

TEST_CASE("a reader sees commits, cannot write, and leaves the WAL alone when it closes") {
  kiln::test::TempFolder folder;
  const std::string path = folder.path("a.db");
  Database writer = open_writer(path);
  REQUIRE(writer.exec("CREATE TABLE t(i INTEGER); INSERT INTO t VALUES(1)"));
  const auto wal_bytes = std::filesystem::file_size(path + "-wal");
  const auto file_bytes = std::filesystem::file_size(path);
  CHECK(wal_bytes > 0);
  {
    auto reader = Database::open({.path = path, .read_only = true});
    REQUIRE(reader);
    CHECK(count(*reader) == 1);
    const auto refused = reader->exec("INSERT INTO t VALUES(2)");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::disk_full);
    REQUIRE(writer.exec("INSERT INTO t VALUES(3)"));
    CHECK(count(*reader) == 2);
  }
  CHECK(std::filesystem::file_size(path) == file_bytes);
  CHECK(std::filesystem::exists(path + "-wal"));
}

TEST_CASE("the last reader of a file without a writer does not checkpoint") {
  kiln::test::TempFolder folder;
  const std::string path = folder.path("a.db"), copy = folder.path("b.db");
  {
    Database writer = open_writer(path);
    REQUIRE(writer.exec("CREATE TABLE t(i INTEGER); INSERT INTO t VALUES(1)"));
    std::filesystem::copy_file(path, copy);  // what a crash leaves: a file and its WAL
    std::filesystem::copy_file(path + "-wal", copy + "-wal");
  }
  const auto wal_bytes = std::filesystem::file_size(copy + "-wal");
  {
    auto reader = Database::open({.path = copy, .read_only = true});
    REQUIRE(reader);
    CHECK(count(*reader) == 1);
  }
  REQUIRE(std::filesystem::exists(copy + "-wal"));
  CHECK(std::filesystem::file_size(copy + "-wal") == wal_bytes);
}

TEST_CASE("a commit tells that the sync of its checkpoint failed") {
  kiln::test::TempFolder folder;
  kiln::test::FaultEnv env;
  auto opened = Database::open({.path = folder.path("a.db"), .wal_autocheckpoint_pages = 4, .vfs = env.sqlite_vfs()});
  REQUIRE(opened);
  REQUIRE(opened->exec("CREATE TABLE t(b BLOB)"));
  const auto insert = [&] {
    REQUIRE(opened->begin());
    REQUIRE(opened->exec("INSERT INTO t VALUES(zeroblob(100000))"));
    return opened->commit();
  };
  REQUIRE(insert());
  env.fail_sync().database = 1;
  const auto failed = insert();
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == ErrorCode::fsync_failed);
  CHECK_FALSE(opened->checkpoint_failure());
  CHECK(insert());
  CHECK(opened->checkpoint_failure());
}

TEST_CASE("a file that is no database is named as damaged") {
  kiln::test::TempFolder folder;
  const std::string path = folder.path("a.db");
  std::ofstream(path) << std::string(4096, 'x');
  const auto database = Database::open({.path = path});
  REQUIRE_FALSE(database);
  CHECK(database.error().code == ErrorCode::database_corrupt);
  CHECK(database.error().place == path);
}

TEST_CASE("a missing folder is an error, not a new file") {
  const auto database = Database::open({.path = "/nonexistent-folder/a.db"});
  REQUIRE_FALSE(database);
  CHECK(database.error().code == ErrorCode::io_failed);
}

TEST_CASE("a budget ends a query that runs away") {
  kiln::test::TempFolder folder;
  Database database = open_writer(folder.path("a.db"));
  const char* endless =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n";
  database.set_budget(100'000);
  auto statement = database.prepare(endless);
  REQUIRE(statement);
  const auto stopped = statement->step();
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().code == ErrorCode::limit_exceeded);
  database.set_budget(0);
  REQUIRE(database.exec("CREATE TABLE t(i INTEGER)"));
}

TEST_CASE("bad SQL and bad parameters are errors") {
  kiln::test::TempFolder folder;
  Database database = open_writer(folder.path("a.db"));
  CHECK(database.prepare("SELECT nothing FROM nowhere").error().code == ErrorCode::database_failed);
  CHECK(database.prepare("").error().code == ErrorCode::database_failed);
  auto statement = database.prepare("SELECT ?1");
  REQUIRE(statement);
  statement->bind(2, 1);
  CHECK(statement->step().error().code == ErrorCode::database_failed);
}
