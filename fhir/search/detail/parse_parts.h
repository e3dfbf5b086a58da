#pragma once
// The parts of the search parser. Private to fhir/search.

#include <string>
#include <string_view>
#include <vector>

#include "fhir/search/query.h"

namespace kiln::fhir::detail {

/// What all parts of one search share.
struct ParseContext {
  std::string_view own_base;
  const Terminology* terminology = nullptr;  ///< null: what is shipped
};

/// fhir_search_invalid that names the parameter, never its value.
base::Error invalid_parameter(std::string_view name, std::string text);

/// Splits at unescaped separators; the parts keep their escapes (fhir.md Q9).
std::vector<std::string_view> split_escaped(std::string_view text, char separator);
std::string unescape(std::string_view text);

/// One alternative of a clause whose parameter, name and modifier are set.
Answer<SearchValue> parse_value(const SearchClause& clause, std::string_view modifier_type,
                                std::string_view text, std::string_view own_base);

/// "name", "name:modifier", a chain or a _has, as far as the name says a parameter of the type. nullopt: it
/// does not.
Answer<std::optional<SearchClause>> parse_clause(const TypeParameters& type, std::string_view name,
                                                 std::string_view value, const ParseContext& context,
                                                 std::size_t depth);

/// The codes of :in, :not-in, :below and :above. fhir_search_invalid when they cannot be told.
Answer<std::vector<SearchValue>> parse_code_set(const SearchClause& clause, std::string_view text,
                                                const ParseContext& context);

/// _count, _sort, _summary, … False: not a result parameter that is supported.
Answer<bool> parse_result_parameter(ParsedSearch& search, const TypeParameters& type, std::string_view name,
                                    std::string_view value);

}  // namespace kiln::fhir::detail
