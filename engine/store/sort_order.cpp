#include "engine/store/sort_order.h"

#include <algorithm>

#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/store/body_members.h"

namespace kiln::engine {

using base::Result;
using fhir::ParameterKind;

namespace {

/// Behind the rows of :of-type, which are no codes (fhir::of_type_code), and of codes that are empty.
constexpr std::string_view kFirstCode = "\x02";

SortLevel level_of(const fhir::SortTerm& term, const SearchSql& builder) {
  SortLevel level;
  level.parameter = term.parameter;
  level.descending = term.descending;
  if (!term.parameter->is_indexed()) {
    level.table = "resource";
    level.fixed = "type";
    level.owner = builder.type();
    level.columns = {term.parameter->kind == ParameterKind::id ? "id" : "seq"};
    level.unique = true;
    return level;
  }
  const IndexTable table = index_table(term.parameter->kind);
  level.table = table.name;
  level.fixed = "param";
  level.owner = builder.param_of(*term.parameter);
  level.columns = {table.columns.first};
  // What stands in front of the rid in the index is sorted by as well: it costs nothing so.
  switch (term.parameter->kind) {
    case ParameterKind::date:
    case ParameterKind::reference:
    case ParameterKind::number:
    case ParameterKind::quantity:
      level.columns.push_back(table.columns.second);
      break;
    default:
      break;
  }
  if (term.parameter->kind == ParameterKind::token) level.lowest = kFirstCode;
  return level;
}

void bind_value(SqlText& sql, const SortValue& value) {
  for (const auto& cell : value) {
    if (const auto* number = std::get_if<std::int64_t>(&cell))
      sql.value(*number);
    else
      sql.value(std::get<std::string>(cell));
  }
}

template <class Rows, class Make>
std::vector<SortValue> values(const Rows& rows, Make make) {
  std::vector<SortValue> out;
  for (const auto& row : rows) out.push_back(make(row));
  return out;
}

}  // namespace

bool SortLevel::is_text(int column) const {
  switch (parameter->kind) {
    case ParameterKind::date:
    case ParameterKind::last_updated:
      return false;
    case ParameterKind::reference:
      return column == 0;
    default:
      return true;
  }
}

std::string SortLevel::column_list() const {
  std::string out;
  for (const std::string_view column : columns) out.append(out.empty() ? "k." : ", k.").append(column);
  return out;
}

SqlText SortLevel::rows(bool bounded) const {
  SqlText sql;
  sql.add(" FROM ").add(table).add(" k WHERE k.").add(fixed).add("=?").value(owner);
  if (bounded && !lowest.empty()) sql.add(" AND k.").add(columns.front()).add(">=?").value(std::string(lowest));
  return sql;
}

std::string SortLevel::order_by(bool with_rid) const {
  std::string out;
  const auto add = [&](std::string_view column) {
    out.append(out.empty() ? " ORDER BY k." : ", k.").append(column).append(descending ? " DESC" : "");
  };
  for (const std::string_view column : columns) add(column);
  if (with_rid && !unique) add("rid");
  return out;
}

SqlText SortLevel::equal(const SortValue& value, std::string_view alias) const {
  SqlText sql;
  for (const std::string_view column : columns) sql.add(" AND ").add(alias).add(".").add(column).add("=?");
  bind_value(sql, value);
  return sql;
}

SqlText SortLevel::behind(const SortValue& value, bool inclusive, const std::int64_t* rid) const {
  SqlText sql;
  const bool with_rid = rid && !unique;
  const bool is_row = columns.size() > 1 || with_rid;
  sql.add(is_row ? " AND (" : " AND ").add(column_list()).add(with_rid ? ", k.rid" : "").add(is_row ? ")" : "");
  sql.add(descending ? "<" : ">").add(inclusive ? "=" : "").add(is_row ? "(?" : "?");
  for (std::size_t i = 1; i < columns.size() + (with_rid ? 1 : 0); ++i) sql.add(",?");
  sql.add(is_row ? ")" : "");
  bind_value(sql, value);
  if (with_rid) sql.value(*rid);
  return sql;
}

Result<SortOrder> SortOrder::of(const fhir::SearchQuery& query, const SearchSql& builder, Dictionary& dictionary,
                                std::string_view own_base) {
  SortOrder order;
  order.dictionary_ = &dictionary;
  order.own_base_ = own_base;
  for (const fhir::SortTerm& term : query.order) {
    order.levels_.push_back(level_of(term, builder));
    if (!term.parameter->is_indexed()) continue;
    order.needs_body_ = true;
    const auto members = fhir::members_of(*term.parameter);
    if (members)
      order.members_.insert(order.members_.end(), members->begin(), members->end());
    else
      order.whole_ = true;
  }
  return order;
}

Result<std::vector<SortValue>> SortOrder::all_values(const SortLevel& level, const fhir::IndexRows& rows) const {
  std::vector<SortValue> out;
  switch (level.parameter->kind) {
    case ParameterKind::token:
      for (const fhir::TokenRow& row : rows.tokens)
        if (row.code >= level.lowest) out.push_back({row.code});
      return out;
    case ParameterKind::string:
      return values(rows.strings, [](const auto& row) { return SortValue{row.folded}; });
    case ParameterKind::uri:
      return values(rows.uris, [](const auto& row) { return SortValue{row.uri}; });
    case ParameterKind::date:
      return values(rows.dates, [](const auto& row) { return SortValue{row.low, row.high}; });
    case ParameterKind::reference:
      for (const fhir::ReferenceRow& row : rows.references) {
        std::int64_t type = 0;
        if (!row.target_type.empty()) {
          TRY(type, dictionary_->type(row.target_type));
        }
        out.push_back({row.target_id, type});
      }
      return out;
    default:
      return values(rows.quantities, [](const auto& row) { return SortValue{row.low, row.high}; });
  }
}

Result<std::vector<SortValue>> SortOrder::values_of(const fhir::StoredVersion& version) const {
  std::vector<SortValue> out;
  std::optional<std::string> part;
  base::JsonDocument document;
  if (needs_body_) {
    if (!whole_) part = members_of_body(version.body, members_);
    TRY(document, base::parse_json(part ? *part : version.body,
                                   {base::limits::kArchiveFileBytesMax, base::limits::kJsonDepthMax}));
  }
  for (const SortLevel& level : levels_) {
    if (level.parameter->kind == ParameterKind::id) {
      out.push_back({version.id});
    } else if (level.parameter->kind == ParameterKind::last_updated) {
      out.push_back({version.seq});
    } else {
      TRY(const auto all,
          all_values(level, fhir::extract_rows(*level.parameter, document.root(), own_base_)));
      const auto first = level.descending ? std::max_element(all.begin(), all.end())
                                          : std::min_element(all.begin(), all.end());
      out.push_back(first == all.end() ? SortValue{} : *first);
    }
  }
  return out;
}

bool SortOrder::before(const SortPlace& a, const SortPlace& b) const {
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    const SortValue &left = a.values[i], &right = b.values[i];
    if (left == right) continue;
    if (left.empty() || right.empty()) return right.empty();
    return levels_[i].descending ? right < left : left < right;
  }
  return rids_descend() ? b.rid < a.rid : a.rid < b.rid;
}

}  // namespace kiln::engine
