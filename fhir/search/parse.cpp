#include <algorithm>
#include <charconv>

#include "engine/base/http_message.h"
#include "engine/base/limits.h"
#include "engine/base/partial_date.h"
#include "engine/base/text.h"
#include "fhir/primitives.h"
#include "fhir/search/query.h"

namespace kiln::fhir {
namespace {

using base::ErrorCode;
using base::fail;

base::Error invalid(std::string_view name, std::string text) {
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
    return fail(invalid(name, "not a date (expected yyyy, yyyy-mm, yyyy-mm-dd or a date with a time)"));
  value.low = date->lowest_micros();
  value.high = date->highest_micros();
  return value;
}

Answer<SearchValue> number_value(const Parameter& parameter, std::string_view name, std::string_view text) {
  SearchValue value;
  value.prefix = take_prefix(text);
  const auto parts = split_escaped(text, '|');
  if (parts.size() > 3 || (parameter.kind == ParameterKind::number && parts.size() > 1))
    return fail(invalid(name, "too many '|'"));
  const auto key = sortable_decimal(parts[0]);
  const auto interval = implied_interval(parts[0]);
  if (!key || !interval) return fail(invalid(name, "not a number"));
  value.number = *key;
  value.number_low = interval->low;
  value.number_high = interval->high;
  if (parts.size() == 2) return fail(invalid(name, "expected number|system|code or number||unit"));
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
      return fail(invalid(name, "with a type as modifier the value must be an id"));
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
    return fail(invalid(name, "not a reference (expected Type/id, id or a URL)"));
  }
  return value;
}

Answer<SearchValue> parse_value(const SearchClause& clause, std::string_view modifier_type,
                                std::string_view text, std::string_view own_base) {
  SearchValue value;
  switch (clause.parameter->kind) {
    case ParameterKind::token:
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
      value.text = indexed_part(unescape(text));
      value.folded = fold(value.text);
      return value;
    case ParameterKind::id:
    case ParameterKind::uri:
      value.text = unescape(text);
      return value;
  }
  return value;
}

/// Which modifiers a parameter takes. A resource type as modifier of a reference comes back in
/// `modifier_type`.
Answer<Modifier> parse_modifier(const Parameter& parameter, std::string_view name, std::string_view text,
                                std::string_view& modifier_type) {
  const ParameterKind kind = parameter.kind;
  if (text == "missing" && kind != ParameterKind::id && kind != ParameterKind::last_updated)
    return Modifier::missing;
  if (text == "not" && kind == ParameterKind::token) return Modifier::not_;
  if (text == "exact" && kind == ParameterKind::string) return Modifier::exact;
  if (text == "contains" && kind == ParameterKind::string) return Modifier::contains;
  if (text == "identifier" && kind == ParameterKind::reference) return Modifier::identifier;
  if (text == "below" && kind == ParameterKind::uri) return Modifier::below;
  if (text == "above" && kind == ParameterKind::uri) return Modifier::above;
  if (kind == ParameterKind::reference && find_resource_type(text)) {
    modifier_type = text;
    return Modifier::none;
  }
  return fail(invalid(name, "this modifier is not supported for the parameter"));
}

Answer<SearchClause> parse_clause(const Parameter& parameter, std::string_view name, std::string_view value,
                                  std::string_view own_base) {
  SearchClause clause;
  clause.parameter = &parameter;
  clause.name = name;
  clause.raw = value;
  std::string_view modifier_type;
  if (const std::size_t colon = name.find(':'); colon != std::string_view::npos) {
    TRY(clause.modifier, parse_modifier(parameter, name, name.substr(colon + 1), modifier_type));
  }
  if (clause.modifier == Modifier::missing) {
    if (value != "true" && value != "false") return fail(invalid(name, "expected true or false"));
    clause.missing = value == "true";
    return clause;
  }
  for (const std::string_view part : split_escaped(value, ',')) {
    if (part.empty()) continue;
    TRY(SearchValue parsed, parse_value(clause, modifier_type, part, own_base));
    clause.values.push_back(std::move(parsed));
  }
  if (clause.values.size() > base::limits::kSearchValuesMax) return fail(invalid(name, "too many values"));
  return clause;
}

/// _count, _sort, _summary, _total. False: not a result parameter that is supported.
Answer<bool> parse_result_parameter(ParsedSearch& search, std::string_view name, std::string_view value) {
  SearchQuery& query = search.query;
  if (name == "_count") {
    std::size_t count = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), count);
    if (error != std::errc() || end != value.data() + value.size())
      return fail(invalid(name, "expected a number"));
    query.count = std::min(count, base::limits::kSearchCountMax);
    query.count_only = query.count_only || count == 0;
    return true;
  }
  if (name == "_sort") {
    std::string_view key = value;
    query.descending = !key.empty() && key.front() == '-';
    if (query.descending) key.remove_prefix(1);
    if (key == "_lastUpdated") {
      query.sort = SortKey::last_updated;
    } else if (key == "_id") {
      query.sort = SortKey::rid;
    } else {
      return fail(invalid(name, "sorting is supported by _lastUpdated and _id"));
    }
    return true;
  }
  if (name == "_summary") {
    if (value != "count" && value != "false") return fail(invalid(name, "supported are count and false"));
    query.count_only = query.count_only || value == "count";
    return true;
  }
  if (name == "_total") {
    if (value != "none" && value != "estimate" && value != "accurate")
      return fail(invalid(name, "expected none, estimate or accurate"));
    search.total_wanted = value != "none";
    return true;
  }
  return false;
}

}  // namespace

