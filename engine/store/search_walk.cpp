// Walking what a search begins with, and testing what is met.
#include <algorithm>
#include <memory>
#include <utility>

#include "engine/base/limits.h"
#include "engine/store/body_members.h"
#include "engine/store/search_run.h"
#include "engine/store/search_sorted.h"
#include "engine/store/sqlite_connection.h"

namespace kiln::engine {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Statement;
using base::Status;
using fhir::SearchClause;

Status SearchRun::hits(const OnHit& on_hit) {
  TRY_VOID(prepare());
  if (is_sorted()) return SortedRun(*this).hits(on_hit);
  for (End end = End::again; end == End::again;) {
    if (!list_) {
      TRY(end, walk(on_hit));
    } else if (by_seq() && is_page()) {
      TRY(end, run_sequence(on_hit));
    } else {
      TRY(end, run_list(on_hit));
    }
  }
  return {};
}

/// What the source itself does not see to. The probes that need the rid alone are asked of `rid_alias`, before the
/// resource is looked up.
Status SearchRun::add_probes(SqlText& sql, std::string_view rid_alias) {
  for (const Part& part : parts_) {
    if (part.done) continue;
    TRY(const SqlText probe, probe_text(part, part.by_rid ? rid_alias : "r"));
    sql.add(part.is_negative ? " AND NOT " : " AND ").add(probe);
  }
  return {};
}

/// The statement of a walk over the rows of a clause, over the type by rid, or by seq. `joined`: with the resource `r`;
/// rows of a clause can do without, since only current, not deleted resources have some.
Result<SqlText> SearchRun::walk_text(std::string_view columns, bool joined) {
  SqlText sql;
  sql.add("SELECT ").add(columns);
  const std::int64_t type = builder_->type();
  const bool goes_on = after_.has_value();
  if (led_) {
    sql.add(" FROM (").add(parts_[*led_].rows).add(") d");
    sql.add(joined ? " CROSS JOIN resource r ON r.rid=d.rid WHERE r.deleted=0" : " WHERE 1");
  } else if (by_seq() && is_page()) {
    sql.add(" FROM resource r WHERE r.type=? AND r.deleted=0").value(type);
  } else {
    // One bound on each side: of two SQLite may take the wider one, and pass over all the pages before.
    const std::int64_t first = first_rid(type), end = first_rid(type + 1);
    sql.add(" FROM resource r WHERE r.rid>=? AND r.rid<? AND r.deleted=0")
        .value(goes_on && !query_.descending ? std::max(first, *after_ + 1) : first)
        .value(goes_on && query_.descending ? std::min(end, *after_) : end);
  }
  TRY_VOID(add_probes(sql, led_ ? "d" : "r"));
  const bool in_sequence = by_seq() && is_page();
  const bool newest_first = in_sequence && query_.descending && goes_on;  // then `after_` is the nearer bound
  if (query_.up_to_seq > 0 && !newest_first) sql.add(" AND r.seq<=?").value(query_.up_to_seq);
  const std::string_view key = in_sequence ? "r.seq" : led_ ? "d.rid" : "r.rid";
  if (goes_on && (led_ || in_sequence))
    sql.add(" AND ").add(key).add(query_.descending ? "<?" : ">?").value(*after_);
  return std::move(sql.add(" ORDER BY ").add(key).add(query_.descending ? " DESC" : ""));
}

Result<bool> SearchRun::take(Candidate candidate, const OnHit& on_hit, End& end) {
  after_ = candidate.key;
  TRY(const bool is_hit, passes(candidate.hit));
  if (is_hit) {
    TRY(const bool more, on_hit(candidate.hit));
    if (!more) return false;
  }
  if (left_.empty() || use_sets_ || !sets_are_cheaper()) return true;
  end = End::again;
  return false;
}

Result<SearchRun::End> SearchRun::walk(const OnHit& on_hit) {
  End end = End::done;
  {
    TRY(const SqlText sql, walk_text("r.rid, r.id, r.vid, r.seq", true));
    TRY(Statement statement, connection_.search_statement(sql));
    const bool in_sequence = by_seq() && is_page();
    std::int64_t last = -1;
    for (;;) {
      TRY(const bool row, connection_.step(statement));
      if (!row) break;
      const Hit hit{statement.integer(0), statement.integer(2), statement.integer(3), statement.text(1), nullptr};
      if (std::exchange(last, hit.rid) == hit.rid) continue;  // a code in two systems
      TRY(const bool more, take({in_sequence ? hit.seq : hit.rid, hit}, on_hit, end));
      if (!more) break;
    }
  }
  if (end == End::again) TRY_VOID(make_sets());
  return end;
}

namespace {

/// Asks for one resource of a list after the other.
class Lookup {
 public:
  static Result<Lookup> make(SqliteConnection& connection, SqlText sql) {
    Lookup out;
    out.sql_ = std::make_unique<SqlText>(std::move(sql));
    TRY(out.statement_, connection.search_statement(*out.sql_));
    return out;
  }
  /// The row stays until the next call.
  Result<bool> find(SqliteConnection& connection, std::int64_t rid) {
    statement_.reset();
    statement_.bind(1, rid);
    return connection.step(statement_);
  }
  Statement& row() { return statement_; }

