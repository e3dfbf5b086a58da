// Choosing where a search begins.
#include "engine/store/search_run.h"

#include <algorithm>

#include "engine/store/sqlite_connection.h"

namespace kiln::engine {

using base::Result;
using base::Statement;
using base::Status;
using fhir::SearchClause;

namespace {

/// Rows counted to compare clauses; a clause with fewer is narrow.
constexpr std::int64_t kNarrowRows = 300;
/// With that many rows a clause is not collected for a page: hits are found on the way soon enough.
constexpr std::int64_t kWidePageRows = 1'000;
/// The same when every hit is wanted.
constexpr std::int64_t kWideRows = 20'000;
/// Reading a resource and testing it costs as much as so many rows of an index.
constexpr std::int64_t kRowsABodyTest = 30;
/// So many are tested before the share of hits is believed.
constexpr std::int64_t kSample = 48;
/// And so many when every hit is wanted.
constexpr std::int64_t kBodyTestsOfAll = 500;

bool is_last_updated(const SearchClause& clause) {
  return clause.kind == SearchClause::Kind::value &&
         clause.parameter->kind == fhir::ParameterKind::last_updated;
}

bool is_part_of_string(const SearchClause& clause) {
  return clause.kind == SearchClause::Kind::value && clause.modifier == fhir::Modifier::contains;
}

/// It leads to other resources: what it asks is not in the resource itself.
bool has_links(const SearchClause& clause) {
  return clause.kind == SearchClause::Kind::chain || clause.kind == SearchClause::Kind::has ||
         std::any_of(clause.any.begin(), clause.any.end(), has_links);
}

}  // namespace

Status SearchRun::prepare() {
  TRY(builder_, SearchSql::of_type(connection_.dictionary_, query_.type));
  for (const SearchClause& clause : query_.clauses) {
    Part part;
    part.clause = &clause;
    part.is_negative = SearchSql::is_negative(clause);
    TRY(part.seq_ranges, connection_.seq_ranges_of(clause));
    TRY(part.rows, builder_->rows_of(clause, part.seq_ranges));
    TRY(const SqlText probe, probe_text(part, "r"));
    part.has_probe = !probe.sql.empty();
    part.by_rid = SearchSql::probes_rid_alone(clause);
    part.in_order = SearchSql::is_in_order(clause);
    if (is_part_of_string(clause)) {
      TRY(part.known, connection_.containing(clause, builder_->type(), builder_->param_of(clause)));
    }
    parts_.push_back(std::move(part));
  }
  TRY_VOID(choose());
  return take_left();
}

Result<SqlText> SearchRun::probe_text(const Part& part, std::string_view alias) {
  if (!is_last_updated(*part.clause)) return builder_->probe_of(*part.clause, alias);
  SqlText out;
  for (const SeqRange& range : part.seq_ranges)
    out.add(out.sql.empty() ? "(" : " OR ").add("(r.seq>=? AND r.seq<?)").value(range.from).value(range.to);
  return std::move(out.add(")"));
}

/// The part with the fewest rows, counted up to `limit`; parts_.size() when there is none to lead. `found` gets the
/// number of each, `limit` standing for more. Unless `all`, a single part that can be walked is not counted.
Result<std::size_t> SearchRun::fewest(std::int64_t limit, bool all, std::vector<std::int64_t>& found) {
  const auto walked = std::count_if(parts_.begin(), parts_.end(),
                                    [&](const Part& part) { return !part.is_negative && is_walked(part); });
  std::size_t best = parts_.size();
  found.assign(parts_.size(), limit);
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (parts_[i].is_negative) continue;
    if (all || walked != 1 || !is_walked(parts_[i])) {
      TRY(found[i], count_of(parts_[i], limit));
    }
    if (best == parts_.size() || found[i] < found[best]) best = i;
    if (found[i] <= 1) break;
  }
  return best;
}

Status SearchRun::choose() {
  const bool alone = parts_.size() == 1 && !parts_[0].is_negative;
  // In the order of the page: nothing can be better.
  if (alone && is_walked(parts_[0])) return lead(0);
  const std::int64_t wide = is_page() ? kWidePageRows : kWideRows;
  if (alone) {
    TRY(const std::int64_t rows, count_of(parts_[0], wide));
    return rows == wide ? choose_of_all_wide() : lead(0);
  }
  std::vector<std::int64_t> found;
  TRY(const std::size_t narrow, fewest(kNarrowRows, true, found));
  if (narrow == parts_.size()) return {};
  if (found[narrow] < kNarrowRows) {
    source_size_ = found[narrow];
    return lead(narrow);
  }
  TRY(const std::size_t best, fewest(wide, false, found));
  if (found[best] == wide) return choose_of_all_wide();
  source_size_ = found[best];
  return lead(best);
}

