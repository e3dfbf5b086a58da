// The questions of a search, with their budget (search_run.h says how they are answered).

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

Result<Statement> SqliteConnection::search_statement(const SqlText& sql) {
  if (sql.sql.size() > base::limits::kSqlTextBytesMax)
    return fail(ErrorCode::fhir_too_costly, "the search has too many parts", {}, "ask for less at once");
  TRY(Statement statement, database_.cached(sql.sql));
  sql.bind_to(statement);
  return statement;
}

Result<bool> SqliteConnection::run_search(const SqlText& sql,
                                          const std::function<Status(Statement&)>& on_row) {
  TRY(Statement statement, search_statement(sql));
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

Result<std::int64_t> SqliteConnection::resources_at_most(std::int64_t type) {
  TRY(Statement select, database_.cached("SELECT max(rid) FROM resource WHERE rid>=? AND rid<?"));
  select.bind(1, first_rid(type)).bind(2, first_rid(type + 1));
  TRY(const bool row, step(select));
  return row && !select.is_null(0) ? select.integer(0) - first_rid(type) + 1 : std::int64_t{0};
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

Result<std::vector<fhir::Match>> SqliteConnection::find(const SearchQuery& query, std::size_t limit) {
  const Question question(*this, base::limits::kSearchStepsMax);
  std::vector<fhir::Match> matches;
  if (limit == 0) return matches;
  SearchRun run(*this, query, SearchRun::Want::page, limit);
  const auto on_hit = [&](const SearchRun::Hit& hit) -> Result<bool> {
    matches.push_back({query.type, std::string(hit.id), hit.rid, hit.vid, hit.seq});
    return matches.size() < limit;
  };
  TRY_VOID(run.hits(on_hit));
  return matches;
}

Result<fhir::StoredVersion> SqliteConnection::current_version(const std::string& type, const SearchRun::Hit& hit) {
  fhir::StoredVersion version;
  version.type = type;
  version.id = hit.id;
  version.vid = hit.vid;
  version.seq = hit.seq;
  TRY(auto select, database_.cached("SELECT updated_us, method, body FROM version WHERE seq=?"));
  select.bind(1, version.seq);
  TRY(const bool found, step(select));
  if (!found) return fail(ErrorCode::database_corrupt, "a current version is missing");
  version.updated.micros = select.integer(0);
  version.method = static_cast<fhir::WriteMethod>(select.integer(1));
  version.body = select.text(2);
  return version;
}

Result<fhir::StoredVersion> SqliteConnection::version_of(const std::string& type, const SearchRun::Hit& hit) {
  if (hit.version) return std::move(*hit.version);
  return current_version(type, hit);
}

Result<fhir::SearchPage> SqliteConnection::search(const SearchQuery& query) {
  const Question question(*this, base::limits::kSearchStepsMax);
  fhir::SearchPage page;
  std::size_t bytes = 0;
  SearchRun run(*this, query, SearchRun::Want::page, query.count + 1);
  const auto on_hit = [&](const SearchRun::Hit& hit) -> Result<bool> {
    page.more = page.rows.size() == query.count;
    if (page.more) return false;
    TRY(fhir::StoredVersion version, version_of(query.type, hit));
    bytes += version.body.size();
    page.more = query.bytes_max > 0 && bytes > query.bytes_max && !page.rows.empty();
    if (page.more) return false;
    const bool by_rid = query.sort == fhir::SortKey::rid && query.order.empty();
    page.last_key = by_rid ? hit.rid : hit.seq;
    if (page.rows.empty()) page.first_key = page.last_key;
    page.rows.push_back(std::move(version));
    return true;
  };
  TRY_VOID(run.hits(on_hit));
  return page;
}

Result<bool> SqliteConnection::each(const SearchQuery& query,
                                    const std::function<Status(fhir::StoredVersion)>& on_row) {
  const Question question(*this, base::limits::kSearchStepsMax);
  std::size_t count = 0;
  const auto want = query.after ? SearchRun::Want::page : SearchRun::Want::all;
  SearchRun run(*this, query, want, query.count + 1);
  const auto on_hit = [&](const SearchRun::Hit& hit) -> Result<bool> {
    if (++count > query.count) return false;
    TRY(fhir::StoredVersion version, version_of(query.type, hit));
    TRY_VOID(on_row(std::move(version)));
    return true;
  };
  TRY_VOID(run.hits(on_hit));
  return count > query.count;
}

/// A count with a limit is a courtesy: what would cost more than the page itself counts as beyond the limit.
Result<std::int64_t> SqliteConnection::count(const SearchQuery& query, std::int64_t limit) {
  constexpr std::uint64_t kCourtesySteps = 200'000;
  const bool is_courtesy = limit != INT64_MAX;
  const Question question(*this, is_courtesy ? kCourtesySteps : base::limits::kSearchStepsMax);
  SearchQuery all = query;
  all.after.reset();
  SearchRun run(*this, all, SearchRun::Want::all, SIZE_MAX);
  auto found = run.count(limit);
  if (!found && is_courtesy && found.error().code == ErrorCode::fhir_too_costly) return limit;
  return found;
}

}  // namespace kiln::engine
