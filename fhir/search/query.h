#pragma once
// A search as a value: parsed and checked, independent of SQL (fhir.md §11).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fhir/outcome.h"
#include "fhir/search/parameters.h"

namespace kiln::fhir {

enum class Modifier : std::uint8_t { none, exact, contains, not_, missing, identifier, below, above };
enum class Prefix : std::uint8_t { eq, ne, gt, lt, ge, le, sa, eb, ap };
enum class TokenForm : std::uint8_t { code, system_code, code_without_system, system };

/// One alternative (the parts between commas). Which members count depends on the parameter's kind.
struct SearchValue {
  Prefix prefix = Prefix::eq;
  TokenForm form = TokenForm::code;
  std::string system, code;        ///< token, quantity
  std::string text;                ///< id, string, uri: as given
  std::string folded;              ///< string
  std::int64_t low = 0, high = 0;  ///< date: UTC microseconds, both inclusive
  std::string target_type,
      target_id;        ///< reference; target_type may be empty (any type), or both hold a URL in text
  bool is_url = false;  ///< reference: `text` is a whole URL
  std::string number_low, number_high;  ///< number, quantity: implied interval
  std::string number;                   ///< the exact value
};

/// One parameter: any of `values` (or, with :missing, none at all).
struct SearchClause {
  const Parameter* parameter = nullptr;
  Modifier modifier = Modifier::none;
  std::string name;      ///< as written, with modifier
  std::string raw;       ///< decoded value, for `self`
  bool missing = false;  ///< of :missing
  std::vector<SearchValue> values;
};

enum class SortKey : std::uint8_t { rid, last_updated };

struct SearchQuery {
  std::string type;
  std::vector<SearchClause> clauses;  ///< all must hold
  SortKey sort = SortKey::rid;  ///< _sort=_lastUpdated; _id sorts like creation (server ids are time-ordered)
  bool descending = false;
  std::size_t count = 0;              ///< page size
  bool count_only = false;            ///< _summary=count or _count=0
  std::optional<std::int64_t> after;  ///< sort key of the last row of the page before
  std::int64_t up_to_seq =
      0;  ///< of a later page: rows changed after the first page are left out; 0: no bound
};

struct ParsedSearch {
  SearchQuery query;
  std::vector<std::pair<std::string, std::string>> self;  ///< the parameters used, decoded
  std::vector<Issue> warnings;                            ///< parameters that were ignored
  bool total_wanted = true;                               ///< _total
};

enum class SearchMode : std::uint8_t {
  strict,       ///< an unknown parameter is an error
  lenient,      ///< an unknown parameter is ignored and reported
  conditional,  ///< criteria: strict, no result parameters, and at least one effective criterion
};

/// Parses decoded pairs. Failures: search_invalid (bad value, modifier), search_unknown, criteria_empty.
Answer<ParsedSearch> parse_search(std::string_view type,
                                  const std::vector<std::pair<std::string, std::string>>& pairs,
                                  SearchMode mode, std::string_view own_base);
/// Criteria text of If-None-Exist, entry.request.url or a conditional reference ("identifier=s|v"), still
/// encoded.
Answer<SearchQuery> parse_criteria(std::string_view type, std::string_view query, std::string_view own_base);

/// The same question asked in memory: would a resource with these rows be a hit? `_id` is compared with `id`;
/// `_lastUpdated` never matches here.
bool matches(const SearchQuery& query, const IndexRows& rows, std::string_view id);

}  // namespace kiln::fhir
