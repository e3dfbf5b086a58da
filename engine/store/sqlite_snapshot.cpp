// The store as it was at a moment of the change feed, for exports.

#include "engine/store/search_sql.h"
#include "engine/store/sqlite_connection.h"

namespace kiln::engine {

using base::Result;
using fhir::SnapshotPage;
using fhir::SnapshotRange;

/// Resources are walked by rid, of which new ones only come at the end. What changed after the moment is found by its
/// versions: the newest that is not later.
Result<SnapshotPage> SqliteConnection::snapshot(const SnapshotRange& range) {
  SnapshotPage page;
  TRY(const std::int64_t type, dictionary_.type(range.type));
  if (type == Dictionary::kUnknown) return page;
  std::int64_t from_seq = 0;
  if (range.since) {
    TRY(from_seq, seq_not_before(range.since->micros / 1000 * 1000));
  }
  TRY(auto select,
      database_.cached("SELECT rid, id, seq FROM resource WHERE rid>? AND rid<? ORDER BY rid LIMIT ?"));
  select.bind(1, std::max(range.after_rid, first_rid(type)))
      .bind(2, first_rid(type + 1))
      .bind(3, static_cast<std::int64_t>(range.limit));
  std::size_t looked_at = 0, bytes = 0;
  for (;;) {
    TRY(const bool row, select.step());
    if (!row) break;
    ++looked_at;
    page.last_rid = select.integer(0);
    const std::int64_t current = select.integer(2);
    if (current < from_seq) continue;
    // Nearly always the current version; the other way costs a step for each version since.
    TRY(auto version, database_.cached(current <= range.up_to_seq
                                           ? "SELECT vid, seq, updated_us, method, body FROM version WHERE seq=?"
                                           : "SELECT vid, seq, updated_us, method, body FROM version WHERE rid=? AND"
                                             " seq<=? ORDER BY vid DESC LIMIT 1"));
    if (current <= range.up_to_seq) {
      version.bind(1, current);
    } else {
      version.bind(1, page.last_rid).bind(2, range.up_to_seq);
    }
    TRY(const bool found, version.step());
    if (!found || version.integer(1) < from_seq) continue;
    fhir::StoredVersion one;
    one.method = static_cast<fhir::WriteMethod>(version.integer(3));
    if (one.deleted() && !range.since) continue;
    one.type = range.type;
    one.id = select.text(1);
    one.vid = version.integer(0);
    one.seq = version.integer(1);
    one.updated.micros = version.integer(2);
    one.body = version.text(4);
    bytes += one.body.size();
    page.rows.push_back(std::move(one));
    if (bytes >= range.bytes) {
      page.more = true;
      return page;
    }
  }
  page.more = looked_at == range.limit;
  return page;
}

}  // namespace kiln::engine
