#include <algorithm>

#include "fhir/search/query.h"

namespace kiln::fhir {
namespace {

bool token_matches(const TokenRow& row, const SearchValue& value) {
  switch (value.form) {
    case TokenForm::code:
      return row.code == value.code;
    case TokenForm::system_code:
      return row.code == value.code && row.system == value.system;
    case TokenForm::code_without_system:
      return row.code == value.code && row.system.empty();
    case TokenForm::system:
      return row.system == value.system;
  }
  return false;
}

bool starts_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

bool string_matches(const StringRow& row, const SearchValue& value, Modifier modifier) {
  if (modifier == Modifier::exact) return row.exact == value.text;
  if (modifier == Modifier::contains) return row.folded.find(value.folded) != std::string::npos;
  return starts_with(row.folded, value.folded);
}

/// search#prefix: [low, high] of the row against [low, high] of the value.
template <class Bound>
bool range_matches(Prefix prefix, const Bound& row_low, const Bound& row_high, const Bound& low,
                   const Bound& high) {
  const bool contained = low <= row_low && row_high <= high;
  switch (prefix) {
    case Prefix::eq:
      return contained;
    case Prefix::ne:
      return !contained;
    case Prefix::gt:
      return row_high > high;
    case Prefix::lt:
      return row_low < low;
    case Prefix::ge:
      return row_high > high || contained;
    case Prefix::le:
      return row_low < low || contained;
    case Prefix::sa:
      return row_low > high;
    case Prefix::eb:
      return row_high < low;
    case Prefix::ap:
      return row_low <= high && row_high >= low;
  }
  return false;
}

bool quantity_matches(const QuantityRow& row, const SearchValue& value) {
  if (!value.code.empty() && row.code != value.code) return false;
  if (!value.system.empty() && row.system != value.system) return false;
  // eq, ne and ap use the implied precision, [low, high); the others compare the exact number
  // (search#number).
  const bool inside = value.number_low <= row.low && row.high < value.number_high;
  switch (value.prefix) {
    case Prefix::eq:
      return inside;
    case Prefix::ne:
      return !inside;
    case Prefix::ap:
      return row.low < value.number_high && row.high >= value.number_low;
    default:
      return range_matches(value.prefix, row.low, row.high, value.number, value.number);
  }
}

bool reference_matches(const ReferenceRow& row, const SearchValue& value) {
  if (value.is_url) return row.target_type.empty() && row.target_id == value.text;
  if (row.target_type.empty()) return false;
  return row.target_id == value.target_id &&
         (value.target_type.empty() || row.target_type == value.target_type);
}

bool uri_matches(const UriRow& row, const SearchValue& value, Modifier modifier) {
  if (modifier == Modifier::below) return starts_with(row.uri, value.text);
  if (modifier == Modifier::above) return starts_with(value.text, row.uri);
  return row.uri == value.text;
}

template <class Row, class Test>
bool any_row(const std::vector<Row>& rows, std::uint16_t parameter, Test test) {
  return std::any_of(rows.begin(), rows.end(),
                     [&](const Row& row) { return row.parameter == parameter && test(row); });
}

/// Some row of the parameter passes; with `value` null: there is any row at all.
bool some_row(const SearchClause& clause, const SearchValue* value, const IndexRows& rows) {
  const std::uint16_t parameter = clause.parameter->ordinal;
  const auto tokens = [&] {
    return any_row(rows.tokens, parameter,
                   [&](const auto& row) { return !value || token_matches(row, *value); });
  };
  const auto strings = [&] {
    return any_row(rows.strings, parameter,
                   [&](const auto& row) { return !value || string_matches(row, *value, clause.modifier); });
  };
  switch (clause.parameter->kind) {
    case ParameterKind::token:
      return clause.modifier == Modifier::text ? strings() : tokens() || (!value && strings());
    case ParameterKind::string:
      return strings();
    case ParameterKind::date:
      return any_row(rows.dates, parameter, [&](const auto& row) {
        return !value || range_matches(value->prefix, row.low, row.high, value->low, value->high);
      });
    case ParameterKind::reference:
      if (clause.modifier == Modifier::identifier) return tokens();
      return any_row(rows.references, parameter,
                     [&](const auto& row) { return !value || reference_matches(row, *value); }) ||
             (!value && tokens());
    case ParameterKind::uri:
      return any_row(rows.uris, parameter,
                     [&](const auto& row) { return !value || uri_matches(row, *value, clause.modifier); });
    case ParameterKind::number:
    case ParameterKind::quantity:
      return any_row(rows.quantities, parameter,
                     [&](const auto& row) { return !value || quantity_matches(row, *value); });
    case ParameterKind::id:
    case ParameterKind::last_updated:
      return false;
  }
  return false;
}

/// One component of a composite value against the one asked for.
struct ComponentTest {
  const SearchValue& value;
  bool operator()(const TokenRow& row) const { return token_matches(row, value); }
  bool operator()(const StringRow& row) const { return string_matches(row, value, Modifier::none); }
  bool operator()(const DateRow& row) const {
    return range_matches(value.prefix, row.low, row.high, value.low, value.high);
  }
  bool operator()(const ReferenceRow& row) const { return reference_matches(row, value); }
  bool operator()(const UriRow& row) const { return uri_matches(row, value, Modifier::none); }
  bool operator()(const QuantityRow& row) const { return quantity_matches(row, value); }
};

bool composite_matches(const SearchClause& clause, const IndexRows& rows) {
  return std::any_of(rows.composites.begin(), rows.composites.end(), [&](const CompositeRow& row) {
    if (row.parameter != clause.composite->ordinal) return false;
    return std::any_of(clause.tuples.begin(), clause.tuples.end(), [&](const auto& tuple) {
      for (std::size_t i = 0; i < tuple.size(); ++i)
        if (i >= row.values.size() || !std::visit(ComponentTest{tuple[i]}, row.values[i])) return false;
      return true;
    });
  });
}

bool clause_matches(const SearchClause& clause, const IndexRows& rows, std::string_view id,
                    const LinkTest& links) {
  using Kind = SearchClause::Kind;
  if (clause.kind == Kind::composite) return composite_matches(clause, rows);
  if (clause.kind == Kind::chain || clause.kind == Kind::has) return links && links(clause);
  if (clause.kind == Kind::any)
    return std::any_of(clause.any.begin(), clause.any.end(),
                       [&](const SearchClause& one) { return clause_matches(one, rows, id, links); });
  if (clause.modifier == Modifier::missing) return some_row(clause, nullptr, rows) != clause.missing;
  const bool hit = std::any_of(clause.values.begin(), clause.values.end(), [&](const SearchValue& value) {
    return clause.parameter->kind == ParameterKind::id ? value.text == id : some_row(clause, &value, rows);
  });
  return clause.modifier == Modifier::not_ || clause.modifier == Modifier::not_in ? !hit : hit;
}

}  // namespace

bool matches(const SearchQuery& query, const IndexRows& rows, std::string_view id, const LinkTest& links) {
  return std::all_of(query.clauses.begin(), query.clauses.end(),
                     [&](const SearchClause& clause) { return clause_matches(clause, rows, id, links); });
}

}  // namespace kiln::fhir
