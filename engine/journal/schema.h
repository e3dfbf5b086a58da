#pragma once
// The tables of a journal file, format 5. README.md explains them; reader.cpp, rows*.cpp and day_file*.cpp are their
// only users. schema_history.h has what older files lack.

#include <cstdint>

namespace kiln::engine {

inline constexpr const char* kJournalSchema = R"(
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE config(id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, text TEXT NOT NULL);
CREATE TABLE msg(
  id INTEGER PRIMARY KEY,
  received_us INTEGER NOT NULL,
  channel TEXT NOT NULL,
  kind INTEGER NOT NULL,
  type TEXT NOT NULL,
  control_id TEXT NOT NULL,
  peer TEXT NOT NULL,
  name TEXT NOT NULL,
  action TEXT NOT NULL,
  dedupe BLOB,
  crc INTEGER NOT NULL,
  key_id INTEGER NOT NULL,
  config INTEGER NOT NULL,
  parent INTEGER,
  replay_of INTEGER,
  framing_fault INTEGER NOT NULL,
  size INTEGER,
  sum INTEGER,
  parts TEXT NOT NULL DEFAULT '',
  head BLOB,
  body BLOB NOT NULL);
CREATE TABLE seen(id INTEGER PRIMARY KEY, key INTEGER NOT NULL);
CREATE TABLE suspect(id INTEGER PRIMARY KEY, attempts INTEGER NOT NULL);
CREATE TABLE outbox(
  dest TEXT NOT NULL,
  msg_id INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  in_doubt INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  is_source INTEGER NOT NULL,
  control_id TEXT NOT NULL,
  options TEXT NOT NULL,
  crc INTEGER NOT NULL,
  packed INTEGER NOT NULL,
  body BLOB NOT NULL,
  okey TEXT NOT NULL DEFAULT '',
  slot INTEGER NOT NULL DEFAULT 0,
  key_id INTEGER NOT NULL DEFAULT 0,
  sum INTEGER,
  PRIMARY KEY(dest, msg_id)) WITHOUT ROWID;
CREATE TABLE delivery(
  msg_id INTEGER NOT NULL,
  dest TEXT NOT NULL,
  state INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  in_doubt INTEGER NOT NULL,
  code TEXT NOT NULL,
  detail TEXT NOT NULL,
  sent_hash BLOB,
  reply BLOB,
  updated_us INTEGER NOT NULL,
  key_id INTEGER NOT NULL DEFAULT 0,
  sum INTEGER,
  PRIMARY KEY(msg_id, dest)) WITHOUT ROWID;
CREATE INDEX delivery_rare ON delivery(state, msg_id) WHERE state>=2;
CREATE TABLE unframed(
  id INTEGER PRIMARY KEY,
  received_us INTEGER NOT NULL,
  channel TEXT NOT NULL,
  kind TEXT NOT NULL,
  peer TEXT NOT NULL,
  name TEXT NOT NULL,
  detail TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  key_id INTEGER NOT NULL DEFAULT 0,
  sum INTEGER,
  head BLOB NOT NULL);
CREATE VIEW unprocessed AS
  WITH RECURSIVE dests(dest) AS (
    SELECT min(dest) FROM outbox
    UNION ALL SELECT (SELECT min(dest) FROM outbox WHERE dest > dests.dest) FROM dests WHERE dest IS NOT NULL)
  SELECT m.id FROM msg m
  WHERE m.id > (SELECT CAST(value AS INTEGER) FROM meta WHERE key='settled_to')
    AND NOT EXISTS(SELECT 1 FROM delivery d WHERE d.msg_id=m.id)
    AND NOT EXISTS(SELECT 1 FROM dests CROSS JOIN outbox o ON o.dest=dests.dest AND o.msg_id=m.id);
)";

/// What stands beside messages and outcomes. `output` keeps what was made for a destination, also after its outbox row has
/// gone; its rows come in the order of the messages, so that they go to the end of the table, and the outbox stays small.
inline constexpr const char* kRecordSchema = R"(
CREATE TABLE output(
  id INTEGER PRIMARY KEY,
  dest TEXT NOT NULL,
  kind INTEGER NOT NULL,
  control_id TEXT NOT NULL,
  crc INTEGER NOT NULL,
  form INTEGER NOT NULL,
  key_id INTEGER NOT NULL DEFAULT 0,
  sum INTEGER,
  parts TEXT NOT NULL DEFAULT '',
  body BLOB NOT NULL);
CREATE TABLE attempt(
  msg_id INTEGER NOT NULL,
  dest TEXT NOT NULL,
  n INTEGER NOT NULL,
  at_us INTEGER NOT NULL,
  took_us INTEGER NOT NULL,
  in_doubt INTEGER NOT NULL,
  code TEXT NOT NULL,
  detail TEXT NOT NULL,
  reply BLOB,
  key_id INTEGER NOT NULL DEFAULT 0,
  sum INTEGER,
  PRIMARY KEY(msg_id, dest, n)) WITHOUT ROWID;
