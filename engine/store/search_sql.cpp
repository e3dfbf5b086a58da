#include "engine/store/search_sql.h"

#include <array>

#include "engine/base/json.h"

namespace kiln::engine {

using base::Result;
using fhir::Modifier;
using fhir::ParameterKind;
using fhir::SearchClause;
using fhir::SearchValue;

Result<SearchSql> SearchSql::of_type(Dictionary& dictionary, std::string_view type) {
  const fhir::TypeParameters* parameters = fhir::type_parameters(type);
  if (!parameters) return base::fail(base::ErrorCode::fhir_unknown_path, "unknown resource type");
  TRY(const std::int64_t number, dictionary.type(type));
  TRY(const auto* params, dictionary.parameters(*parameters));
  return SearchSql(dictionary, *parameters, number, *params);
}

namespace {

/// The table a clause is about is that of its parameter, but for two modifiers.
ParameterKind searched_kind(const SearchClause& clause) {
  if (clause.modifier == Modifier::text) return ParameterKind::string;
  if (clause.modifier == Modifier::identifier) return ParameterKind::token;
  return clause.parameter->kind;
}

}  // namespace

SqlText SearchSql::any_rows(const fhir::Parameter& parameter) {
  SqlText out;
  const IndexTable table = index_table(parameter.kind);
  if (table.name.empty()) return std::move(out.add("SELECT rid FROM resource WHERE type=?").value(type_));
  out.add("SELECT rid FROM ").add(table.name).add(" WHERE param=?").value(param(parameter));
  // A reference may have only an identifier, which is kept with the tokens; a concept only a text.
  const std::string_view second = parameter.kind == ParameterKind::reference ? "ix_token"
                                  : parameter.kind == ParameterKind::token   ? "ix_string"
                                                                             : "";
  if (second.empty()) return out;
  return std::move(
      out.add(" UNION ALL SELECT rid FROM ").add(second).add(" WHERE param=?").value(param(parameter)));
}

Result<SqlText> SearchSql::rows_of_value(const SearchClause& clause, const SearchValue& value) {
  SqlText out;
  if (clause.parameter->kind == ParameterKind::id)
    return std::move(
        out.add("SELECT rid FROM resource WHERE type=? AND id=?").value(type_).value(value.text));
  const ParameterKind kind = searched_kind(clause);
  const IndexTable table = index_table(kind);
  out.add("SELECT rid FROM ").add(table.name).add(" WHERE param=?").value(param(*clause.parameter));
  TRY(const SqlText condition, value_condition(kind, clause.modifier, value, table.columns, *dictionary_));
  return std::move(out.add(condition));
}

/// Many codes at once: they come in as one JSON text, since a statement has a limit on its parts.
Result<SqlText> SearchSql::code_rows(const SearchClause& clause) {
  base::JsonWriter codes;
  codes.begin_array();
  for (const SearchValue& value : clause.values) {
    std::int64_t system = Dictionary::kUnknown;
    if (!value.system.empty()) {
      TRY(system, dictionary_->known_word(value.system));
      if (system == Dictionary::kUnknown) continue;  // no row has it
    }
    codes.begin_array().string(value.code).integer(system).end_array();
  }
  codes.end_array();
  SqlText out;
  out.add("SELECT i.rid AS rid FROM json_each(?) j CROSS JOIN ix_token i ON i.param=?")
      .value(codes.take())
      .value(param(*clause.parameter));
  return std::move(
      out.add(" AND i.code=json_extract(j.value, '$[0]') AND (json_extract(j.value, '$[1]')<0 OR"
              " i.system=json_extract(j.value, '$[1]'))"));
}

Result<SqlText> SearchSql::composite_rows(const SearchClause& clause) {
  static constexpr std::array<ValueColumns, 3> kComponents = {ValueColumns{"a1", "a2", "a3", "a4"},
                                                              ValueColumns{"b1", "b2", "b3", "b4"},
                                                              ValueColumns{"c1", "c2", "c3", "c4"}};
  SqlText out;
  for (const auto& tuple : clause.tuples) {
    out.add(out.sql.empty() ? "" : " UNION ALL ").add("SELECT rid FROM ix_composite WHERE param=?");
    out.value(param(*clause.composite));
    for (std::size_t i = 0; i < tuple.size() && i < kComponents.size(); ++i) {
      TRY(const SqlText condition, value_condition(clause.composite->components[i].kind, Modifier::none,
                                                   tuple[i], kComponents[i], *dictionary_));
      out.add(condition);
    }
  }
  return out;
}

Result<SqlText> SearchSql::any_of_rows(const SearchClause& clause) {
  SqlText out;
  for (const SearchClause& one : clause.any) {
    TRY(const SqlText rows, rows_of(one));
    out.add(out.sql.empty() ? "" : " UNION ALL ").add(rows);
  }
  return out;
}

Result<SqlText> SearchSql::rows_of(const SearchClause& clause, const std::vector<SeqRange>& seq_ranges) {
  switch (clause.kind) {
    case SearchClause::Kind::composite:
      return composite_rows(clause);
    case SearchClause::Kind::chain:
      return chain_rows(clause);
    case SearchClause::Kind::has:
      return has_rows(clause);
    case SearchClause::Kind::any:
      return any_of_rows(clause);
    case SearchClause::Kind::value:
      break;
  }
  if (clause.modifier == Modifier::missing) return any_rows(*clause.parameter);
  const bool is_set = clause.modifier == Modifier::in || clause.modifier == Modifier::not_in ||
                      ((clause.modifier == Modifier::below || clause.modifier == Modifier::above) &&
                       clause.parameter->kind == ParameterKind::token);
  if (is_set) return code_rows(clause);
  SqlText out;
  if (clause.parameter->kind == ParameterKind::last_updated) {
    for (const SeqRange& range : seq_ranges) {
      out.add(out.sql.empty() ? "" : " UNION ALL ")
          .add("SELECT rid FROM resource WHERE type=? AND seq>=? AND seq<?");
      out.value(type_).value(range.from).value(range.to);
    }
    return out;
  }
  for (const SearchValue& value : clause.values) {
    if (!out.sql.empty()) out.add(" UNION ALL ");
    TRY(const SqlText rows, rows_of_value(clause, value));
    out.add(rows);
  }
  return out;
}

}  // namespace kiln::engine
