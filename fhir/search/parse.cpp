#include <algorithm>

#include "engine/base/http_message.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "fhir/search/detail/parse_parts.h"
#include "fhir/search/query.h"

namespace kiln::fhir {

using base::ErrorCode;
using base::fail;

namespace {

/// What a search costs to prepare: every value and link, however deep.
std::size_t parts_of(const std::vector<SearchClause>& clauses) {
  std::size_t parts = 0;
  for (const SearchClause& clause : clauses) {
    // The codes of a value set go over as one text.
    const bool is_token = clause.parameter && clause.parameter->kind == ParameterKind::token;
    const bool one_text = clause.modifier == Modifier::in || clause.modifier == Modifier::not_in ||
                          (is_token && (clause.modifier == Modifier::below || clause.modifier == Modifier::above));
    parts += 1 + (one_text ? 1 : clause.values.size()) + clause.tuples.size() + parts_of(clause.any);
    for (const SearchLink& link : clause.links) parts += 1 + parts_of(link.clauses);
  }
  return parts;
}

}  // namespace

Answer<ParsedSearch> parse_search(std::string_view type,
                                  const std::vector<std::pair<std::string, std::string>>& pairs,
                                  SearchMode mode, std::string_view own_base,
                                  const Terminology* terminology) {
  const TypeParameters* parameters = type_parameters(type);
  if (!parameters) return fail(ErrorCode::fhir_unknown_path, "unknown resource type");
  if (pairs.size() > base::limits::kSearchParametersMax)
    return fail(ErrorCode::fhir_search_invalid,
                "more than " + std::to_string(base::limits::kSearchParametersMax) + " parameters");
  const detail::ParseContext context{own_base, terminology};
  ParsedSearch search;
  search.query.type = parameters->type();
  search.query.count = base::limits::kSearchCountDefault;
  for (const auto& [name, value] : pairs) {
    if (!base::is_valid_utf8(name) || !base::is_valid_utf8(value))
      return fail(ErrorCode::fhir_search_invalid, "a parameter is not UTF-8");
    if (value.empty()) continue;  // Q2: an empty value is ignored
    TRY(auto clause, detail::parse_clause(*parameters, name, value, context, 0));
    if (clause) {
      const bool says_something = clause->modifier == Modifier::missing || !clause->values.empty() ||
                                  !clause->tuples.empty() || !clause->links.empty() ||
                                  clause->modifier == Modifier::in || clause->modifier == Modifier::not_in;
      if (!says_something) continue;
      search.query.clauses.push_back(std::move(*clause));
      search.self.emplace_back(name, value);
      continue;
    }
    bool used = false;
    if (mode != SearchMode::conditional) {
      TRY(used, detail::parse_result_parameter(search, *parameters, name, value));
    }
    if (used) {
      search.self.emplace_back(name, value);
      continue;
    }
    const bool pending = parameters->find_pending(std::string_view(name).substr(0, name.find_first_of(":."))) != nullptr;
    const std::string text = "parameter '" + name + "' " +
                             (pending ? "is still being indexed" : "is not supported for " + search.query.type);
    if (mode != SearchMode::lenient)
      return fail(pending ? ErrorCode::fhir_reindexing : ErrorCode::fhir_search_unknown, text);
    search.warnings.push_back({IssueSeverity::warning, "not-supported", text + " and was ignored", {}, {}});
  }
  if (parts_of(search.query.clauses) > base::limits::kSearchPartsMax)
    return fail(ErrorCode::fhir_search_invalid,
                "more than " + std::to_string(base::limits::kSearchPartsMax) + " values in all");
  if (mode == SearchMode::conditional && search.query.clauses.empty())
    return fail(ErrorCode::fhir_search_invalid, "the criteria have no search parameter with a value");
  return search;
}

Answer<SearchQuery> parse_criteria(std::string_view type, std::string_view query, std::string_view own_base) {
  TRY(ParsedSearch search, parse_search(type, base::parse_query(query), SearchMode::conditional, own_base));
  return std::move(search.query);
}

Answer<SearchClause> compartment_clause(std::string_view code, std::string_view id, std::string_view type) {
  const Compartment* found = compartment(code);
  const TypeParameters* parameters = type_parameters(type);
  if (!found || !parameters) return fail(ErrorCode::fhir_unknown_path, "there is no such compartment");
  const auto members = found->members();
  const auto member = std::find_if(members.begin(), members.end(),
                                   [&](const CompartmentMember& one) { return one.type().name() == type; });
  SearchClause clause;
  clause.kind = SearchClause::Kind::any;
  const std::string target = std::string(code) + "/" + std::string(id);
  for (std::size_t i = 0; member != members.end() && i < member->parameter_count(); ++i) {
    const bool self = member->parameter(i) == "{def}";
    const Parameter* parameter = parameters->find(self ? "_id" : member->parameter(i));
    if (!parameter) continue;
    SearchClause one;
    one.parameter = parameter;
    one.name = parameter->code;
    SearchValue value;
    value.text = self ? std::string(id) : target;
    value.target_type = code;
    value.target_id = id;
    one.values.push_back(std::move(value));
    clause.any.push_back(std::move(one));
  }
  if (clause.any.empty())
    return fail(ErrorCode::fhir_unknown_path, "resources of this type are in no such compartment");
  return clause;
}

}  // namespace kiln::fhir
