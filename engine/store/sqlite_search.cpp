// Searches: which clause leads, how the others are checked, paging.

#include <algorithm>
#include <utility>

#include "engine/base/limits.h"
#include "engine/store/search_sql.h"
#include "engine/store/sqlite_connection.h"

namespace kiln::engine {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Statement;
using base::Status;
using fhir::SearchClause;
using fhir::SearchQuery;

namespace {

/// Rows counted to compare clauses; a clause with fewer is narrow.
constexpr std::int64_t kProbeRows = 300;
/// A chain with that many hits is not collected: the type is walked, and each resource asked.
constexpr std::int64_t kWideRows = 20'000;
/// The same when only a page is wanted: so many hits are found on the way soon enough.
constexpr std::int64_t kWidePageRows = 2'000;

}  // namespace

SqliteConnection::Question::Question(SqliteConnection& connection, std::uint64_t steps)
    : connection_(connection), outer_(!connection.asking_) {
  if (!outer_) return;
  connection_.asking_ = true;
  connection_.out_of_time_ = false;
  connection_.ask_until_ =
      connection_.options_.clock->mono() + std::chrono::milliseconds(base::limits::kSearchMs);
  connection_.dictionary_.only_look(true);
  connection_.database_.set_budget(steps);
  connection_.database_.set_stop([asked = &connection_] { return asked->must_stop(); });
}

SqliteConnection::Question::~Question() {
  if (!outer_) return;
  connection_.asking_ = false;
  connection_.dictionary_.only_look(false);
  connection_.database_.set_budget(0);
  connection_.database_.set_stop({});
}

bool SqliteConnection::must_stop() {
  if (stop_ && stop_()) return true;
  out_of_time_ = out_of_time_ || options_.clock->mono() >= ask_until_;
  return out_of_time_;
}

/// A statement with few steps between two rows is stopped as well.
Result<bool> SqliteConnection::step(Statement& statement) {
  auto row = statement.step();
  if (row && *row && stop_ && stop_()) return fail(ErrorCode::cancelled);
  if (row) return row;
  if (row.error().code == ErrorCode::limit_exceeded)
    return fail(ErrorCode::fhir_too_costly, {}, {}, "add a more selective parameter");
  if (row.error().code == ErrorCode::cancelled && out_of_time_)
    return fail(ErrorCode::fhir_search_time, {}, {}, "add a more selective parameter");
  return row;
}

Result<bool> SqliteConnection::run_search(const SqlText& sql,
                                          const std::function<Status(Statement&)>& on_row) {
  if (sql.sql.size() > base::limits::kSqlTextBytesMax)
    return fail(ErrorCode::fhir_too_costly, "the search has too many parts", {}, "ask for less at once");
  TRY(Statement statement, database_.cached(sql.sql));
  sql.bind_to(statement);
  bool any = false;
  for (;;) {
    TRY(const bool row, step(statement));
    if (!row) return any;
    any = true;
    TRY_VOID(on_row(statement));
  }
}

Result<std::int64_t> SqliteConnection::count_rows(const SqlText& rows, std::int64_t limit) {
  SqlText count;
  count.add("SELECT count(*) FROM (SELECT 1 FROM (").add(rows).add(") LIMIT ?)").value(limit);
  std::int64_t found = 0;
  TRY_VOID(run_search(count, [&](Statement& statement) -> Status {
    found = statement.integer(0);
    return {};
  }));
  return found;
}

/// The clause with the fewest rows, by counting up to kProbeRows of each. A clause alone needs no counting.
Result<SqliteConnection::Driver> SqliteConnection::choose_driver(const std::vector<SqlText>& rows) {
  Driver best{rows.size(), false};
  std::int64_t fewest = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].sql.empty()) continue;
    if (rows.size() == 1) return Driver{i, false};
    TRY(const std::int64_t found, count_rows(rows[i], kProbeRows));
    if (best.clause == rows.size() || found < fewest) {
      best = {i, found < kProbeRows};
      fewest = found;
    }
    if (found <= 1) break;
  }
  return best;
}

