#pragma once
// A search as a value: parsed and checked, independent of SQL (fhir.md §11).

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fhir/outcome.h"
#include "fhir/search/parameters.h"
#include "fhir/search/subset.h"

namespace kiln::fhir {

class Terminology;

enum class Modifier : std::uint8_t {
  none,
  exact,
  contains,
  not_,
  missing,
  identifier,
  below,
  above,
  text,
  of_type,
  in,
  not_in,
};
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

struct SearchLink;

/// One condition: any of its values, links or alternatives (or, with :missing, none at all).
struct SearchClause {
  enum class Kind : std::uint8_t {
    value,      ///< `parameter` has one of `values`
    composite,  ///< `composite` has one of `tuples` in one element
    chain,      ///< the reference `parameter` leads to a resource that meets one of `links`
    has,        ///< a resource of links[0].type that meets it refers here by `parameter` (of that type)
    any,        ///< one of `any` holds
  };
  Kind kind = Kind::value;
  const Parameter* parameter = nullptr;
  const CompositeParameter* composite = nullptr;
  Modifier modifier = Modifier::none;
  std::string name;      ///< as written, with modifier
  std::string raw;       ///< decoded value, for `self`
  bool missing = false;  ///< of :missing
  std::vector<SearchValue> values;
  std::vector<std::vector<SearchValue>> tuples;  ///< a value for each component
  std::vector<SearchLink> links;
  std::vector<SearchClause> any;
};

/// Where a chain goes on: a type, and the clause about it.
struct SearchLink {
  std::string type;
  std::vector<SearchClause> clauses;  ///< all must hold
};

enum class SortKey : std::uint8_t { rid, last_updated };

/// One key of a _sort that is not answered from the order of the store.
struct SortTerm {
  const Parameter* parameter = nullptr;
  bool descending = false;
};

struct SearchQuery {
  std::string type;
  std::vector<SearchClause> clauses;  ///< all must hold
  SortKey sort = SortKey::rid;  ///< last_updated: _sort=_lastUpdated
  bool descending = false;      ///< of `sort`
  /// By values: then `sort` does not count. A resource with several values of a key counts by the one that comes first in
  /// that order (a period by its start), one without comes last; equal ones come in the order in which they were made,
  /// reversed when the last key descends.
  std::vector<SortTerm> order;
  std::size_t count = 0;              ///< page size
  std::size_t bytes_max = 0;          ///< of the bodies of a page, which holds one in any case; 0: no limit
  bool count_only = false;            ///< _summary=count or _count=0
  /// Sort key of the last row of the page before; with `order` its seq: its values in that version count, whatever has
  /// become of it since.
  std::optional<std::int64_t> after;
  std::int64_t up_to_seq =
      0;  ///< of a later page: rows changed after the first page are left out; 0: no bound
};

/// One _include or _revinclude.
struct Include {
  bool reverse = false;                  ///< _revinclude
  bool iterate = false;                  ///< also follows what was included
  std::string source;                    ///< the type that holds the reference; empty: any (`*`)
  const Parameter* parameter = nullptr;  ///< nullptr: every reference
  std::string target;                    ///< only references to that type; empty: all
};

enum class Total : std::uint8_t { unless_costly, none, estimate, accurate };

struct ParsedSearch {
  SearchQuery query;
  std::vector<Include> includes;
  Subset subset;
  std::vector<std::pair<std::string, std::string>> self;  ///< the parameters used, decoded
  std::vector<Issue> warnings;                            ///< parameters that were ignored
  Total total = Total::unless_costly;
};

enum class SearchMode : std::uint8_t {
  strict,       ///< an unknown parameter is an error
  lenient,      ///< an unknown parameter is ignored and reported
  conditional,  ///< criteria: strict, no result parameters, and at least one effective criterion
};

/// Parses decoded pairs. `terminology` (may be null: what is shipped) expands the value sets of :in, :not-in,
/// :below and :above of tokens. Failures: search_invalid (bad value, modifier), search_unknown,
/// criteria_empty.
Answer<ParsedSearch> parse_search(std::string_view type,
                                  const std::vector<std::pair<std::string, std::string>>& pairs,
                                  SearchMode mode, std::string_view own_base,
                                  const Terminology* terminology = nullptr);
/// Criteria text of If-None-Exist, entry.request.url or a conditional reference ("identifier=s|v"), still
/// encoded.
Answer<SearchQuery> parse_criteria(std::string_view type, std::string_view query, std::string_view own_base);

/// A clause of a compartment: `type` belongs to compartment `code` (Patient, …) of that id. fhir_unknown_path
/// when the type is not in it.
Answer<SearchClause> compartment_clause(std::string_view code, std::string_view id, std::string_view type);

/// How a token of an identifier with its type is kept, for :of-type. It begins with a character that no code
/// has.
std::string of_type_code(std::string_view type_system, std::string_view type_code, std::string_view value);

/// Answers about other resources, for chains in memory.
using LinkTest = std::function<bool(const SearchClause& clause)>;

/// The same question asked in memory: would a resource with these rows be a hit? `_id` is compared with `id`;
/// `_lastUpdated` never matches here. Chains and _has are asked of `links`; without it they never match.
bool matches(const SearchQuery& query, const IndexRows& rows, std::string_view id,
             const LinkTest& links = {});

}  // namespace kiln::fhir
