#include "fhir/detail/new_content.h"

#include <algorithm>

namespace kiln::fhir::detail {
namespace {

std::string key_of(std::uint16_t ordinal, std::string_view code) {
  return std::to_string(ordinal) + " " + std::string(code);
}

/// The codes, one of which a hit must have; a clause of another kind says nothing about codes.
bool names_codes(const SearchClause& clause) {
  return clause.kind == SearchClause::Kind::value && clause.modifier == Modifier::none &&
         clause.parameter->kind == ParameterKind::token && !clause.values.empty() &&
         std::all_of(clause.values.begin(), clause.values.end(),
                     [](const SearchValue& value) { return value.form != TokenForm::system; });
}

}  // namespace

void NewContent::add(std::size_t entry, std::string_view type, const IndexRows& rows) {
  OfType& of_type = types_[std::string(type)];
  of_type.all.push_back(entry);
  for (const TokenRow& row : rows.tokens) {
    std::vector<std::size_t>& entries = of_type.by_code[key_of(row.parameter, row.code)];
    if (entries.empty() || entries.back() != entry) entries.push_back(entry);
  }
}

std::vector<std::size_t> NewContent::candidates(const SearchQuery& query) const {
  const auto type = types_.find(query.type);
  if (type == types_.end()) return {};
  const auto clause = std::find_if(query.clauses.begin(), query.clauses.end(), names_codes);
  if (clause == query.clauses.end()) return type->second.all;
  std::vector<std::size_t> entries;
  for (const SearchValue& value : clause->values) {
    const auto found = type->second.by_code.find(key_of(clause->parameter->ordinal, value.code));
    if (found != type->second.by_code.end())
      entries.insert(entries.end(), found->second.begin(), found->second.end());
  }
  std::sort(entries.begin(), entries.end());
  entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
  return entries;
}

}  // namespace kiln::fhir::detail