CREATE TABLE quarantine(
  msg_id INTEGER NOT NULL,
  dest TEXT NOT NULL,
  resolution INTEGER NOT NULL,
  owner TEXT NOT NULL,
  note TEXT NOT NULL,
  reason TEXT NOT NULL,
  changed_by TEXT NOT NULL,
  changed_us INTEGER NOT NULL,
  released_as INTEGER NOT NULL,
  key_id INTEGER NOT NULL DEFAULT 0,
  sum INTEGER,
  PRIMARY KEY(msg_id, dest)) WITHOUT ROWID;
CREATE TABLE hold(
  subject TEXT PRIMARY KEY,
  state INTEGER NOT NULL,
  set_by TEXT NOT NULL,
  reason TEXT NOT NULL,
  since_us INTEGER NOT NULL,
  sum INTEGER) WITHOUT ROWID;
CREATE TABLE job(
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
  changed_us INTEGER NOT NULL,
  key_id INTEGER NOT NULL DEFAULT 0,
  sum INTEGER);
CREATE TABLE origin(
  msg_id INTEGER PRIMARY KEY,
  edited_from INTEGER NOT NULL,
  job INTEGER NOT NULL,
  sum INTEGER);
)";

/// Since format 4: keys, parts of large bodies, and what was asked for a message (in older files a table that came with its first
/// row).
inline constexpr const char* kFormat4Schema = R"(
CREATE TABLE data_key(
  id INTEGER PRIMARY KEY,
  master TEXT NOT NULL,
  wrapped BLOB NOT NULL,
  used INTEGER NOT NULL);
CREATE TABLE attachment(
  id INTEGER PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE,
  key_id INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  uses INTEGER,
  body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS lookup(
  msg_id INTEGER PRIMARY KEY,
  crc INTEGER NOT NULL,
  answers TEXT NOT NULL);
ALTER TABLE lookup ADD COLUMN key_id INTEGER NOT NULL DEFAULT 0;
)";

// In files older than format 5 these were made with their first row.

/// One row per message of a numbered link.
inline constexpr const char* kLinkSchema =
    "CREATE TABLE IF NOT EXISTS link(msg_id INTEGER PRIMARY KEY, name TEXT NOT NULL, verdict INTEGER NOT NULL,"
    " reply TEXT NOT NULL, last INTEGER NOT NULL, resync INTEGER NOT NULL, frozen INTEGER NOT NULL, sum INTEGER)";

/// One row per fragment that waits for the rest of its message.
inline constexpr const char* kFragmentSchema =
    "CREATE TABLE IF NOT EXISTS fragment(msg_id INTEGER PRIMARY KEY, channel TEXT NOT NULL)";

/// One row per message whose MSH-3, MSH-4 and MSH-10 an earlier one had with another body.
inline constexpr const char* kSameIdSchema =
    "CREATE TABLE IF NOT EXISTS same_id(msg_id INTEGER PRIMARY KEY, earlier INTEGER NOT NULL)";

/// How many rows of `outbox` each destination has, kept in the commits that change it.
inline constexpr const char* kWaitingSchema =
    "CREATE TABLE waiting(dest TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID";

/// Sends of an output that may have ended the process, since one last ended in another way.
inline constexpr const char* kSendingSchema =
    "CREATE TABLE IF NOT EXISTS sending(dest TEXT NOT NULL, msg_id INTEGER NOT NULL, attempts INTEGER NOT NULL,"
    " PRIMARY KEY(dest, msg_id)) WITHOUT ROWID";

/// Every table of a file of this format is there from its beginning: reading a message asks the catalogue for none.
inline constexpr const char* kFormat5Schema[] = {kLinkSchema, kFragmentSchema, kSameIdSchema, kSendingSchema};

/// Whether retention must leave the file alone: something is not processed, waits, or is quarantined and nobody has decided
/// about it. Unprocessed messages are those above `settled_to` without rows, so a file that is settled is quickly asked.
inline constexpr const char* kHoldsBack =
    "(EXISTS(SELECT 1 FROM outbox) OR EXISTS(SELECT 1 FROM unprocessed) OR EXISTS(SELECT 1 FROM delivery d WHERE"
    " d.state=3 AND NOT EXISTS(SELECT 1 FROM quarantine q WHERE q.msg_id=d.msg_id AND q.dest=d.dest"
    " AND q.resolution IN (1, 2))))";

/// outbox.packed and output.form.
enum BodyForm : int {
  kBodyPlain = 0,
  kBodyPacked = 1,    ///< a Zstandard frame
  kBodyElsewhere = 2  ///< of an outbox row: in `output`
};

/// output.id = number of the message * kOutputSlots + place of the output among those of the message.
inline constexpr std::int64_t kOutputSlots = 1024;

}  // namespace kiln::engine
