// Parts of strings (:contains) from the columns in memory: what they held at a moment, and what has changed since.
#include <unordered_set>
#include <utility>

#include "engine/base/limits.h"
#include "engine/limits.h"
#include "engine/store/sqlite_connection.h"
#include "engine/store/text_columns.h"

namespace kiln::engine {

using base::Result;
using base::Statement;

/// Current resources of the type that were written behind `seq`, deleted ones too; nullopt: too many to look at.
Result<std::optional<std::vector<std::int64_t>>> SqliteConnection::changed_since(std::int64_t type, std::int64_t seq) {
  std::optional<std::vector<std::int64_t>> rids(std::in_place);
  TRY(Statement select, database_.cached("SELECT rid FROM resource WHERE type=? AND seq>? LIMIT ?"));
  select.bind(1, type).bind(2, seq).bind(3, static_cast<std::int64_t>(limits::kTextColumnChangesMax) + 1);
  for (;;) {
    TRY(const bool row, step(select));
    if (!row) return rids;
    if (rids->size() == limits::kTextColumnChangesMax) return std::optional<std::vector<std::int64_t>>();
    rids->push_back(select.integer(0));
  }
}

/// The one that is kept, when few resources have changed since; else a new one. nullptr: no use.
Result<std::shared_ptr<const TextColumn>> SqliteConnection::text_column(std::int64_t type, std::int64_t param,
                                                                        std::int64_t seq) {
  const TextColumns::Column kept = options_.texts->find(param);
  if (kept) {
    if (kept->is_too_large() || kept->seq() > seq) return TextColumns::Column();
    TRY(const auto changed, changed_since(type, kept->seq()));
    if (changed) return kept;
  }
  const auto made = std::make_shared<TextColumn>(seq);
  TRY(Statement select, database_.cached("SELECT folded, rid FROM ix_string WHERE param=?"));
  select.bind(1, param);
  for (;;) {
    TRY(const bool row, step(select));
    if (!row || !made->add(select.text(0), select.integer(1))) break;
  }
  options_.texts->keep(param, made);
  return made->is_too_large() ? TextColumns::Column() : TextColumns::Column(made);
}

Result<std::optional<RidSet>> SqliteConnection::containing(const fhir::SearchClause& clause, std::int64_t type,
                                                           std::int64_t param) {
  std::optional<RidSet> out;
  // The rows of an added parameter change without a version; outside a transaction the store moves on meanwhile.
  if (!read_only_ || clause.parameter->custom || !database_.in_transaction()) return out;
  for (const fhir::SearchValue& value : clause.values)
    if (!TextColumn::can_ask(value.folded)) return out;
  TRY(const std::int64_t now, last_seq());
  TRY(const auto column, text_column(type, param, now));
  if (!column) return out;
  TRY(const auto changed, changed_since(type, column->seq()));
  if (!changed) return out;
  const std::unordered_set<std::int64_t> others(changed->begin(), changed->end());
  out.emplace(first_rid(type));
  for (const fhir::SearchValue& value : clause.values)
    column->each_with(value.folded, [&](std::int64_t rid) {
      if (!others.contains(rid)) out->add(rid);
    });
  fhir::SearchQuery one;
  one.clauses.push_back(clause);
  for (const std::int64_t rid : *changed) {
    TRY(Statement select, database_.cached("SELECT seq FROM resource WHERE rid=? AND deleted=0"));
    select.bind(1, rid);
    TRY(const bool row, step(select));
    if (!row) continue;
    TRY(const std::string body, body_of(select.integer(0)));
    TRY(const base::JsonDocument document,
        base::parse_json(body, {base::limits::kArchiveFileBytesMax, base::limits::kJsonDepthMax}));
    if (fhir::matches(one, fhir::extract_rows(*clause.parameter, document.root(), options_.base_url), {})) out->add(rid);
  }
  return out;
}

}  // namespace kiln::engine
