#include "engine/store/search_conditions.h"

namespace kiln::engine {

using base::Result;
using fhir::Modifier;
using fhir::ParameterKind;
using fhir::Prefix;
using fhir::SearchValue;
using fhir::TokenForm;

namespace {

/// " AND <column><test>" and so on: a condition grows by such parts.
class Condition {
 public:
  template <class Value>
  Condition& where(std::string_view column, std::string_view test, Value value) {
    text_.add(" AND ").add(column).add(test).value(std::move(value));
    return *this;
  }
  Condition& raw(std::string_view text) {
    text_.add(text);
    return *this;
  }
  template <class Value>
  Condition& part(std::string_view before, std::string_view column, std::string_view test, Value value) {
    text_.add(before).add(column).add(test).value(std::move(value));
    return *this;
  }
  SqlText take() { return std::move(text_); }

 private:
  SqlText text_;
};

SqlText string_condition(const SearchValue& value, Modifier modifier, const ValueColumns& columns) {
  Condition out;
  if (modifier == Modifier::contains)
    return out.raw(" AND instr(").part("", columns.first, ", ?)>0", value.folded).take();
  if (modifier == Modifier::exact)
    return out.where(columns.first, "=?", value.folded).where(columns.second, "=?", value.text).take();
  out.where(columns.first, ">=?", value.folded);
  if (const std::string end = prefix_end(value.folded); !end.empty()) out.where(columns.first, "<?", end);
  return out.take();
}

/// search#prefix; each form starts with the column its index is sorted by.
SqlText date_condition(const SearchValue& value, const ValueColumns& columns) {
  Condition out;
  const std::string_view low = columns.first, high = columns.second;
  switch (value.prefix) {
    case Prefix::eq:
      return out.where(low, ">=?", value.low)
          .where(low, "<=?", value.high)
          .where(high, "<=?", value.high)
          .take();
    case Prefix::ne:
      return out.part(" AND NOT (", low, ">=?", value.low).part(" AND ", high, "<=?)", value.high).take();
    case Prefix::gt:
      return out.where(high, ">?", value.high).take();
    case Prefix::lt:
      return out.where(low, "<?", value.low).take();
    case Prefix::ge:
      return out.where(high, ">=?", value.low)
          .part(" AND (", high, ">?", value.high)
          .part(" OR ", low, ">=?)", value.low)
          .take();
    case Prefix::le:
      return out.where(low, "<=?", value.high)
          .part(" AND (", low, "<?", value.low)
          .part(" OR ", high, "<=?)", value.high)
          .take();
    case Prefix::sa:
      return out.where(low, ">?", value.high).take();
    case Prefix::eb:
      return out.where(high, "<?", value.low).take();
    case Prefix::ap:
      return out.where(low, "<=?", value.high).where(high, ">=?", value.low).take();
  }
  return out.take();
}

SqlText uri_condition(const SearchValue& value, Modifier modifier, const ValueColumns& columns) {
  Condition out;
  const std::string_view uri = columns.first;
  if (modifier == Modifier::below) {
    out.where(uri, ">=?", value.text);
    if (const std::string end = prefix_end(value.text); !end.empty()) out.where(uri, "<?", end);
    return out.take();
  }
  if (modifier != Modifier::above) return out.where(uri, "=?", value.text).take();
  return out.where(uri, "<=?", value.text)
      .part(" AND substr(", "?, 1, length(", uri, value.text)
      .raw("))=")
      .raw(uri)
      .take();
}

Result<SqlText> token_condition(const SearchValue& value, const ValueColumns& columns,
                                Dictionary& dictionary) {
  Condition out;
  std::int64_t system = 0;
  // A question must not add to the dictionary; an unknown system has no rows.
  if (value.form == TokenForm::system_code || value.form == TokenForm::system) {
    TRY(system, dictionary.known_word(value.system));
  }
  // "<>0" lets the planner use the index that has no rows without a system.
  if (value.form == TokenForm::system)
    return out.where(columns.second, "=?", system).raw(" AND ").raw(columns.second).raw("<>0").take();
  out.where(columns.first, "=?", value.code);
  if (value.form != TokenForm::code) out.where(columns.second, "=?", system);
  return out.take();
}

Result<SqlText> reference_condition(const SearchValue& value, const ValueColumns& columns,
                                    Dictionary& dictionary) {
  Condition out;
  out.where(columns.first, "=?", value.is_url ? value.text : value.target_id);
  if (value.is_url) return out.raw(" AND ").raw(columns.second).raw("=0").take();
  if (value.target_type.empty()) return out.raw(" AND ").raw(columns.second).raw("<>0").take();
  TRY(const std::int64_t type, dictionary.type(value.target_type));
  return out.where(columns.second, "=?", type).take();
}

/// eq, ne and ap use the implied precision, [from, to); the others compare the exact number (search#number).
SqlText number_condition(const SearchValue& value, const ValueColumns& columns) {
  Condition out;
  const std::string_view low = columns.first, high = columns.second;
  const std::string &from = value.number_low, &to = value.number_high, &exact = value.number;
  switch (value.prefix) {
    case Prefix::eq:
      return out.where(low, ">=?", from).where(low, "<?", to).where(high, "<?", to).take();
    case Prefix::ne:
      return out.part(" AND NOT (", low, ">=?", from).part(" AND ", high, "<?)", to).take();
    case Prefix::gt:
      return out.where(high, ">?", exact).take();
    case Prefix::lt:
      return out.where(low, "<?", exact).take();
    case Prefix::ge:
      return out.part(" AND (", high, ">?", exact)
          .part(" OR (", low, ">=?", exact)
          .part(" AND ", high, "<=?))", exact)
          .take();
    case Prefix::le:
      return out.part(" AND (", low, "<?", exact)
          .part(" OR (", low, ">=?", exact)
          .part(" AND ", high, "<=?))", exact)
          .take();
    case Prefix::sa:
      return out.where(low, ">?", exact).take();
    case Prefix::eb:
      return out.where(high, "<?", exact).take();
    case Prefix::ap:
      return out.where(low, "<?", to).where(high, ">=?", from).take();
  }
  return out.take();
}

Result<SqlText> quantity_condition(const SearchValue& value, const ValueColumns& columns,
                                   Dictionary& dictionary) {
  SqlText out = number_condition(value, columns);
  if (!value.code.empty()) out.add(" AND ").add(columns.fourth).add("=?").value(value.code);
  if (!value.system.empty()) {
    TRY(const std::int64_t system, dictionary.known_word(value.system));
    out.add(" AND ").add(columns.third).add("=?").value(system);
  }
  return out;
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

IndexTable index_table(ParameterKind kind) {
  switch (kind) {
    case ParameterKind::token:
      return {"ix_token", {"code", "system", {}, {}}};
    case ParameterKind::string:
      return {"ix_string", {"folded", "exact", {}, {}}};
    case ParameterKind::date:
      return {"ix_date", {"low_us", "high_us", {}, {}}};
    case ParameterKind::reference:
      return {"ix_reference", {"target_id", "target_type", {}, {}}};
    case ParameterKind::uri:
      return {"ix_uri", {"uri", {}, {}, {}}};
    case ParameterKind::number:
    case ParameterKind::quantity:
      return {"ix_quantity", {"low", "high", "system", "code"}};
    case ParameterKind::id:
    case ParameterKind::last_updated:
      break;
  }
  return {};
}

Result<SqlText> value_condition(ParameterKind kind, Modifier modifier, const SearchValue& value,
                                const ValueColumns& columns, Dictionary& dictionary) {
  switch (kind) {
    case ParameterKind::token:
      return token_condition(value, columns, dictionary);
    case ParameterKind::string:
      return string_condition(value, modifier, columns);
    case ParameterKind::date:
      return date_condition(value, columns);
    case ParameterKind::reference:
      return reference_condition(value, columns, dictionary);
    case ParameterKind::uri:
      return uri_condition(value, modifier, columns);
    case ParameterKind::number:
    case ParameterKind::quantity:
      return quantity_condition(value, columns, dictionary);
    case ParameterKind::id:
    case ParameterKind::last_updated:
      break;
  }
  return SqlText{};
}

}  // namespace kiln::engine
