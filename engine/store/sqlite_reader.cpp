// The reading half of the store: versions, history, change feed, counts.

#include <algorithm>
#include <utility>

#include "engine/base/limits.h"
#include "engine/store/sqlite_connection.h"

namespace kiln::engine {

using base::Result;
using base::Statement;
using base::WallTime;
using fhir::StoredVersion;

namespace {

/// Columns every select of versions begins with; version_row() reads them.
constexpr std::string_view kVersionColumns =
    "SELECT r.type, r.id, v.vid, v.seq, v.updated_us, v.method, v.origin, v.body FROM version v JOIN "
    "resource r ON r.rid=v.rid ";

std::string versions_where(std::string_view condition) {
  return std::string(kVersionColumns) + std::string(condition);
}

}  // namespace

Result<StoredVersion> SqliteConnection::version_row(Statement& select, bool with_origin) {
  StoredVersion version;
  version.id = select.text(1);
  version.vid = select.integer(2);
  version.seq = select.integer(3);
  version.updated.micros = select.integer(4);
  version.method = static_cast<fhir::WriteMethod>(select.integer(5));
  version.body = select.text(7);
  TRY(version.type, dictionary_.type_name(select.integer(0)));
  if (with_origin) {
    TRY(version.origin, dictionary_.word_text(select.integer(6)));
  }
  return version;
}

Result<std::string> SqliteConnection::body_of(std::int64_t seq) {
  TRY(auto select, database_.cached("SELECT body FROM version WHERE seq=?"));
  select.bind(1, seq);
  TRY(const bool row, select.step());
  if (!row) return base::fail(base::ErrorCode::database_corrupt, "a current version is missing");
  return std::string(select.text(0));
}

Result<std::optional<StoredVersion>> SqliteConnection::read(std::string_view type, std::string_view id) {
  TRY(const std::int64_t type_id, dictionary_.type(type));
  static const std::string sql = versions_where("WHERE r.type=? AND r.id=? AND v.seq=r.seq");
  TRY(auto select, database_.cached(sql));
  select.bind(1, type_id).bind(2, id);
  TRY(const bool row, select.step());
  if (!row) return std::optional<StoredVersion>();
  return version_row(select, false);
}

Result<std::optional<StoredVersion>> SqliteConnection::read_version(std::string_view type,
                                                                    std::string_view id, std::int64_t vid) {
  TRY(const std::int64_t type_id, dictionary_.type(type));
  static const std::string sql = versions_where("WHERE r.type=? AND r.id=? AND v.vid=?");
  TRY(auto select, database_.cached(sql));
  select.bind(1, type_id).bind(2, id).bind(3, vid);
  TRY(const bool row, select.step());
  if (!row) return std::optional<StoredVersion>();
  return version_row(select, false);
}

Result<std::int64_t> SqliteConnection::version_count(std::string_view type, std::string_view id) {
  TRY(const std::int64_t type_id, dictionary_.type(type));
  TRY(auto select,
      database_.cached(
          "SELECT count(*) FROM version WHERE rid=(SELECT rid FROM resource WHERE type=? AND id=?)"));
  select.bind(1, type_id).bind(2, id);
  TRY(const bool row, select.step());
  return row ? select.integer(0) : std::int64_t{0};
}

namespace {

/// The condition of a history; the "+" keeps the planner from collecting a whole type first: versions are
/// walked from the newest.
std::string history_where(const fhir::HistoryRange& range) {
  std::string where = "WHERE v.seq<?3 AND v.seq>=?4";
  if (!range.id.empty()) {
    where += " AND r.type=?1 AND r.id=?2";
  } else if (!range.type.empty()) {
    where += " AND +r.type=?1";
  }
  // A version ends when the next one begins.
  if (range.at_low)
    where += " AND NOT EXISTS (SELECT 1 FROM version n WHERE n.rid=v.rid AND n.vid=v.vid+1 AND n.seq<?6)";
  return where;
}

}  // namespace

Result<Statement> SqliteConnection::history_statement(const fhir::HistoryRange& range, std::string sql,
                                                      std::int64_t limit) {
  std::int64_t from = 0, below = range.below_seq > 0 ? range.below_seq : INT64_MAX, ended = 0, type = 0;
  if (range.since) {
    TRY(from, seq_not_before(range.since->micros / 1000 * 1000));
  }
  if (range.at_low && range.at_high) {
    TRY(const std::int64_t after, seq_not_before(*range.at_high == INT64_MAX ? INT64_MAX : *range.at_high + 1));
    TRY(ended, seq_not_before(*range.at_low == INT64_MAX ? INT64_MAX : *range.at_low + 1));
    below = std::min(below, after);
  }
  if (!range.type.empty()) {
    TRY(type, dictionary_.type(range.type));
  }
  TRY(auto select, database_.cached(sql));
  if (!range.type.empty()) select.bind(1, type);
  if (!range.id.empty()) select.bind(2, range.id);
  select.bind(3, below).bind(4, from).bind(5, limit);
  if (range.at_low) select.bind(6, ended);
  return select;
}

Result<fhir::HistoryPage> SqliteConnection::history(const fhir::HistoryRange& range) {
  const Question question(*this);
  TRY(auto select, history_statement(range,
                                     std::string(kVersionColumns) + history_where(range) + " ORDER BY " +
                                         (range.id.empty() ? "v.seq" : "v.vid") + " DESC LIMIT ?5",
                                     static_cast<std::int64_t>(range.limit) + 1));
  fhir::HistoryPage page;
  std::size_t bytes = 0;
  for (;;) {
    TRY(const bool row, step(select));
    if (!row) return page;
    bytes += select.text(7).size();
    const bool full = range.bytes_max > 0 && bytes > range.bytes_max && !page.rows.empty();
    if (full || page.rows.size() == range.limit) {
      page.more = true;
      return page;
    }
    TRY(StoredVersion version, version_row(select, false));
    page.rows.push_back(std::move(version));
  }
}

Result<std::int64_t> SqliteConnection::history_count(const fhir::HistoryRange& range, std::int64_t most) {
  const Question question(*this);
  fhir::HistoryRange whole = range;
  whole.below_seq = 0;
  TRY(auto select,
      history_statement(whole,
                        "SELECT count(*) FROM (SELECT 1 FROM version v JOIN resource r ON r.rid=v.rid " +
                            history_where(whole) + " LIMIT ?5)",
                        most));
  TRY(const bool row, step(select));
  return row ? select.integer(0) : std::int64_t{0};
}

Result<std::optional<StoredVersion>> SqliteConnection::version_at(std::int64_t seq) {
  static const std::string sql = versions_where("WHERE v.seq=?");
  TRY(auto select, database_.cached(sql));
  select.bind(1, seq);
  TRY(const bool row, select.step());
  if (!row) return std::optional<StoredVersion>();
  return version_row(select, false);
}

Result<std::int64_t> SqliteConnection::seq_not_before(std::int64_t micros) {
  // lastUpdated never goes back along seq, so halving finds the place without an index on time.
  TRY(const std::int64_t last, last_seq());
  std::int64_t low = 1, high = last + 1;
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    TRY(auto select,
        database_.cached("SELECT seq, updated_us FROM version WHERE seq>=? ORDER BY seq LIMIT 1"));
    select.bind(1, middle);
    TRY(const bool row, select.step());
    if (!row || select.integer(1) >= micros) {
      high = middle;
    } else {
      low = select.integer(0) + 1;
    }
  }
  return low;
}

