#include "engine/store/search_sorted.h"

#include <algorithm>

#include "engine/base/limits.h"
#include "engine/store/sqlite_connection.h"

namespace kiln::engine {

using base::ErrorCode;
using base::Result;
using base::Statement;
using base::Status;

namespace {

/// So many matches are sorted in memory, rather than an index walked until a page of them was met.
constexpr std::int64_t kSortedInMemory = 2'000;
/// Resources with the same value of a key that are sorted by the next one in memory.
constexpr std::int64_t kGroupInMemory = 1'000;

}  // namespace

/// Asks for one resource after the other, with the clauses that an index row cannot tell.
class SortedRun::Lookup {
 public:
  static Result<std::unique_ptr<Lookup>> make(SearchRun& run) {
    auto out = std::make_unique<Lookup>();
    out->sql_.add("SELECT r.id, r.vid, r.seq FROM resource r WHERE r.rid=? AND r.deleted=0").value(std::int64_t{0});
    if (run.query_.up_to_seq > 0) out->sql_.add(" AND r.seq<=?").value(run.query_.up_to_seq);
    for (const SearchRun::Part& part : run.parts_) {
      if (part.done || (part.by_rid && !run.list_)) continue;
      TRY(const SqlText probe, run.probe_text(part, "r"));
      out->sql_.add(part.is_negative ? " AND NOT " : " AND ").add(probe);
    }
    TRY(out->statement_, run.connection_.search_statement(out->sql_));
    return out;
  }
  /// The row stays until the next call.
  Result<bool> find(SearchRun& run, std::int64_t rid) {
    statement_.reset();
    statement_.bind(1, rid);
    return run.connection_.step(statement_);
  }
  Statement& row() { return statement_; }