/// lastUpdated follows seq, so a comparison of times is one of positions. Empty for other parameters.
Result<std::vector<SeqRange>> SqliteConnection::seq_ranges_of(const SearchClause& clause) {
  using fhir::Prefix;
  std::vector<SeqRange> ranges;
  if (clause.kind != SearchClause::Kind::value || clause.parameter->kind != fhir::ParameterKind::last_updated)
    return ranges;
  for (const fhir::SearchValue& value : clause.values) {
    TRY(const std::int64_t from, seq_not_before(value.low));
    TRY(const std::int64_t to, seq_not_before(value.high == INT64_MAX ? value.high : value.high + 1));
    switch (value.prefix) {
      case Prefix::eq:
      case Prefix::ap:
        ranges.push_back({from, to});
        break;
      case Prefix::ne:
        ranges.push_back({0, from});
        ranges.push_back({to, INT64_MAX});
        break;
      case Prefix::gt:
      case Prefix::sa:
        ranges.push_back({to, INT64_MAX});
        break;
      case Prefix::lt:
      case Prefix::eb:
        ranges.push_back({0, from});
        break;
      case Prefix::ge:
        ranges.push_back({from, INT64_MAX});
        break;
      case Prefix::le:
        ranges.push_back({0, to});
        break;
    }
  }
  return ranges;
}

namespace {

/// _lastUpdated of a row that is already there.
SqlText seq_probe(const std::vector<SeqRange>& ranges) {
  SqlText out;
  for (const SeqRange& range : ranges)
    out.add(out.sql.empty() ? "(" : " OR ").add("(r.seq>=? AND r.seq<?)").value(range.from).value(range.to);
  return std::move(out.add(")"));
}

bool is_last_updated(const SearchClause& clause) {
  return clause.kind == SearchClause::Kind::value &&
         clause.parameter->kind == fhir::ParameterKind::last_updated;
}

/// Its rows do not come in the order of the page: all are collected before the first one is known.
bool is_collected(const SearchQuery& query, const SearchClause& clause, bool page) {
  if (clause.kind != SearchClause::Kind::value || is_last_updated(clause)) return true;
  return page && (query.sort == fhir::SortKey::last_updated || clause.values.size() > 1);
}

}  // namespace

/// What a search knows about each of its clauses.
struct SqliteConnection::Plan {
  std::vector<SqlText> rows, probes;  ///< a probe may be empty
  std::vector<bool> done;             ///< nothing is left to check
  Driver driver{};
};

/// `page`: the first rows in their order are wanted, not all.
Result<SqliteConnection::Plan> SqliteConnection::plan_search(const SearchQuery& query, SearchSql& builder, bool page) {
  Plan plan;
  std::vector<SqlText> drivers;
  for (const SearchClause& clause : query.clauses) {
    TRY(const std::vector<SeqRange> ranges, seq_ranges_of(clause));
    TRY(SqlText text, builder.rows_of(clause, ranges));
    TRY(SqlText probe, builder.probe_of(clause, "r"));
    plan.rows.push_back(std::move(text));
    plan.probes.push_back(is_last_updated(clause) ? seq_probe(ranges) : std::move(probe));
    drivers.push_back(SearchSql::is_negative(clause) ? SqlText{} : plan.rows.back());
  }
  plan.done.resize(query.clauses.size());
  TRY(plan.driver, choose_driver(drivers));
  const std::size_t driver = plan.driver.clause;
  if (driver == query.clauses.size()) return plan;
  if (plan.driver.is_narrow) {
    TRY_VOID(narrow(query, plan));
  } else if (!plan.probes[driver].sql.empty() && is_collected(query, query.clauses[driver], page)) {
    const std::int64_t wide = page ? kWidePageRows : kWideRows;
    TRY(const std::int64_t found, count_rows(plan.rows[driver], wide));
    if (found == wide) plan.driver.clause = query.clauses.size();
  }
  return plan;
}