Result<std::vector<StoredVersion>> SqliteConnection::changes_since(std::int64_t seq, std::size_t limit) {
  static const std::string sql = versions_where("WHERE v.seq>? ORDER BY v.seq LIMIT ?");
  TRY(auto select, database_.cached(sql));
  select.bind(1, seq).bind(2, static_cast<std::int64_t>(limit));
  std::vector<StoredVersion> versions;
  std::size_t bytes = 0;
  for (;;) {
    TRY(const bool row, select.step());
    if (!row) return versions;
    bytes += select.text(7).size();
    if (bytes > base::limits::kPageBytesMax && !versions.empty()) return versions;
    TRY(StoredVersion version, version_row(select, true));
    versions.push_back(std::move(version));
  }
}

Result<std::int64_t> SqliteConnection::last_seq() {
  TRY(auto select, database_.cached("SELECT max(seq) FROM version"));
  TRY(const bool row, select.step());
  return row ? select.integer(0) : std::int64_t{0};
}

Result<std::int64_t> SqliteConnection::cursor(std::string_view name) {
  TRY(auto select, database_.cached("SELECT seq FROM cursor WHERE name=?"));
  select.bind(1, name);
  TRY(const bool row, select.step());
  return row ? select.integer(0) : std::int64_t{0};
}

Result<bool> SqliteConnection::delivered(std::int64_t msg_id, std::string_view dest) {
  TRY(auto select, database_.cached("SELECT 1 FROM delivered WHERE msg_id=? AND dest=?"));
  select.bind(1, msg_id).bind(2, dest);
  return select.step();
}

Result<fhir::StoreCounts> SqliteConnection::counts() {
  fhir::StoreCounts counts;
  {
    TRY(auto select,
        database_.cached(
            "SELECT t.name, count(*) FROM resource r JOIN type t ON t.id=r.type WHERE r.deleted=0"
            " GROUP BY t.name ORDER BY t.name"));
    for (;;) {
      TRY(const bool row, select.step());
      if (!row) break;
      counts.resources.emplace_back(std::string(select.text(0)), select.integer(1));
    }
  }
  TRY(auto select, database_.cached("SELECT count(*), max(seq) FROM version"));
  TRY(const bool row, select.step());
  if (row) {
    counts.versions = select.integer(0);
    counts.last_seq = select.integer(1);
  }
  return counts;
}

}  // namespace kiln::engine
