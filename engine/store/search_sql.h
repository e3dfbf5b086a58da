#pragma once
// From a SearchQuery to SQL. Values are only ever bound; the text depends on nothing but the shape of the
// query, so that prepared statements are found again.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/base/sql/sqlite.h"
#include "engine/store/dictionary.h"
#include "fhir/search/query.h"

namespace kiln::engine {

/// SQL text with '?' and what is bound to each, in order.
struct SqlText {
  std::string sql;
  std::vector<std::variant<std::int64_t, std::string>> values;

  SqlText& add(std::string_view text) {
    sql += text;
    return *this;
  }
  SqlText& value(std::int64_t number) {
    values.emplace_back(number);
    return *this;
  }
  SqlText& value(std::string text) {
    values.emplace_back(std::move(text));
    return *this;
  }
  SqlText& add(const SqlText& other) {
    sql += other.sql;
    values.insert(values.end(), other.values.begin(), other.values.end());
    return *this;
  }
  /// The values must outlive the run of the statement.
  void bind_to(base::Statement& statement) const;
};

/// Bounds of meta.lastUpdated as positions in the version sequence: [from, to).
struct SeqRange {
  std::int64_t from, to;
};

/// Builds the parts of a search over one type.
class SearchSql {
 public:
  /// `params`: numbers by Parameter::ordinal.
  SearchSql(Dictionary& dictionary, std::int64_t type, const std::vector<std::int64_t>& params)
      : dictionary_(dictionary), type_(type), params_(params) {}

  /// "SELECT rid FROM …" of the resources that have a row as the clause wants (of :not and :missing=true: of
  /// those that must not be hits). `seq_ranges`: of a _lastUpdated clause, per value.
  base::Result<SqlText> rows_of(const fhir::SearchClause& clause, const std::vector<SeqRange>& seq_ranges);
  /// A condition on `r.rid` that says the same by one probe per row; empty when the clause has no such form.
  base::Result<SqlText> probe_of(const fhir::SearchClause& clause);
  /// The rows of the clause are to be kept out.
  static bool is_negative(const fhir::SearchClause& clause) {
    return clause.modifier == fhir::Modifier::not_ ||
           (clause.modifier == fhir::Modifier::missing && clause.missing);
  }

 private:
  base::Result<SqlText> rows_of_value(const fhir::SearchClause& clause, const fhir::SearchValue& value);
  base::Result<SqlText> token_rows(std::int64_t param, const fhir::SearchValue& value);
  base::Result<SqlText> reference_rows(std::int64_t param, const fhir::SearchValue& value);
  base::Result<SqlText> quantity_rows(std::int64_t param, const fhir::SearchValue& value);
  SqlText any_rows(const fhir::Parameter& parameter);
  std::int64_t param(const fhir::Parameter& parameter) const { return params_[parameter.ordinal]; }

  Dictionary& dictionary_;
  std::int64_t type_;
  const std::vector<std::int64_t>& params_;
};

/// "text" as the bounds of a range of texts that begin with it: [text, text with its last character raised).
std::string prefix_end(std::string_view text);

}  // namespace kiln::engine