 private:
  std::unique_ptr<SqlText> sql_;  ///< what the statement is bound to
  Statement statement_;
};

}  // namespace

Result<SearchRun::End> SearchRun::run_list(const OnHit& on_hit) {
  End end = End::done;
  {
    SqlText sql;
    sql.add("SELECT r.id, r.vid, r.seq FROM resource r WHERE r.rid=? AND r.deleted=0").value(std::int64_t{0});
    if (query_.up_to_seq > 0) sql.add(" AND r.seq<=?").value(query_.up_to_seq);
    TRY_VOID(add_probes(sql, "r"));
    TRY(Lookup lookup, Lookup::make(connection_, std::move(sql)));
    while (const auto rid = list_->next(after_, query_.descending)) {
      after_ = *rid;
      TRY(const bool found, lookup.find(connection_, *rid));
      if (!found) continue;
      const Statement& row = lookup.row();
      TRY(const bool more, take({*rid, {*rid, row.integer(1), row.integer(2), row.text(0), nullptr}}, on_hit, end));
      if (!more) break;
    }
  }
  if (end == End::again) TRY_VOID(make_sets());
  return end;
}

/// A list in the order of the last changes.
Result<SearchRun::End> SearchRun::run_sequence(const OnHit& on_hit) {
  if (!sequence_) {
    SqlText sql;
    sql.add("SELECT r.seq FROM resource r WHERE r.rid=? AND r.deleted=0").value(std::int64_t{0});
    TRY(Lookup lookup, Lookup::make(connection_, std::move(sql)));
    sequence_.emplace();
    std::optional<std::int64_t> at;
    while ((at = list_->next(at, false))) {
      TRY(const bool found, lookup.find(connection_, *at));
      if (found) sequence_->emplace_back(lookup.row().integer(0), *at);
    }
    std::sort(sequence_->begin(), sequence_->end());
    if (query_.descending) std::reverse(sequence_->begin(), sequence_->end());
  }
  End end = End::done;
  {
    SqlText sql;
    sql.add("SELECT r.id, r.vid, r.seq FROM resource r WHERE r.rid=? AND r.deleted=0").value(std::int64_t{0});
    if (query_.up_to_seq > 0) sql.add(" AND r.seq<=?").value(query_.up_to_seq);
    TRY_VOID(add_probes(sql, "r"));
    TRY(Lookup lookup, Lookup::make(connection_, std::move(sql)));
    for (const auto& [seq, rid] : *sequence_) {
      if (after_ && (query_.descending ? seq >= *after_ : seq <= *after_)) continue;
      TRY(const bool found, lookup.find(connection_, rid));
      if (!found) continue;
      const Statement& row = lookup.row();
      TRY(const bool more, take({seq, {rid, row.integer(1), row.integer(2), row.text(0), nullptr}}, on_hit, end));
      if (!more) break;
    }
  }
  if (end == End::again) TRY_VOID(make_sets());
  return end;
}

Result<bool> SearchRun::passes(Hit& hit) {
  if (left_.empty()) return true;
  if (use_sets_)
    return (!inside_ || inside_->contains(hit.rid)) && (!outside_ || !outside_->contains(hit.rid));
  TRY(const bool passed, passes_body(hit));
  ++tested_;
  passed_ += passed ? 1 : 0;
  return passed;
}

/// The clauses asked of the resource itself, by the code that tests compare with.
Result<bool> SearchRun::passes_body(Hit& hit) {
  TRY(version_, connection_.current_version(query_.type, hit));
  hit.version = &version_;
  std::optional<std::string> part;
  if (left_members_) part = members_of_body(version_.body, *left_members_);
  TRY(const base::JsonDocument document,
      base::parse_json(part ? *part : version_.body, {base::limits::kArchiveFileBytesMax, base::limits::kJsonDepthMax}));
  const std::string& own_base = connection_.options_.base_url;
  std::optional<fhir::IndexRows> all;
  for (const fhir::SearchQuery& query : left_queries_) {
    const SearchClause& clause = query.clauses.front();
    if (clause.kind == SearchClause::Kind::value && clause.parameter->is_indexed()) {
      const fhir::IndexRows rows = fhir::extract_rows(*clause.parameter, document.root(), own_base);
      if (!fhir::matches(query, rows, hit.id)) return false;
      continue;
    }
    if (!all)
      all = fhir::extract_rows(*fhir::type_parameters(query_.type), document.root(), nullptr, own_base);
    if (!fhir::matches(query, *all, hit.id)) return false;
  }
  return true;
}

/// No resource is looked at that need not be.
Result<std::int64_t> SearchRun::count_walk(std::int64_t limit) {
  const bool joined = query_.up_to_seq > 0 || std::any_of(parts_.begin(), parts_.end(), [](const Part& part) {
                        return !part.done && !part.by_rid;
                      });
  TRY(const SqlText rows, walk_text(led_ ? "DISTINCT d.rid" : "r.rid", !led_ || joined));
  SqlText sql;
  sql.add("SELECT count(*) FROM (").add(rows).add(" LIMIT ?)").value(limit);
  std::int64_t found = 0;
  TRY_VOID(connection_.run_search(sql, [&](Statement& row) -> Status {
    found = row.integer(0);
    return {};
  }));
  return found;
}

Result<std::int64_t> SearchRun::count(std::int64_t limit) {
  TRY_VOID(prepare());
  const bool all_done = left_.empty() && std::all_of(parts_.begin(), parts_.end(), [](const Part& part) { return part.done; });
  if (list_ && all_done && query_.up_to_seq == 0) return std::min(limit, list_->size());
  if (!list_ && left_.empty()) return count_walk(limit);
  std::int64_t found = 0;
  const OnHit one_more = [&](const Hit&) -> Result<bool> { return ++found < limit; };
  for (End end = End::again; end == End::again;) {
    TRY(end, list_ ? run_list(one_more) : walk(one_more));
  }
  return found;
}

}  // namespace kiln::engine
