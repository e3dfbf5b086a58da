#pragma once
// What a search is sorted by: the columns of the index that lie in that order, and the same values of one resource.
// Private to the store.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/store/dictionary.h"
#include "engine/store/search_sql.h"
#include "engine/store/sql_text.h"
#include "fhir/store.h"

namespace kiln::engine {

/// The columns of the row that counts, in the order of the index; empty: the resource has no value.
using SortValue = std::vector<std::variant<std::int64_t, std::string>>;

/// Where a resource stands in a sorted search: a value for each key, then its rid.
struct SortPlace {
  std::vector<SortValue> values;
  std::int64_t rid = 0;
};

/// One key of _sort. Its table has a row for each value, named `k` in the texts below, which begins with `owner` in the
/// column `fixed`, goes on with `columns` and then with the rid.
struct SortLevel {
  const fhir::Parameter* parameter = nullptr;
  bool descending = false;
  std::string_view table, fixed;
  std::int64_t owner = 0;
  std::vector<std::string_view> columns;
  /// A row that is not a value to sort by lies below this; empty: all are.
  std::string_view lowest;
  /// Every resource has exactly one value, and no two the same: _id, _lastUpdated.
  bool unique = false;

  bool is_text(int column) const;
  /// "k.low_us, k.high_us"
  std::string column_list() const;
  /// " FROM ix_date k WHERE k.param=?"; `bounded`: without the rows below `lowest`.
  SqlText rows(bool bounded) const;
  /// " ORDER BY …" by the columns and, when there may be several rows with the same, the rid.
  std::string order_by(bool with_rid) const;
  /// " AND …": rows with this value.
  SqlText equal(const SortValue& value, std::string_view alias) const;
  /// " AND …": rows behind the value (`inclusive`: or with it), and of the same value behind `rid`, when it is given.
  SqlText behind(const SortValue& value, bool inclusive, const std::int64_t* rid) const;
};

/// All keys of a search; lives as long as its question. Resources with the same values come in the order in which they
/// were made, those without a value last whichever way the key is sorted.
class SortOrder {
 public:
  static base::Result<SortOrder> of(const fhir::SearchQuery& query, const SearchSql& builder, Dictionary& dictionary,
                                    std::string_view own_base);

  const std::vector<SortLevel>& levels() const { return levels_; }
  /// Of several values of a key the one that comes first counts.
  base::Result<std::vector<SortValue>> values_of(const fhir::StoredVersion& version) const;
  bool before(const SortPlace& a, const SortPlace& b) const;
  /// In the order of the last key.
  bool rids_descend() const { return levels_.back().descending; }

 private:
  base::Result<std::vector<SortValue>> all_values(const SortLevel& level, const fhir::IndexRows& rows) const;

  std::vector<SortLevel> levels_;
  std::vector<std::string_view> members_;  ///< of a resource, that hold the values
  bool whole_ = false;                     ///< it takes the whole resource
  bool needs_body_ = false;
  Dictionary* dictionary_ = nullptr;
  std::string own_base_;
};

}  // namespace kiln::engine