/// With few candidates, clauses that have no probe are cheaper to check on the resources themselves than to
/// collect all their rows.
Status SqliteConnection::narrow(const SearchQuery& query, Plan& plan) {
  std::vector<std::size_t> left;
  for (std::size_t i = 0; i < query.clauses.size(); ++i)
    if (i != plan.driver.clause && plan.probes[i].sql.empty()) left.push_back(i);
  if (left.empty()) return {};
  SearchQuery rest;
  rest.type = query.type;
  for (const std::size_t i : left) {
    rest.clauses.push_back(query.clauses[i]);
    plan.done[i] = true;
  }
  const fhir::TypeParameters& parameters = *fhir::type_parameters(query.type);
  SqlText& rows = plan.rows[plan.driver.clause];
  SqlText candidates;
  candidates.add("SELECT r.rid, r.id, v.body FROM (SELECT DISTINCT rid FROM (").add(rows);
  candidates.add(
      ")) d CROSS JOIN resource r ON r.rid=d.rid CROSS JOIN version v ON v.seq=r.seq WHERE r.deleted=0");
  base::JsonWriter survivors;
  survivors.begin_array();
  TRY_VOID(run_search(candidates, [&](Statement& row) -> Status {
    TRY(const fhir::IndexRows found, rows_of_body(parameters, row.text(2)));
    if (fhir::matches(rest, found, row.text(1))) survivors.integer(row.integer(0));
    return {};
  }));
  survivors.end_array();
  rows = SqlText();
  rows.add("SELECT value AS rid FROM json_each(?)").value(survivors.take());
  return {};
}

Result<SqlText> SqliteConnection::search_text(const SearchQuery& query, std::string_view columns,
                                              bool ordered, std::int64_t limit) {
  TRY(SearchSql builder, SearchSql::of_type(dictionary_, query.type));
  const std::int64_t type = builder.type();
  TRY(const Plan plan, plan_search(query, builder, ordered));
  const std::size_t driver = plan.driver.clause;
  const bool by_seq = query.sort == fhir::SortKey::last_updated;
  const bool led = driver < query.clauses.size();
  SqlText sql;
  if (led) {
    // One value: the index itself is walked in order and only as far as LIMIT asks; a resource may be there
    // twice (one code in two systems), hence DISTINCT. Several values: their rows are merged first.
    const SearchClause& clause = query.clauses[driver];
    const bool single = clause.kind == SearchClause::Kind::value && clause.values.size() == 1;
    sql.add(single ? "SELECT DISTINCT " : "SELECT ").add(columns);
    sql.add(single ? " FROM (" : " FROM (SELECT DISTINCT rid FROM (").add(plan.rows[driver]);
    sql.add(single ? ") d" : ")) d").add(" CROSS JOIN resource r ON r.rid=d.rid WHERE r.deleted=0");
  } else if (by_seq) {
    sql.add("SELECT ").add(columns).add(" FROM resource r WHERE r.type=? AND r.deleted=0").value(type);
  } else {
    // One bound on each side: of two SQLite may take the wider one, and pass over all the pages before.
    const bool goes_on = query.after.has_value();
    const std::int64_t first = first_rid(type), end = first_rid(type + 1);
    sql.add("SELECT ")
        .add(columns)
        .add(" FROM resource r WHERE r.rid>=? AND r.rid<? AND r.deleted=0")
        .value(goes_on && !query.descending ? std::max(first, *query.after + 1) : first)
        .value(goes_on && query.descending ? std::min(end, *query.after) : end);
  }
  for (std::size_t i = 0; i < query.clauses.size(); ++i) {
    if (i == driver || plan.done[i]) continue;
    sql.add(SearchSql::is_negative(query.clauses[i]) ? " AND NOT " : " AND ");
    if (!plan.probes[i].sql.empty()) {
      sql.add(plan.probes[i]);
    } else {
      sql.add("(r.rid IN (").add(plan.rows[i]).add("))");
    }
  }
  const std::string_view key = by_seq ? "r.seq" : led ? "d.rid" : "r.rid";
  const bool newest_first = by_seq && query.descending && query.after;  // then `after` is the nearer bound
  if (query.up_to_seq > 0 && !newest_first) sql.add(" AND r.seq<=?").value(query.up_to_seq);
  if (query.after && (led || by_seq)) sql.add(" AND ").add(key).add(query.descending ? "<?" : ">?").value(*query.after);
  if (ordered) sql.add(" ORDER BY ").add(key).add(query.descending ? " DESC" : "");
  return std::move(sql.add(" LIMIT ?").value(limit));
}

