#include "engine/store/schema.h"

#include <array>
#include <string>
#include <string_view>

namespace kiln::engine {
namespace {

using base::Database;
using base::ErrorCode;
using base::fail;
using base::Status;

struct Migration {
  int number;
  const char* sql;
};

/// Append only: a released migration never changes.
constexpr Migration kMigrations[] = {
    {1, R"sql(
CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE type(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE param(id INTEGER PRIMARY KEY, type INTEGER NOT NULL, code TEXT NOT NULL, UNIQUE(type, code));
CREATE TABLE word(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE resource(rid INTEGER PRIMARY KEY, type INTEGER NOT NULL, id TEXT NOT NULL, vid INTEGER NOT NULL,
  seq INTEGER NOT NULL, deleted INTEGER NOT NULL, UNIQUE(type, id));
CREATE INDEX resource_seq ON resource(type, seq);
CREATE TABLE version(seq INTEGER PRIMARY KEY, rid INTEGER NOT NULL, vid INTEGER NOT NULL, updated_us INTEGER NOT NULL,
  method INTEGER NOT NULL, origin INTEGER NOT NULL, body TEXT NOT NULL);
CREATE UNIQUE INDEX version_rid ON version(rid, vid DESC);
CREATE TABLE ix_token(param INTEGER NOT NULL, code TEXT NOT NULL, rid INTEGER NOT NULL, system INTEGER NOT NULL,
  PRIMARY KEY(param, code, rid, system)) WITHOUT ROWID;
CREATE INDEX ix_token_system ON ix_token(param, system, rid) WHERE system <> 0;
CREATE TABLE ix_string(param INTEGER NOT NULL, folded TEXT NOT NULL, rid INTEGER NOT NULL, exact TEXT NOT NULL,
  PRIMARY KEY(param, folded, rid, exact)) WITHOUT ROWID;
CREATE TABLE ix_date(param INTEGER NOT NULL, low_us INTEGER NOT NULL, high_us INTEGER NOT NULL, rid INTEGER NOT NULL,
  PRIMARY KEY(param, low_us, high_us, rid)) WITHOUT ROWID;
CREATE INDEX ix_date_high ON ix_date(param, high_us, low_us, rid);
CREATE TABLE ix_reference(param INTEGER NOT NULL, target_id TEXT NOT NULL, target_type INTEGER NOT NULL,
  rid INTEGER NOT NULL, PRIMARY KEY(param, target_id, target_type, rid)) WITHOUT ROWID;
CREATE TABLE ix_uri(param INTEGER NOT NULL, uri TEXT NOT NULL, rid INTEGER NOT NULL,
  PRIMARY KEY(param, uri, rid)) WITHOUT ROWID;
CREATE TABLE ix_quantity(param INTEGER NOT NULL, low TEXT NOT NULL, high TEXT NOT NULL, rid INTEGER NOT NULL,
  system INTEGER NOT NULL, code TEXT NOT NULL, PRIMARY KEY(param, low, high, rid, system, code)) WITHOUT ROWID;
CREATE TABLE delivered(msg_id INTEGER NOT NULL, dest TEXT NOT NULL, PRIMARY KEY(msg_id, dest)) WITHOUT ROWID;
CREATE TABLE cursor(name TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES('page_secret', randomblob(32));
)sql"},
    // Columns without a type: what a component keeps depends on its kind (engine/store/README.md).
    {2, R"sql(
CREATE TABLE ix_composite(param INTEGER NOT NULL, a1 NOT NULL, a2 NOT NULL, b1 NOT NULL, b2 NOT NULL, rid INTEGER NOT NULL,
  a3 NOT NULL, a4 NOT NULL, b3 NOT NULL, b4 NOT NULL, c1 NOT NULL, c2 NOT NULL, c3 NOT NULL, c4 NOT NULL,
  PRIMARY KEY(param, a1, a2, b1, b2, rid, a3, a4, b3, b4, c1, c2, c3, c4)) WITHOUT ROWID;
CREATE INDEX ix_reference_source ON ix_reference(rid, param);
)sql"},
};
constexpr int kFormat = kMigrations[std::size(kMigrations) - 1].number;

/// Names of all tables and own indexes of format kFormat, in order.
constexpr std::string_view kExpectedNames =
    "cursor delivered ix_composite ix_date ix_date_high ix_quantity ix_reference ix_reference_source "
    "ix_string ix_token ix_token_system "
    "ix_uri meta param "
    "resource resource_seq type version version_rid word";

Status check_names(Database& database) {
  TRY(auto select,
      database.prepare("SELECT group_concat(name, ' ') FROM (SELECT name FROM sqlite_master"
                       " WHERE type IN ('table', 'index') AND name NOT LIKE 'sqlite%' ORDER BY name)"));
  TRY(const bool row, select.step());
  if (row && select.text(0) == kExpectedNames) return {};
  return fail(ErrorCode::database_corrupt, "the tables of the store are not those of its format");
}

base::Result<std::int64_t> read_format(Database& database) {
  TRY(const std::int64_t format, database.pragma_integer("user_version"));
  if (format > kFormat)
    return fail(ErrorCode::store_format,
                "the store has format " + std::to_string(format) + ", this program knows up to " +
                    std::to_string(kFormat),
                {}, "use a newer kiln");
  return format;
}

Status run_migration(Database& database, const Migration& migration) {
  TRY_VOID(database.begin());
  auto done = database.exec(migration.sql);
  if (done) done = database.exec(("PRAGMA user_version=" + std::to_string(migration.number)).c_str());
  if (done) done = database.commit();
  if (!done) database.rollback();
  return done;
}

}  // namespace

Status migrate_store(Database& database) {
  TRY(const std::int64_t format, read_format(database));
  for (const Migration& migration : kMigrations) {
    if (migration.number > format) TRY_VOID(run_migration(database, migration));
  }
  return check_names(database);
}

Status check_store_format(Database& database) {
  TRY(const std::int64_t format, read_format(database));
  if (format != kFormat)
    return fail(ErrorCode::store_format, "the store has the older format " + std::to_string(format), {},
                "run the engine once to bring it up to date");
  return check_names(database);
}

}  // namespace kiln::engine
