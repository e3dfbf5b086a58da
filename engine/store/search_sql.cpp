#include "engine/store/search_sql.h"

namespace kiln::engine {

using base::Result;
using fhir::Modifier;
using fhir::ParameterKind;
using fhir::Prefix;
using fhir::SearchClause;
using fhir::SearchValue;
using fhir::TokenForm;

namespace {

SqlText string_rows(std::int64_t param, const SearchValue& value, Modifier modifier) {
  SqlText out;
  out.add("SELECT rid FROM ix_string WHERE param=?").value(param);
  if (modifier == Modifier::contains)
    return std::move(out.add(" AND instr(folded, ?)>0").value(value.folded));
  if (modifier == Modifier::exact)
    return std::move(out.add(" AND folded=? AND exact=?").value(value.folded).value(value.text));
  out.add(" AND folded>=?").value(value.folded);
  if (const std::string end = prefix_end(value.folded); !end.empty()) out.add(" AND folded<?").value(end);
  return out;
}

/// search#prefix; each form starts with the column its index is sorted by.
SqlText date_rows(std::int64_t param, const SearchValue& value) {
  SqlText out;
  out.add("SELECT rid FROM ix_date WHERE param=?").value(param);
  const std::int64_t low = value.low, high = value.high;
  switch (value.prefix) {
    case Prefix::eq:
      return std::move(
          out.add(" AND low_us>=? AND low_us<=? AND high_us<=?").value(low).value(high).value(high));
    case Prefix::ne:
      return std::move(out.add(" AND NOT (low_us>=? AND high_us<=?)").value(low).value(high));
    case Prefix::gt:
      return std::move(out.add(" AND high_us>?").value(high));
    case Prefix::lt:
      return std::move(out.add(" AND low_us<?").value(low));
    case Prefix::ge:
      return std::move(
          out.add(" AND high_us>=? AND (high_us>? OR low_us>=?)").value(low).value(high).value(low));
    case Prefix::le:
      return std::move(
          out.add(" AND low_us<=? AND (low_us<? OR high_us<=?)").value(high).value(low).value(high));
    case Prefix::sa:
      return std::move(out.add(" AND low_us>?").value(high));
    case Prefix::eb:
      return std::move(out.add(" AND high_us<?").value(low));
    case Prefix::ap:
      return std::move(out.add(" AND low_us<=? AND high_us>=?").value(high).value(low));
  }
  return out;
}

SqlText uri_rows(std::int64_t param, const SearchValue& value, Modifier modifier) {
  SqlText out;
  out.add("SELECT rid FROM ix_uri WHERE param=?").value(param);
  if (modifier == Modifier::below) {
    out.add(" AND uri>=?").value(value.text);
    if (const std::string end = prefix_end(value.text); !end.empty()) out.add(" AND uri<?").value(end);
    return out;
  }
  if (modifier == Modifier::above)
    return std::move(
        out.add(" AND uri<=? AND substr(?, 1, length(uri))=uri").value(value.text).value(value.text));
  return std::move(out.add(" AND uri=?").value(value.text));
}

}  // namespace

void SqlText::bind_to(base::Statement& statement) const {
  int index = 0;
  for (const auto& value : values) {
    ++index;
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      statement.bind(index, *number);
    } else {
      statement.bind(index, std::get<std::string>(value));
    }
  }
}