Result<std::vector<fhir::Match>> SqliteConnection::find(const SearchQuery& query, std::size_t limit) {
  const Question question(*this, base::limits::kSearchStepsMax);
  TRY(const SqlText sql,
      search_text(query, "r.rid, r.id, r.vid, r.seq", false, static_cast<std::int64_t>(limit)));
  std::vector<fhir::Match> matches;
  auto done = run_search(sql, [&](Statement& row) -> Status {
    matches.push_back({query.type, std::string(row.text(1)), row.integer(0), row.integer(2), row.integer(3)});
    return {};
  });
  if (!done) return fail(std::move(done).error());
  return matches;
}

/// The version that `row` of a page (rid, id, vid, seq) names.
Result<fhir::StoredVersion> SqliteConnection::current_version(const std::string& type, Statement& row) {
  fhir::StoredVersion version;
  version.type = type;
  version.id = row.text(1);
  version.vid = row.integer(2);
  version.seq = row.integer(3);
  TRY(auto select, database_.cached("SELECT updated_us, method, body FROM version WHERE seq=?"));
  select.bind(1, version.seq);
  TRY(const bool found, select.step());
  if (!found) return fail(ErrorCode::database_corrupt, "a current version is missing");
  version.updated.micros = select.integer(0);
  version.method = static_cast<fhir::WriteMethod>(select.integer(1));
  version.body = select.text(2);
  return version;
}

Result<fhir::SearchPage> SqliteConnection::search(const SearchQuery& query) {
  const Question question(*this, base::limits::kSearchStepsMax);
  const auto limit = static_cast<std::int64_t>(query.count) + 1;
  TRY(const SqlText sql, search_text(query, "r.rid, r.id, r.vid, r.seq", true, limit));
  fhir::SearchPage page;
  std::size_t bytes = 0;
  auto done = run_search(sql, [&](Statement& row) -> Status {
    page.more = page.more || page.rows.size() == query.count;
    if (page.more) return {};
    TRY(fhir::StoredVersion version, current_version(query.type, row));
    bytes += version.body.size();
    page.more = query.bytes_max > 0 && bytes > query.bytes_max && !page.rows.empty();
    if (page.more) return {};
    page.last_key = query.sort == fhir::SortKey::last_updated ? version.seq : row.integer(0);
    if (page.rows.empty()) page.first_key = page.last_key;
    page.rows.push_back(std::move(version));
    return {};
  });
  if (!done) return fail(std::move(done).error());
  return page;
}

Result<bool> SqliteConnection::each(const SearchQuery& query,
                                    const std::function<Status(fhir::StoredVersion)>& on_row) {
  const Question question(*this, base::limits::kSearchStepsMax);
  const auto limit = static_cast<std::int64_t>(query.count) + 1;
  TRY(const SqlText sql, search_text(query, "r.rid, r.id, r.vid, r.seq", false, limit));
  std::size_t count = 0;
  auto done = run_search(sql, [&](Statement& row) -> Status {
    if (++count > query.count) return {};
    TRY(fhir::StoredVersion version, current_version(query.type, row));
    return on_row(std::move(version));
  });
  if (!done) return fail(std::move(done).error());
  return count > query.count;
}

Result<std::int64_t> SqliteConnection::count(const SearchQuery& query, std::int64_t limit) {
  const Question question(*this, base::limits::kSearchStepsMax);
  SearchQuery all = query;
  all.after.reset();
  TRY(const SqlText inner, search_text(all, "r.rid", false, limit));
  SqlText sql;
  sql.add("SELECT count(*) FROM (").add(inner).add(")");
  std::int64_t count = 0;
  auto done = run_search(sql, [&](Statement& row) -> Status {
    count = row.integer(0);
    return {};
  });
  if (!done) return fail(std::move(done).error());
  return count;
}

}  // namespace kiln::engine