Answer<ParsedSearch> parse_search(std::string_view type,
                                  const std::vector<std::pair<std::string, std::string>>& pairs,
                                  SearchMode mode, std::string_view own_base) {
  const TypeParameters* parameters = type_parameters(type);
  if (!parameters) return fail(ErrorCode::fhir_unknown_path, "unknown resource type");
  if (pairs.size() > base::limits::kSearchParametersMax)
    return fail(ErrorCode::fhir_search_invalid,
                "more than " + std::to_string(base::limits::kSearchParametersMax) + " parameters");
  ParsedSearch search;
  search.query.type = parameters->type();
  search.query.count = base::limits::kSearchCountDefault;
  for (const auto& [name, value] : pairs) {
    if (value.empty()) continue;  // Q2: an empty value is ignored
    const Parameter* parameter = parameters->find(std::string_view(name).substr(0, name.find(':')));
    if (parameter) {
      TRY(SearchClause clause, parse_clause(*parameter, name, value, own_base));
      if (clause.modifier != Modifier::missing && clause.values.empty()) continue;
      search.query.clauses.push_back(std::move(clause));
      search.self.emplace_back(name, value);
      continue;
    }
    bool used = false;
    if (mode != SearchMode::conditional) {
      TRY(used, parse_result_parameter(search, name, value));
    }
    if (used) {
      search.self.emplace_back(name, value);
      continue;
    }
    const std::string text = "parameter '" + name + "' is not supported for " + search.query.type;
    if (mode != SearchMode::lenient) return fail(ErrorCode::fhir_search_unknown, text);
    search.warnings.push_back({IssueSeverity::warning, "not-supported", text + " and was ignored", {}, {}});
  }
  if (mode == SearchMode::conditional && search.query.clauses.empty())
    return fail(ErrorCode::fhir_search_invalid, "the criteria have no search parameter with a value");
  return search;
}

Answer<SearchQuery> parse_criteria(std::string_view type, std::string_view query, std::string_view own_base) {
  TRY(ParsedSearch search, parse_search(type, base::parse_query(query), SearchMode::conditional, own_base));
  return std::move(search.query);
}

}  // namespace kiln::fhir
