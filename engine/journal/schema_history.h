#pragma once
// What journal files of older formats lack, and the steps that bring them up to the present one (README.md of this folder).

#include <cstdint>
#include <string>

#include "engine/base/sql/sqlite.h"

namespace kiln::engine {

/// Tables of format 3.
inline constexpr const char* kFormat3Schema = R"(
CREATE TABLE IF NOT EXISTS output(
  id INTEGER PRIMARY KEY,
  dest TEXT NOT NULL,
  kind INTEGER NOT NULL,
  control_id TEXT NOT NULL,
  crc INTEGER NOT NULL,
  form INTEGER NOT NULL,
  body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS attempt(
  msg_id INTEGER NOT NULL,
  dest TEXT NOT NULL,
  n INTEGER NOT NULL,
  at_us INTEGER NOT NULL,
  took_us INTEGER NOT NULL,
  in_doubt INTEGER NOT NULL,
  code TEXT NOT NULL,
  detail TEXT NOT NULL,
  reply BLOB,
  PRIMARY KEY(msg_id, dest, n)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quarantine(
  msg_id INTEGER NOT NULL,
  dest TEXT NOT NULL,
  resolution INTEGER NOT NULL,
  owner TEXT NOT NULL,
  note TEXT NOT NULL,
  reason TEXT NOT NULL,
  changed_by TEXT NOT NULL,
  changed_us INTEGER NOT NULL,
  released_as INTEGER NOT NULL,
  PRIMARY KEY(msg_id, dest)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hold(
  subject TEXT PRIMARY KEY,
  state INTEGER NOT NULL,
  set_by TEXT NOT NULL,
  reason TEXT NOT NULL,
  since_us INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS job(
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  spec TEXT NOT NULL,
  state INTEGER NOT NULL,
  position INTEGER NOT NULL,
  total INTEGER NOT NULL,
  done INTEGER NOT NULL,
  skipped INTEGER NOT NULL,
  requester TEXT NOT NULL,
  reason TEXT NOT NULL,
  detail TEXT NOT NULL,
  created_us INTEGER NOT NULL,
  changed_us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS origin(
  msg_id INTEGER PRIMARY KEY,
  edited_from INTEGER NOT NULL,
  job INTEGER NOT NULL);
)";

/// What a file of format 2 lacks; in one transaction with kFormat3Schema and the new number. Each step is one of SQLite's
/// catalogue only: rows are not touched, so a file of any size takes milliseconds.
inline constexpr const char* kFormat2To3 =
    "ALTER TABLE outbox ADD COLUMN okey TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE outbox ADD COLUMN slot INTEGER NOT NULL DEFAULT 0;";

/// What a file of format 3 lacks, beside kFormat4Schema, in one transaction with it: columns that old rows do not have. None of it
/// touches a row.
struct AddedColumns {
  const char* table;
  const char* columns[4];  ///< as in ADD COLUMN
  const char* defaults;    ///< as a reader sees them in a file that does not have them yet
};
inline constexpr AddedColumns kFormat3To4[] = {
    {"msg", {"size INTEGER", "sum INTEGER", "parts TEXT NOT NULL DEFAULT ''", "head BLOB"},
     "NULL AS size, NULL AS sum, '' AS parts, NULL AS head"},
    {"outbox", {"key_id INTEGER NOT NULL DEFAULT 0", "sum INTEGER", nullptr, nullptr}, "0 AS key_id, NULL AS sum"},
    {"delivery", {"key_id INTEGER NOT NULL DEFAULT 0", "sum INTEGER", nullptr, nullptr}, "0 AS key_id, NULL AS sum"},
    {"output", {"key_id INTEGER NOT NULL DEFAULT 0", "sum INTEGER", "parts TEXT NOT NULL DEFAULT ''", nullptr},
     "0 AS key_id, NULL AS sum, '' AS parts"},
    {"attempt", {"key_id INTEGER NOT NULL DEFAULT 0", "sum INTEGER", nullptr, nullptr}, "0 AS key_id, NULL AS sum"},
    {"quarantine", {"key_id INTEGER NOT NULL DEFAULT 0", nullptr, nullptr, nullptr}, "0 AS key_id"},
    {"job", {"key_id INTEGER NOT NULL DEFAULT 0", nullptr, nullptr, nullptr}, "0 AS key_id"},
    {"unframed", {"key_id INTEGER NOT NULL DEFAULT 0", nullptr, nullptr, nullptr}, "0 AS key_id"},
    {"lookup", {nullptr, nullptr, nullptr, nullptr}, "0 AS key_id"},
};

/// What a file of format 4 lacks, likewise; an older one gets its attachments with it.
inline constexpr AddedColumns kFormat4To5[] = {
    {"attachment", {"uses INTEGER", nullptr, nullptr, nullptr}, "NULL AS uses"},
    {"quarantine", {"sum INTEGER", nullptr, nullptr, nullptr}, "NULL AS sum"},
    {"hold", {"sum INTEGER", nullptr, nullptr, nullptr}, "NULL AS sum"},
    {"job", {"sum INTEGER", nullptr, nullptr, nullptr}, "NULL AS sum"},
    {"origin", {"sum INTEGER", nullptr, nullptr, nullptr}, "NULL AS sum"},
    {"unframed", {"sum INTEGER", nullptr, nullptr, nullptr}, "NULL AS sum"},
    {"link", {"sum INTEGER", nullptr, nullptr, nullptr}, "NULL AS sum"},
};

/// Brings a file to the present format, in the transaction under way. `format`: of the file.
base::Status raise_format(base::Database& database, std::int64_t format);

/// Lets a connection that only reads see a file of that older format as one of the present: views of this connection alone.
base::Status show_as_present(base::Database& database, std::int64_t format);

}  // namespace kiln::engine
