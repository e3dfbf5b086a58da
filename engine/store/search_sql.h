#pragma once
// From a SearchQuery to SQL. Values are only ever bound; the text depends on nothing but the shape of the
// query, so that prepared statements are found again.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/store/dictionary.h"
#include "engine/store/search_conditions.h"
#include "engine/store/sql_text.h"
#include "fhir/search/query.h"

namespace kiln::engine {

/// A rid is the number of its type and a counter, so that the resources of a type lie together and in order
/// of creation.
inline constexpr int kRidTypeShift = 40;
inline std::int64_t first_rid(std::int64_t type) {
  return type << kRidTypeShift;
}

/// Bounds of meta.lastUpdated as positions in the version sequence: [from, to).
struct SeqRange {
  std::int64_t from, to;
};

/// Builds the parts of a search over one type.
class SearchSql {
 public:
  static base::Result<SearchSql> of_type(Dictionary& dictionary, std::string_view type);

  std::int64_t type() const { return type_; }
  /// Number of the parameter of a clause about a value.
  std::int64_t param_of(const fhir::SearchClause& clause) const { return param(*clause.parameter); }
  std::int64_t param_of(const fhir::Parameter& parameter) const { return param(parameter); }
  /// "SELECT rid FROM …" of the resources that have a row as the clause wants (of a negative clause: of those
  /// that must not be hits). `seq_ranges`: of a _lastUpdated clause, per value.
  base::Result<SqlText> rows_of(const fhir::SearchClause& clause,
                                const std::vector<SeqRange>& seq_ranges = {});
  /// A condition on the row of `resource` named `alias` that says the same by a few probes per row; empty
  /// when the clause has no such form. Not negated for negative clauses.
  base::Result<SqlText> probe_of(const fhir::SearchClause& clause, std::string_view alias);
  /// The probe needs nothing of the row but its rid.
  static bool probes_rid_alone(const fhir::SearchClause& clause);
  /// rows_of() lie in order of rid in an index, and there is a probe.
  static bool is_in_order(const fhir::SearchClause& clause);
  /// The rows of the clause are to be kept out.
  static bool is_negative(const fhir::SearchClause& clause) {
    return clause.modifier == fhir::Modifier::not_ || clause.modifier == fhir::Modifier::not_in ||
           (clause.modifier == fhir::Modifier::missing && clause.missing);
  }

 private:
  SearchSql(Dictionary& dictionary, const fhir::TypeParameters& parameters, std::int64_t type,
            std::vector<std::int64_t> params)
      : dictionary_(&dictionary), parameters_(&parameters), type_(type), params_(std::move(params)) {}

  base::Result<SqlText> rows_of_value(const fhir::SearchClause& clause, const fhir::SearchValue& value);
  base::Result<SqlText> composite_rows(const fhir::SearchClause& clause);
  base::Result<SqlText> code_rows(const fhir::SearchClause& clause);
  base::Result<SqlText> chain_rows(const fhir::SearchClause& clause);
  base::Result<SqlText> has_rows(const fhir::SearchClause& clause);
  base::Result<SqlText> any_of_rows(const fhir::SearchClause& clause);
  base::Result<SqlText> chain_probe(const fhir::SearchClause& clause, std::string_view alias);
  base::Result<SqlText> has_probe(const fhir::SearchClause& clause, std::string_view alias);
  base::Result<SqlText> value_probe(const fhir::SearchClause& clause, std::string_view alias);
  /// "SELECT rid …" of the live resources of this type that meet every clause.
  base::Result<SqlText> live_rows(const std::vector<fhir::SearchClause>& clauses);
  /// " AND …" on `alias`: every clause, by probes where there are some.
  base::Result<SqlText> conditions(const std::vector<fhir::SearchClause>& clauses, std::string_view alias);
  SqlText any_rows(const fhir::Parameter& parameter);
  std::int64_t param(const fhir::Parameter& parameter) const { return params_[parameter.ordinal]; }
  std::int64_t param(const fhir::CompositeParameter& parameter) const {
    return params_[parameters_->all().size() + parameter.ordinal];
  }

  Dictionary* dictionary_;
  const fhir::TypeParameters* parameters_;
  std::int64_t type_;
  std::vector<std::int64_t> params_;
};

}  // namespace kiln::engine