 private:
  SqlText sql_;  ///< what the statement is bound to
  Statement statement_;
};

SortedRun::SortedRun(SearchRun& run) : run_(run) {}
SortedRun::~SortedRun() = default;

bool SortedRun::can_use_sets() const {
  return (!run_.left_.empty() && !run_.use_sets_) ||
         std::any_of(run_.parts_.begin(), run_.parts_.end(), [](const auto& part) { return !part.done; });
}

Status SortedRun::hits(const SearchRun::OnHit& on_hit) {
  on_hit_ = &on_hit;
  TRY(order_, SortOrder::of(run_.query_, *run_.builder_, run_.connection_.dictionary_,
                            run_.connection_.options_.base_url));
  with_value_.resize(order_->levels().size());
  if (run_.query_.after) {
    TRY(place_, place_of(*run_.query_.after));
    if (!place_) return base::fail(ErrorCode::fhir_page_invalid);
  }
  base::Database& database = run_.connection_.database_;
  for (End end = End::again; end == End::again;) {
    lookup_.reset();
    prefix_.clear();
    TRY(lookup_, Lookup::make(run_));
    if (run_.list_ && run_.list_->size() <= kSortedInMemory && !list_too_large_) {
      TRY(end, sort_list());
      continue;
    }
    const std::optional<SortPlace> from = place_;
    const bool may_change = can_use_sets();
    if (may_change) database.set_budget(run_.connection_.options_.sort_walk_steps);
    auto walked = walk(0, from ? &*from : nullptr);
    if (may_change) database.set_budget(base::limits::kSearchStepsMax);
    const bool too_long = !walked && may_change && walked.error().code == ErrorCode::fhir_too_costly;
    if (!too_long && !walked) return tl::unexpected(std::move(walked).error());
    end = too_long ? End::again : *walked;
    if (end != End::again) return {};
    lookup_.reset();
    TRY_VOID(too_long ? run_.collect_rest() : run_.make_sets());
  }
  return {};
}

/// The version that ended the page before says where: what has become of the resource since does not matter.
Result<std::optional<SortPlace>> SortedRun::place_of(std::int64_t seq) {
  std::optional<SortPlace> place;
  TRY(const auto version, run_.connection_.version_at(seq));
  if (!version || version->type != run_.query_.type) return place;
  place.emplace();
  TRY(place->values, order_->values_of(*version));
  TRY(Statement select, run_.connection_.database_.cached("SELECT rid FROM version WHERE seq=?"));
  select.bind(1, seq);
  TRY(const bool row, run_.connection_.step(select));
  if (!row) return std::optional<SortPlace>();
  place->rid = select.integer(0);
  return place;
}

bool SortedRun::may_be_hit(std::int64_t rid) const {
  if (run_.list_ && !run_.list_->contains(rid)) return false;
  if (run_.use_sets_ && ((run_.inside_ && !run_.inside_->contains(rid)) || (run_.outside_ && run_.outside_->contains(rid))))
    return false;
  for (std::size_t i = 0; i < prefix_.size(); ++i)
    if (prefix_[i].empty() && with_value_[i]->contains(rid)) return false;
  return true;
}

Result<std::optional<SortedRun::Found>> SortedRun::judge(std::int64_t rid) {
  std::optional<Found> none;
  if (!may_be_hit(rid)) return none;
  TRY(const bool is_there, lookup_->find(run_, rid));
  if (!is_there) return none;
  Statement& row = lookup_->row();
  SearchRun::Hit hit{rid, row.integer(1), row.integer(2), row.text(0), nullptr};
  TRY(const bool passes, run_.passes(hit));
  if (!passes) return none;
  if (!hit.version) {
    TRY(run_.version_, run_.connection_.current_version(run_.query_.type, hit));
  }
  Found found{{{}, rid}, hit.vid, hit.seq, std::string(hit.id)};
  TRY(found.place.values, order_->values_of(run_.version_));
  if (!std::equal(prefix_.begin(), prefix_.end(), found.place.values.begin())) return none;
  return std::optional<Found>(std::move(found));
}

Result<bool> SortedRun::emit(Found& found) {
  const SearchRun::Hit hit{found.place.rid, found.vid, found.seq, found.id,
                           run_.version_.seq == found.seq ? &run_.version_ : nullptr};
  TRY(const bool more, (*on_hit_)(hit));
  run_.version_.seq = 0;  // it may have been taken away
  place_ = std::move(found.place);
  return more;
}

Result<SortedRun::End> SortedRun::sort_list() {
  std::vector<Found> all;
  std::size_t bytes = 0;
  std::optional<std::int64_t> rid;
  while ((rid = run_.list_->next(rid, false))) {
    TRY(auto found, judge(*rid));
    if (!found) continue;
    bytes += run_.version_.body.size();
    if (bytes > base::limits::kSortReadBytesMax) {
      list_too_large_ = true;
      return End::again;
    }
    all.push_back(std::move(*found));
  }
  std::sort(all.begin(), all.end(), [&](const Found& a, const Found& b) { return order_->before(a.place, b.place); });
  const std::optional<SortPlace> from = place_;
  for (Found& found : all) {
    if (from && !order_->before(*from, found.place)) continue;
    TRY(const bool more, emit(found));
    if (!more) return End::enough;
  }
  return End::done;
}

Status SortedRun::add_conditions(SqlText& sql) {
  for (const SearchRun::Part& part : run_.parts_) {
    if (part.done || !part.by_rid || run_.list_) continue;
    TRY(const SqlText probe, run_.probe_text(part, "k"));
    sql.add(part.is_negative ? " AND NOT " : " AND ").add(probe);
  }
  for (std::size_t i = 0; i < prefix_.size(); ++i) {
    if (prefix_[i].empty()) continue;
    const SortLevel& level = order_->levels()[i];
    sql.add(" AND EXISTS (SELECT 1 FROM ").add(level.table).add(" p WHERE p.").add(level.fixed).add("=?");
    sql.value(level.owner).add(level.equal(prefix_[i], "p")).add(" AND p.rid=k.rid)");
  }
  return {};
}

Status SortedRun::need_missing(std::size_t level) {
  if (with_value_[level]) return {};
  RidSet set(first_rid(run_.builder_->type()));
  SqlText sql;
  sql.add("SELECT k.rid").add(order_->levels()[level].rows(true));
  TRY(Statement statement, run_.connection_.search_statement(sql));
  for (;;) {
    TRY(const bool row, run_.connection_.step(statement));
    if (!row) break;
    set.add(statement.integer(0));
  }
  with_value_[level] = std::move(set);
  return {};
}

Result<SortedRun::End> SortedRun::walk(std::size_t level, const SortPlace* from) {
  const bool last = level + 1 == order_->levels().size();
  if (!from || !from->values[level].empty()) {
    TRY(const End end, last ? walk_rows(level, from) : walk_groups(level, from));
    if (end != End::done) return end;
    from = nullptr;
  }
  if (order_->levels()[level].unique) return End::done;
  TRY_VOID(need_missing(level));
  prefix_.emplace_back();
  TRY(const End end, last ? walk_missing(from) : walk(level + 1, from));
  prefix_.pop_back();
  return end;
}

/// The last key: its index lies in the order of the hits.
Result<SortedRun::End> SortedRun::walk_rows(std::size_t level, const SortPlace* from) {
  const SortLevel& key = order_->levels()[level];
  SqlText sql;
  sql.add("SELECT k.rid, ").add(key.column_list()).add(key.rows(!from || key.descending));
  if (from) sql.add(key.behind(from->values[level], false, &from->rid));
  TRY_VOID(add_conditions(sql));
  sql.add(key.order_by(true));
  TRY(Statement rows, run_.connection_.search_statement(sql));
  RidSet seen(first_rid(run_.builder_->type()));  // of several values the first counts
  for (;;) {
    TRY(const bool row, run_.connection_.step(rows));
    if (!row) return End::done;
    const std::int64_t rid = rows.integer(0);
    if (!may_be_hit(rid) || seen.contains(rid)) continue;
    seen.add(rid);
    TRY(auto found, judge(rid));
    if (found) {
      const SortValue& value = found->place.values[level];
      bool is_first = value.size() == key.columns.size();
      for (std::size_t i = 0; is_first && i < value.size(); ++i) {
        const auto* number = std::get_if<std::int64_t>(&value[i]);
        const int column = static_cast<int>(i) + 1;
        is_first = number ? *number == rows.integer(column) : std::get<std::string>(value[i]) == rows.text(column);
      }
      if (is_first) {
        TRY(const bool more, emit(*found));
        if (!more) return End::enough;
      }
    }
    if (wants_sets()) return End::again;
  }
}

/// A key that others follow: value by value.
Result<SortedRun::End> SortedRun::walk_groups(std::size_t level, const SortPlace* from) {
  const SortLevel& key = order_->levels()[level];
  std::optional<SortValue> value;
  if (from) value = from->values[level];
  for (bool inclusive = true;; inclusive = false) {
    SqlText sql;
    sql.add("SELECT ").add(key.column_list()).add(key.rows(!value || key.descending));
    if (value) sql.add(key.behind(*value, inclusive, nullptr));
    sql.add(key.order_by(false)).add(" LIMIT 1");
    {
      TRY(Statement next, run_.connection_.search_statement(sql));
      TRY(const bool row, run_.connection_.step(next));
      if (!row) return End::done;
      SortValue found;
      for (int i = 0; i < static_cast<int>(key.columns.size()); ++i) {
        if (key.is_text(i))
          found.emplace_back(std::string(next.text(i)));
        else
          found.emplace_back(next.integer(i));
      }
      value = std::move(found);
    }
    TRY(const End end, walk_group(level, *value, from && from->values[level] == *value ? from : nullptr));
    if (end != End::done) return end;
  }
}

Result<SortedRun::End> SortedRun::walk_group(std::size_t level, const SortValue& value, const SortPlace* from) {
  const SortLevel& key = order_->levels()[level];
  std::vector<std::int64_t> rids;
  {
    SqlText sql;
    sql.add("SELECT k.rid").add(key.rows(false)).add(key.equal(value, "k"));
    TRY_VOID(add_conditions(sql));
    sql.add(" LIMIT ?").value(kGroupInMemory + 1);
    TRY(Statement rows, run_.connection_.search_statement(sql));
    for (;;) {
      TRY(const bool row, run_.connection_.step(rows));
      if (!row) break;
      rids.push_back(rows.integer(0));
    }
  }
  prefix_.push_back(value);
  TRY(const End end, static_cast<std::int64_t>(rids.size()) > kGroupInMemory ? walk(level + 1, from)
                                                                             : sort_group(rids, from));
  prefix_.pop_back();
  return end;
}

Result<SortedRun::End> SortedRun::sort_group(const std::vector<std::int64_t>& rids, const SortPlace* from) {
  std::vector<Found> all;
  std::int64_t last = -1;
  for (const std::int64_t rid : rids) {
    if (std::exchange(last, rid) == rid) continue;  // a code in two systems
    TRY(auto found, judge(rid));
    if (found && (!from || order_->before(*from, found->place))) all.push_back(std::move(*found));
    if (wants_sets()) return End::again;
  }
  std::sort(all.begin(), all.end(), [&](const Found& a, const Found& b) { return order_->before(a.place, b.place); });
  for (Found& found : all) {
    TRY(const bool more, emit(found));
    if (!more) return End::enough;
  }
  return End::done;
}

/// Resources without a value of the last key, in the order in which they were made.
Result<SortedRun::End> SortedRun::walk_missing(const SortPlace* from) {
  const bool down = order_->rids_descend();
  const std::int64_t type = run_.builder_->type();
  std::optional<std::int64_t> after;
  if (from) after = from->rid;
  const auto take = [&](std::int64_t rid) -> Result<End> {
    TRY(auto found, judge(rid));
    if (found) {
      TRY(const bool more, emit(*found));
      if (!more) return End::enough;
    }
    return wants_sets() ? End::again : End::done;
  };
  if (run_.list_) {
    while ((after = run_.list_->next(after, down))) {
      TRY(const End end, take(*after));
      if (end != End::done) return end;
    }
    return End::done;
  }
  SqlText sql;
  sql.add("SELECT k.rid FROM resource k WHERE k.rid>=? AND k.rid<?");
  sql.value(after && !down ? *after + 1 : first_rid(type)).value(after && down ? *after : first_rid(type + 1));
  TRY_VOID(add_conditions(sql));
  sql.add(down ? " ORDER BY k.rid DESC" : " ORDER BY k.rid");
  TRY(Statement rows, run_.connection_.search_statement(sql));
  for (;;) {
    TRY(const bool row, run_.connection_.step(rows));
    if (!row) return End::done;
    if (!may_be_hit(rows.integer(0))) continue;
    TRY(const End end, take(rows.integer(0)));
    if (end != End::done) return end;
  }
}

}  // namespace kiln::engine
