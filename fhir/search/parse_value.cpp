#include <algorithm>

#include "engine/base/partial_date.h"
#include "fhir/primitives.h"
#include "fhir/search/detail/parse_parts.h"

namespace kiln::fhir::detail {

using base::ErrorCode;
using base::fail;

base::Error invalid_parameter(std::string_view name, std::string text) {
  return {
      ErrorCode::fhir_search_invalid, "parameter '" + std::string(name) + "': " + std::move(text), {}, {}};
}

/// Splits at unescaped separators; the parts keep their escapes (fhir.md Q9).
std::vector<std::string_view> split_escaped(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == separator) {
      parts.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    }
  }
  parts.push_back(text.substr(begin));
  return parts;
}

std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    out.push_back(text[i]);
  }
  return out;
}

namespace {

/// Two letters in front of a digit or sign.
Prefix take_prefix(std::string_view& text) {
  static constexpr std::pair<std::string_view, Prefix> kPrefixes[] = {
      {"eq", Prefix::eq}, {"ne", Prefix::ne}, {"gt", Prefix::gt}, {"lt", Prefix::lt}, {"ge", Prefix::ge},
      {"le", Prefix::le}, {"sa", Prefix::sa}, {"eb", Prefix::eb}, {"ap", Prefix::ap}};
  for (const auto& [name, prefix] : kPrefixes) {
    if (text.substr(0, 2) == name) {
      text.remove_prefix(2);
      return prefix;
    }
  }
  return Prefix::eq;
}

SearchValue token_value(std::string_view text) {
  SearchValue value;
  const auto parts = split_escaped(text, '|');
  if (parts.size() == 1) {
    value.code = unescape(text);
    return value;
  }
  value.system = unescape(parts[0]);
  value.code = unescape(text.substr(parts[0].size() + 1));
  value.form = parts[0].empty()     ? TokenForm::code_without_system
               : value.code.empty() ? TokenForm::system
                                    : TokenForm::system_code;
  return value;
}

Answer<SearchValue> date_value(std::string_view name, std::string_view text) {
  SearchValue value;
  value.prefix = take_prefix(text);
  std::string plain = unescape(text);
  // A '+' of an offset that was not percent-encoded arrives as a space.
  std::replace(plain.begin(), plain.end(), ' ', '+');
  const auto date = base::PartialDate::parse_fhir(plain);
  if (!date)
    return fail(
        invalid_parameter(name, "not a date (expected yyyy, yyyy-mm, yyyy-mm-dd or a date with a time)"));
  value.low = date->lowest_micros();
  value.high = date->highest_micros();
  return value;
}

Answer<SearchValue> number_value(const Parameter& parameter, std::string_view name, std::string_view text) {
  SearchValue value;
  value.prefix = take_prefix(text);
  const auto parts = split_escaped(text, '|');
  if (parts.size() > 3 || (parameter.kind == ParameterKind::number && parts.size() > 1))
    return fail(invalid_parameter(name, "too many '|'"));
  const auto key = sortable_decimal(parts[0]);
  const auto interval = implied_interval(parts[0]);
  if (!key || !interval) return fail(invalid_parameter(name, "not a number"));
  value.number = *key;
  value.number_low = interval->low;
  value.number_high = interval->high;
  if (parts.size() == 2) return fail(invalid_parameter(name, "expected number|system|code or number||unit"));
  if (parts.size() == 3) {
    value.system = unescape(parts[1]);
    value.code = unescape(parts[2]);
  }
  return value;
}

Answer<SearchValue> reference_value(std::string_view name, std::string_view modifier_type,
                                    std::string_view text, std::string_view own_base) {
  SearchValue value;
  value.text = unescape(text);
  if (!modifier_type.empty()) {
    if (!is_valid_id(value.text))
      return fail(invalid_parameter(name, "with a type as modifier the value must be an id"));
    value.target_type = modifier_type;
    value.target_id = value.text;
    return value;
  }
  const ReferenceParts parts = parse_reference(value.text, own_base);
  if (parts.form == ReferenceParts::Form::relative) {
    value.target_type = parts.type;
    value.target_id = parts.id;
  } else if (is_valid_id(value.text)) {
    value.target_id = value.text;
  } else if (value.text.find(':') != std::string::npos) {
    value.is_url = true;
  } else {
    return fail(invalid_parameter(name, "not a reference (expected Type/id, id or a URL)"));
  }
  return value;
}

/// "system|code|value" of an identifier with its type.
Answer<SearchValue> of_type_value(std::string_view name, std::string_view text) {
  const auto parts = split_escaped(text, '|');
  if (parts.size() != 3 || parts[1].empty() || parts[2].empty())
    return fail(
        invalid_parameter(name, "expected system|code|value of the identifier's type and the identifier"));
  SearchValue value;
  value.code = of_type_code(unescape(parts[0]), unescape(parts[1]), unescape(parts[2]));
  value.form = TokenForm::code_without_system;
  return value;
}

/// A text of nothing but punctuation would match everything that has a value.
Answer<SearchValue> string_value(const SearchClause& clause, std::string_view text) {
  SearchValue value;
  value.text = indexed_part(unescape(text));
  value.folded = fold(value.text);
  if (value.folded.empty() && clause.modifier != Modifier::exact)
    return fail(invalid_parameter(clause.name, "the value has no letter or digit"));
  return value;
}

}  // namespace

Answer<SearchValue> parse_value(const SearchClause& clause, std::string_view modifier_type,
                                std::string_view text, std::string_view own_base) {
  SearchValue value;
  switch (clause.parameter->kind) {
    case ParameterKind::token:
      if (clause.modifier == Modifier::text) return string_value(clause, text);
      if (clause.modifier == Modifier::of_type) return of_type_value(clause.name, text);
      return token_value(text);
    case ParameterKind::date:
    case ParameterKind::last_updated:
      return date_value(clause.name, text);
    case ParameterKind::number:
    case ParameterKind::quantity:
      return number_value(*clause.parameter, clause.name, text);
    case ParameterKind::reference:
      if (clause.modifier == Modifier::identifier) return token_value(text);
      return reference_value(clause.name, modifier_type, text, own_base);
    case ParameterKind::string:
      return string_value(clause, text);
    case ParameterKind::id:
    case ParameterKind::uri:
      value.text = unescape(text);
      return value;
  }
  return value;
}

}  // namespace kiln::fhir::detail

namespace kiln::fhir {

std::string of_type_code(std::string_view type_system, std::string_view type_code, std::string_view value) {
  std::string code("\x01");
  code.append(type_system).append("|").append(type_code).append("|").append(value);
  return code;
}

}  // namespace kiln::fhir
