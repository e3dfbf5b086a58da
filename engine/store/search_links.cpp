// Chains and _has as semi-joins, and conditions that are checked row by row (fhir.md Q1).
#include "engine/store/search_sql.h"

#include <algorithm>

namespace kiln::engine {

using base::Result;
using fhir::Modifier;
using fhir::ParameterKind;
using fhir::SearchClause;
using fhir::SearchLink;

Result<SqlText> SearchSql::conditions(const std::vector<SearchClause>& clauses, std::string_view alias) {
  SqlText out;
  for (const SearchClause& clause : clauses) {
    out.add(is_negative(clause) ? " AND NOT " : " AND ");
    TRY(const SqlText probe, probe_of(clause, alias));
    if (!probe.sql.empty()) {
      out.add(probe);
      continue;
    }
    TRY(const SqlText rows, rows_of(clause));
    out.add("(").add(alias).add(".rid IN (").add(rows).add("))");
  }
  return out;
}

Result<SqlText> SearchSql::live_rows(const std::vector<SearchClause>& clauses) {
  SqlText out;
  if (clauses.size() == 1 && !is_negative(clauses.front())) {
    TRY(const SqlText rows, rows_of(clauses.front()));
    return std::move(out.add("SELECT DISTINCT rid FROM (").add(rows).add(")"));
  }
  TRY(const SqlText all, conditions(clauses, "l"));
  out.add("SELECT l.rid AS rid FROM resource l WHERE l.rid>=? AND l.rid<? AND l.deleted=0");
  return std::move(out.value(first_rid(type_)).value(first_rid(type_ + 1)).add(all));
}

/// From the resources at the end of the reference to those that refer to them.
Result<SqlText> SearchSql::chain_rows(const SearchClause& clause) {
  SqlText out;
  for (const SearchLink& link : clause.links) {
    TRY(SearchSql target, of_type(*dictionary_, link.type));
    TRY(const SqlText rows, target.live_rows(link.clauses));
    out.add(out.sql.empty() ? "" : " UNION ALL ").add("SELECT i.rid AS rid FROM (").add(rows);
    out.add(
        ") s CROSS JOIN resource t ON t.rid=s.rid AND t.deleted=0 CROSS JOIN ix_reference i"
        " ON i.param=? AND i.target_id=t.id AND i.target_type=?");
    out.value(param(*clause.parameter)).value(target.type_);
  }
  return out;
}

/// From the resources that refer to those they refer to.
Result<SqlText> SearchSql::has_rows(const SearchClause& clause) {
  SqlText out;
  for (const SearchLink& link : clause.links) {
    TRY(SearchSql source, of_type(*dictionary_, link.type));
    TRY(const SqlText rows, source.live_rows(link.clauses));
    out.add(out.sql.empty() ? "" : " UNION ALL ").add("SELECT t.rid AS rid FROM (").add(rows);
    out.add(
        ") s CROSS JOIN ix_reference i ON i.param=? AND i.rid=s.rid AND i.target_type=?"
        " CROSS JOIN resource t ON t.type=? AND t.id=i.target_id AND t.deleted=0");
    out.value(source.param(*clause.parameter)).value(type_).value(type_);
  }
  return out;
}

Result<SqlText> SearchSql::chain_probe(const SearchClause& clause, std::string_view alias) {
  // Each level has its own names: the alias of the level above with a letter more.
  const std::string i = std::string(alias) + "i", t = std::string(alias) + "t";
  SqlText out;
  for (const SearchLink& link : clause.links) {
    TRY(SearchSql target, of_type(*dictionary_, link.type));
    TRY(const SqlText rest, target.conditions(link.clauses, t));
    out.add(out.sql.empty() ? "(" : " OR ").add("EXISTS (SELECT 1 FROM ix_reference ").add(i);
    out.add(" CROSS JOIN resource ").add(t).add(" ON ").add(t).add(".type=? AND ").add(t).add(".id=");
    out.add(i).add(".target_id AND ").add(t).add(".deleted=0 WHERE ").value(target.type_);
    out.add(i)
        .add(".param=? AND ")
        .add(i)
        .add(".rid=")
        .add(alias)
        .add(".rid AND ")
        .add(i)
        .add(".target_type=?");
    out.value(param(*clause.parameter)).value(target.type_).add(rest).add(")");
  }
  return std::move(out.add(")"));
}

Result<SqlText> SearchSql::has_probe(const SearchClause& clause, std::string_view alias) {
  const std::string i = std::string(alias) + "i", t = std::string(alias) + "t";
  SqlText out;
  for (const SearchLink& link : clause.links) {
    TRY(SearchSql source, of_type(*dictionary_, link.type));
    TRY(const SqlText rest, source.conditions(link.clauses, t));
    out.add(out.sql.empty() ? "(" : " OR ").add("EXISTS (SELECT 1 FROM ix_reference ").add(i);
    out.add(" CROSS JOIN resource ").add(t).add(" ON ").add(t).add(".rid=").add(i).add(".rid AND ").add(t);
    out.add(".deleted=0 WHERE ")
        .add(i)
        .add(".param=? AND ")
        .add(i)
        .add(".target_id=")
        .add(alias)
        .add(".id AND ");
    out.value(source.param(*clause.parameter)).add(i).add(".target_type=?").value(type_).add(rest).add(")");
  }
  return std::move(out.add(")"));
}

namespace {

/// The columns in front of the rid are known, so that one look into the index answers for a resource.
bool has_value_probe(const SearchClause& clause) {
  const Modifier modifier = clause.modifier;
  switch (clause.parameter->kind) {
    case ParameterKind::token:
      return modifier == Modifier::none || modifier == Modifier::not_ || modifier == Modifier::of_type;
    case ParameterKind::reference:
      return modifier == Modifier::none || modifier == Modifier::identifier;
    case ParameterKind::uri:
      return modifier == Modifier::none;
    case ParameterKind::string:
      return modifier == Modifier::exact;
    case ParameterKind::id:
      return modifier == Modifier::none;
    default:
      return false;
  }
}

}  // namespace

bool SearchSql::probes_rid_alone(const SearchClause& clause) {
  switch (clause.kind) {
    case SearchClause::Kind::value:
      return clause.parameter->kind != ParameterKind::id && clause.parameter->kind != ParameterKind::last_updated;
    case SearchClause::Kind::any:
      return std::all_of(clause.any.begin(), clause.any.end(), probes_rid_alone);
    case SearchClause::Kind::has:
      return false;
    case SearchClause::Kind::chain:
    case SearchClause::Kind::composite:
      break;
  }
  return true;
}

bool SearchSql::is_in_order(const SearchClause& clause) {
  if (clause.kind != SearchClause::Kind::value || clause.values.size() != 1 || !has_value_probe(clause)) return false;
  if (clause.parameter->kind == ParameterKind::id) return false;
  // The type of the target stands between its id and the rid.
  const fhir::SearchValue& value = clause.values.front();
  return clause.parameter->kind != ParameterKind::reference || clause.modifier == Modifier::identifier || value.is_url ||
         !value.target_type.empty();
}

/// What is found by its value and the rid; an id is in the row itself.
Result<SqlText> SearchSql::value_probe(const SearchClause& clause, std::string_view alias) {
  SqlText out;
  if (!has_value_probe(clause)) return out;
  for (const auto& value : clause.values) {
    out.add(out.sql.empty() ? "(" : " OR ");
    if (clause.parameter->kind == ParameterKind::id) {
      out.add(alias).add(".id=?").value(value.text);
      continue;
    }
    TRY(const SqlText rows, rows_of_value(clause, value));
    out.add("EXISTS (").add(rows).add(" AND rid=").add(alias).add(".rid)");
  }
  return std::move(out.add(")"));
}

Result<SqlText> SearchSql::probe_of(const SearchClause& clause, std::string_view alias) {
  SqlText out;
  switch (clause.kind) {
    case SearchClause::Kind::value:
      return value_probe(clause, alias);
    case SearchClause::Kind::chain:
      return chain_probe(clause, alias);
    case SearchClause::Kind::has:
      return has_probe(clause, alias);
    case SearchClause::Kind::any:
      for (const SearchClause& one : clause.any) {
        TRY(const SqlText probe, probe_of(one, alias));
        if (probe.sql.empty()) return SqlText{};
        out.add(out.sql.empty() ? "(" : " OR ").add(probe);
      }
      return std::move(out.add(")"));
    case SearchClause::Kind::composite:
      break;
  }
  return out;
}

}  // namespace kiln::engine
