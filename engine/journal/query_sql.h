#pragma once
// A query as conditions on the tables of one journal file. Every value is bound, none is part of the text.

#include <string>
#include <vector>

#include "engine/base/sql/sqlite.h"
#include "engine/journal/file_keys.h"
#include "engine/journal/query.h"

namespace kiln::engine {

/// What the file has that a query can use.
struct QueryTables {
  bool same_id = false;
  const FileKeys* keys = nullptr;  ///< of a file with sealed messages
};

/// SQL over `msg m` with the parameters ?1 and ?2 for the first and last number that is looked at; needs kQueryTables before the
/// SELECT.
class QuerySql {
 public:
  QuerySql(const Query& query, const QueryTables& tables);

  /// True for every message for which the query holds. For others too when it has terms about content, which no column can
  /// tell: these are taken to hold.
  const std::string& where() const { return where_; }
  /// One column for each term that is not about content, in the order in which holds() meets them; empty when the query has no
  /// content, since where() is then the whole truth.
  const std::string& columns() const { return columns_; }
  std::size_t column_count() const { return column_count_; }
  /// Looks only at few messages wherever they are: ranges may be long.
  bool is_selective() const { return selective_; }
  void bind(base::Statement& statement) const;

 private:
  std::string node(const QueryNode& node, bool columns);
  std::string term(const QueryTerm& term);
  std::string condition(const QueryTerm& term);
  std::string text(std::string value);
  std::string integer(std::int64_t value);

  QueryTables tables_;
  std::string where_, columns_;
  std::size_t column_count_ = 0;
  bool selective_ = false;
  struct Value {
    bool is_text = false;
    std::string text;
    std::int64_t integer = 0;
  };
  std::vector<Value> values_;  ///< of the parameters from ?3 on
};

/// The destinations that something waits for: the outbox is keyed by them first.
inline constexpr const char* kQueryTables =
    "WITH RECURSIVE dests(dest) AS (SELECT min(dest) FROM outbox UNION ALL"
    " SELECT (SELECT min(dest) FROM outbox WHERE dest>dests.dest) FROM dests WHERE dest IS NOT NULL) ";

}  // namespace kiln::engine