/// A page is found on a walk in its order. For all hits, what has no probe leads, since it is collected in any case.
Status SearchRun::choose_of_all_wide() {
  for (std::size_t i = 0; i < parts_.size(); ++i)
    if (is_walked(parts_[i]) && !parts_[i].is_negative) return lead(i);
  for (std::size_t i = 0; i < parts_.size(); ++i)
    if (parts_[i].known && (!is_page() || !by_seq())) return lead(i);
  if (is_page()) return {};
  for (std::size_t i = 0; i < parts_.size(); ++i)
    if (!parts_[i].has_probe && !parts_[i].is_negative) return lead(i);
  return {};
}

Status SearchRun::lead(std::size_t part) {
  parts_[part].done = true;
  led_ = part;
  if (is_walked(parts_[part])) return {};
  TRY(list_, collect(parts_[part]));
  source_size_ = list_->size();
  return {};
}

Result<RidSet> SearchRun::collect(const Part& part) {
  if (part.known) return *part.known;
  RidSet set(first_rid(builder_->type()));
  TRY(Statement statement, connection_.search_statement(part.rows));
  for (;;) {
    TRY(const bool row, connection_.step(statement));
    if (!row) return set;
    set.add(statement.integer(0));
  }
}

Result<std::int64_t> SearchRun::count_of(const Part& part, std::int64_t limit) {
  if (part.known) return std::min(limit, part.known->size());
  return connection_.count_rows(part.rows, limit);
}

/// What neither the source nor a probe sees to.
Status SearchRun::take_left() {
  bool in_memory = true;
  left_members_.emplace();
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    Part& part = parts_[i];
    if (part.done || part.has_probe) continue;
    part.done = true;
    left_.push_back(i);
    fhir::SearchQuery one;
    one.type = query_.type;
    one.clauses.push_back(*part.clause);
    left_queries_.push_back(std::move(one));
    in_memory = in_memory && !has_links(*part.clause);
    const bool is_value = part.clause->kind == SearchClause::Kind::value && part.clause->parameter->is_indexed();
    auto members = is_value ? fhir::members_of(*part.clause->parameter) : std::nullopt;
    if (!members || !left_members_) {
      left_members_.reset();
    } else {
      left_members_->insert(left_members_->end(), members->begin(), members->end());
    }
  }
  if (left_.empty()) return {};
  TRY(resources_, connection_.resources_at_most(builder_->type()));
  if (!in_memory || (!is_page() && source_size_ > kBodyTestsOfAll)) return make_sets();
  return {};
}

/// The share of hits so far tells how many resources would still be read, and how many rows the clauses have.
bool SearchRun::sets_are_cheaper() const {
  if (tested_ < kSample) return false;
  const double share = std::max(static_cast<double>(passed_), 0.5) / static_cast<double>(tested_);
  const double missing = std::max(static_cast<double>(wanted_) - static_cast<double>(passed_), 0.0);
  const double left = std::min(missing / share, static_cast<double>(source_size_ - tested_));
  const double rows = std::max(share * static_cast<double>(resources_), static_cast<double>(kWidePageRows));
  return left * static_cast<double>(kRowsABodyTest) > rows;
}

Status SearchRun::make_sets() {
  use_sets_ = true;
  for (const std::size_t i : left_) {
    TRY(RidSet set, collect(parts_[i]));
    std::optional<RidSet>& into = parts_[i].is_negative ? outside_ : inside_;
    if (!into) {
      into = std::move(set);
    } else if (parts_[i].is_negative) {
      into->add_all(set);
    } else {
      into->keep_only(set);
    }
  }
  // The set itself is walked when that is shorter than what is walked now.
  if (!inside_ || list_) return {};
  if (outside_) inside_->remove(*outside_);
  inside_->count_again();
  const std::int64_t size = inside_->size();
  const bool is_walk_of_all = !led_.has_value();
  const bool has_order = is_page() && (by_seq() || is_sorted());
  if (has_order ? size >= kWideRows : !is_walk_of_all && size >= kWideRows) return {};
  if (led_) parts_[*led_].done = false;  // in order, so it has a probe
  led_.reset();
  list_ = std::move(inside_);
  inside_.reset();
  outside_.reset();
  source_size_ = size;
  return {};
}

Status SearchRun::collect_rest() {
  std::vector<std::size_t> rest;
  if (!use_sets_) rest = left_;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (parts_[i].done) continue;
    parts_[i].done = true;
    rest.push_back(i);
  }
  if (rest.empty()) return {};
  left_ = std::move(rest);
  return make_sets();
}

}  // namespace kiln::engine
