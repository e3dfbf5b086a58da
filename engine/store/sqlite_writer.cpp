// The writing half of the store: versions, index rows, cursors, deliveries.

#include <algorithm>
#include <utility>

#include "engine/base/limits.h"
#include "engine/store/sqlite_connection.h"
#include "fhir/resource_text.h"

namespace kiln::engine {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;
using base::WallTime;
using fhir::WriteResult;

Result<SqliteConnection::Current> SqliteConnection::find_current(std::string_view type, std::string_view id,
                                                                 bool add_type) {
  Current current;
  TRY(current.type, dictionary_.type(type));
  if (current.type == Dictionary::kUnknown && add_type)
    return fail(ErrorCode::database_failed, "this connection only reads");
  TRY(auto select, database_.cached("SELECT rid, vid, seq, deleted FROM resource WHERE type=? AND id=?"));
  select.bind(1, current.type).bind(2, id);
  TRY(const bool row, select.step());
  if (row) {
    current.rid = select.integer(0);
    current.vid = select.integer(1);
    current.seq = select.integer(2);
    current.deleted = select.integer(3) != 0;
  }
  return current;
}

Result<std::int64_t> SqliteConnection::next_rid(std::int64_t type) {
  const auto found = last_rids_.find(type);
  if (found != last_rids_.end()) return ++found->second;
  TRY(auto select, database_.cached("SELECT max(rid) FROM resource WHERE rid>=? AND rid<?"));
  select.bind(1, first_rid(type)).bind(2, first_rid(type + 1));
  TRY(const bool row, select.step());
  const std::int64_t last = row && !select.is_null(0) ? select.integer(0) : first_rid(type);
  return last_rids_.emplace(type, last + 1).first->second;
}

WallTime SqliteConnection::next_stamp() const {
  // Milliseconds, as meta.lastUpdated shows them; a clock that goes back does not reorder the feed (fhir.md
  // §5).
  const std::int64_t now = options_.clock->wall().micros / 1000 * 1000;
  return {std::max(now, last_updated_.micros)};
}

Status SqliteConnection::add_version(const NewVersion& version, Added stamp) {
  TRY(const std::int64_t origin, dictionary_.word(version.origin));
  TRY(auto insert, database_.cached("INSERT INTO version VALUES(?,?,?,?,?,?,?)"));
  insert.bind(1, stamp.seq).bind(2, version.rid).bind(3, version.vid).bind(4, stamp.updated.micros);
  insert.bind(5, static_cast<std::int64_t>(version.method)).bind(6, origin).bind(7, version.body);
  TRY_VOID(insert.run());
  last_seq_ = stamp.seq;
  last_updated_ = stamp.updated;
  return {};
}

Status SqliteConnection::set_current(const Current& current, std::string_view id, std::int64_t vid,
                                     std::int64_t seq, bool deleted) {
  if (current.vid == 0) {
    TRY(auto insert, database_.cached("INSERT INTO resource VALUES(?,?,?,?,?,?)"));
    insert.bind(1, current.rid)
        .bind(2, current.type)
        .bind(3, id)
        .bind(4, vid)
        .bind(5, seq)
        .bind(6, deleted ? 1 : 0);
    return insert.run();
  }
  TRY(auto update, database_.cached("UPDATE resource SET vid=?, seq=?, deleted=? WHERE rid=?"));
  update.bind(1, vid).bind(2, seq).bind(3, deleted ? 1 : 0).bind(4, current.rid);
  return update.run();
}

Result<fhir::IndexRows> SqliteConnection::rows_of_body(const fhir::TypeParameters& parameters,
                                                       std::string_view body) const {
  // The stored text is larger than what was sent: it has a meta.
  TRY(const base::JsonDocument document,
      base::parse_json(body, {base::limits::kArchiveFileBytesMax, base::limits::kJsonDepthMax}));
  return fhir::extract_rows(parameters, document.root(), nullptr, options_.base_url);
}

Result<WriteResult> SqliteConnection::put(const fhir::Write& write) {
  TRY_VOID(require_writer());
  const fhir::TypeParameters* parameters = fhir::type_parameters(write.type);
  if (!parameters) return fail(ErrorCode::fhir_unknown_path, "unknown resource type");
  TRY(Current current, find_current(write.type, write.id, true));
  const fhir::ResourceText text(write.resource, write.id, write.references);
  fhir::IndexRows before;
  WriteResult result;
  result.created = current.vid == 0 || current.deleted;
  if (!result.created) {
    TRY(auto select, database_.cached("SELECT updated_us, body FROM version WHERE seq=?"));
    select.bind(1, current.seq);
    TRY(const bool row, select.step());
    if (!row) return fail(ErrorCode::database_corrupt, "a current version is missing");
    const WallTime updated{select.integer(0)};
    if (write.skip_identical && text.is(select.text(1), current.vid, updated)) {
      return WriteResult{current.vid, current.seq, updated, false, true, std::string(select.text(1))};
    }
    TRY(before, rows_of_body(*parameters, select.text(1)));
  }
  if (current.rid == 0) {
    TRY(current.rid, next_rid(current.type));
  }
  result.vid = current.vid + 1;
  result.seq = last_seq_ + 1;
  result.updated = next_stamp();
  result.body = text.with_version(result.vid, result.updated);
  TRY_VOID(add_version({current.rid, result.vid, write.method, write.origin, result.body},
                       {result.seq, result.updated}));
  TRY_VOID(set_current(current, write.id, result.vid, result.seq, false));
  const fhir::IndexRows after = fhir::extract_rows(
      *parameters, write.resource, write.references.map ? &write.references : nullptr, options_.base_url);
  TRY_VOID(index_.replace(*parameters, current.rid, before, after));
  parameters_changed_ = parameters_changed_ || write.type == "SearchParameter";
  return result;
}

Result<std::optional<WriteResult>> SqliteConnection::remove(std::string_view type, std::string_view id,
                                                            std::string_view origin) {
  TRY_VOID(require_writer());
  const fhir::TypeParameters* parameters = fhir::type_parameters(type);
  if (!parameters) return fail(ErrorCode::fhir_unknown_path, "unknown resource type");
  TRY(const Current current, find_current(type, id, true));
  if (current.vid == 0 || current.deleted) return std::optional<WriteResult>();
  TRY(const std::string body, body_of(current.seq));
  TRY(const fhir::IndexRows before, rows_of_body(*parameters, body));
  WriteResult result;
  result.vid = current.vid + 1;
  result.seq = last_seq_ + 1;
  result.updated = next_stamp();
  TRY_VOID(add_version({current.rid, result.vid, fhir::WriteMethod::remove, origin, ""},
                       {result.seq, result.updated}));
  TRY_VOID(set_current(current, id, result.vid, result.seq, true));
  TRY_VOID(index_.replace(*parameters, current.rid, before, {}));
  parameters_changed_ = parameters_changed_ || type == "SearchParameter";
  return std::optional<WriteResult>(std::move(result));
}

Status SqliteConnection::set_cursor(std::string_view name, std::int64_t seq) {
  TRY_VOID(require_writer());
  TRY(auto statement, database_.cached("INSERT OR REPLACE INTO cursor VALUES(?,?)"));
  statement.bind(1, name).bind(2, seq);
  return statement.run();
}

Status SqliteConnection::mark_delivered(std::int64_t msg_id, std::string_view dest) {
  TRY_VOID(require_writer());
  TRY(auto statement, database_.cached("INSERT OR IGNORE INTO delivered VALUES(?,?)"));
  statement.bind(1, msg_id).bind(2, dest);
  return statement.run();
}

Result<std::int64_t> SqliteConnection::last_delivered() {
  TRY(auto select, database_.cached("SELECT ifnull(max(msg_id), 0) FROM delivered"));
  TRY_VOID(select.step());
  return select.integer(0);
}

Status SqliteConnection::forget_delivered_below(std::int64_t msg_id) {
  TRY_VOID(require_writer());
  TRY(auto statement, database_.cached("DELETE FROM delivered WHERE msg_id<?"));
  statement.bind(1, msg_id);
  return statement.run();
}

}  // namespace kiln::engine