std::string prefix_end(std::string_view text) {
  // UTF-8 sorts bytewise like its characters, and no byte of it is 0xFF.
  std::string end(text);
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

Result<SqlText> SearchSql::token_rows(std::int64_t param, const SearchValue& value) {
  SqlText out;
  std::int64_t system = 0;
  if (value.form == TokenForm::system_code || value.form == TokenForm::system) {
    TRY(system, dictionary_.word(value.system));
  }
  if (value.form == TokenForm::system)
    return std::move(out.add("SELECT rid FROM ix_token WHERE param=? AND system=? AND system<>0")
                         .value(param)
                         .value(system));
  out.add("SELECT rid FROM ix_token WHERE param=? AND code=?").value(param).value(value.code);
  if (value.form != TokenForm::code) out.add(" AND system=?").value(system);
  return out;
}

Result<SqlText> SearchSql::reference_rows(std::int64_t param, const SearchValue& value) {
  SqlText out;
  out.add("SELECT rid FROM ix_reference WHERE param=? AND target_id=?").value(param);
  out.value(value.is_url ? value.text : value.target_id);
  if (value.is_url) return std::move(out.add(" AND target_type=0"));
  if (value.target_type.empty()) return std::move(out.add(" AND target_type<>0"));
  TRY(const std::int64_t type, dictionary_.type(value.target_type));
  return std::move(out.add(" AND target_type=?").value(type));
}

Result<SqlText> SearchSql::quantity_rows(std::int64_t param, const SearchValue& value) {
  SqlText out;
  out.add("SELECT rid FROM ix_quantity WHERE param=?").value(param);
  const std::string &from = value.number_low, &to = value.number_high, &exact = value.number;
  switch (value.prefix) {
    case Prefix::eq:
      out.add(" AND low>=? AND low<? AND high<?").value(from).value(to).value(to);
      break;
    case Prefix::ne:
      out.add(" AND NOT (low>=? AND high<?)").value(from).value(to);
      break;
    case Prefix::gt:
      out.add(" AND high>?").value(exact);
      break;
    case Prefix::lt:
      out.add(" AND low<?").value(exact);
      break;
    case Prefix::ge:
      out.add(" AND (high>? OR (low>=? AND high<=?))").value(exact).value(exact).value(exact);
      break;
    case Prefix::le:
      out.add(" AND (low<? OR (low>=? AND high<=?))").value(exact).value(exact).value(exact);
      break;
    case Prefix::sa:
      out.add(" AND low>?").value(exact);
      break;
    case Prefix::eb:
      out.add(" AND high<?").value(exact);
      break;
    case Prefix::ap:
      out.add(" AND low<? AND high>=?").value(to).value(from);
      break;
  }
  if (!value.code.empty()) out.add(" AND code=?").value(value.code);
  if (!value.system.empty()) {
    TRY(const std::int64_t system, dictionary_.word(value.system));
    out.add(" AND system=?").value(system);
  }
  return out;
}

SqlText SearchSql::any_rows(const fhir::Parameter& parameter) {
  SqlText out;
  switch (parameter.kind) {
    case ParameterKind::token:
      out.add("SELECT rid FROM ix_token WHERE param=?");
      break;
    case ParameterKind::string:
      out.add("SELECT rid FROM ix_string WHERE param=?");
      break;
    case ParameterKind::date:
      out.add("SELECT rid FROM ix_date WHERE param=?");
      break;
    case ParameterKind::uri:
      out.add("SELECT rid FROM ix_uri WHERE param=?");
      break;
    case ParameterKind::number:
    case ParameterKind::quantity:
      out.add("SELECT rid FROM ix_quantity WHERE param=?");
      break;
    case ParameterKind::reference:
      // A reference may have only an identifier, which is kept with the tokens.
      out.add("SELECT rid FROM ix_reference WHERE param=?").value(param(parameter));
      out.add(" UNION ALL SELECT rid FROM ix_token WHERE param=?");
      break;
    case ParameterKind::id:
    case ParameterKind::last_updated:
      out.add("SELECT rid FROM resource WHERE type=?").value(type_);
      return out;
  }
  return std::move(out.value(param(parameter)));
}

Result<SqlText> SearchSql::rows_of_value(const SearchClause& clause, const SearchValue& value) {
  const std::int64_t number = clause.parameter->extractor ? param(*clause.parameter) : 0;
  switch (clause.parameter->kind) {
    case ParameterKind::token:
      return token_rows(number, value);
    case ParameterKind::string:
      return string_rows(number, value, clause.modifier);
    case ParameterKind::date:
      return date_rows(number, value);
    case ParameterKind::reference:
      return clause.modifier == Modifier::identifier ? token_rows(number, value)
                                                     : reference_rows(number, value);
    case ParameterKind::uri:
      return uri_rows(number, value, clause.modifier);
    case ParameterKind::number:
    case ParameterKind::quantity:
      return quantity_rows(number, value);
    case ParameterKind::id: {
      SqlText out;
      return std::move(
          out.add("SELECT rid FROM resource WHERE type=? AND id=?").value(type_).value(value.text));
    }
    case ParameterKind::last_updated:
      break;
  }
  return SqlText{};
}

Result<SqlText> SearchSql::rows_of(const SearchClause& clause, const std::vector<SeqRange>& seq_ranges) {
  if (clause.modifier == Modifier::missing) return any_rows(*clause.parameter);
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

Result<SqlText> SearchSql::probe_of(const SearchClause& clause) {
  SqlText out;
  const ParameterKind kind = clause.parameter->kind;
  const bool by_code = kind == ParameterKind::token && clause.modifier != Modifier::missing;
  const bool by_target = kind == ParameterKind::reference && clause.modifier == Modifier::none;
  if (!by_code && !by_target) return out;
  for (const SearchValue& value : clause.values) {
    if (by_code && value.form == TokenForm::system) return SqlText{};
    TRY(const SqlText rows, rows_of_value(clause, value));
    out.add(out.sql.empty() ? "(" : " OR ").add("EXISTS (").add(rows).add(" AND rid=r.rid)");
  }
  return std::move(out.add(")"));
}

}  // namespace kiln::engine
