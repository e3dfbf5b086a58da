#include "engine/store/index_writer.h"

#include <variant>
#include <vector>

namespace kiln::engine {
namespace {

using base::Database;
using base::Result;
using base::Statement;
using base::Status;

/// Calls `only_before` and `only_after` for the rows that differ. Both lists are sorted.
template <class Row, class Before, class After>
Status differ(const std::vector<Row>& before, const std::vector<Row>& after, Before only_before,
              After only_after) {
  auto a = before.begin();
  auto b = after.begin();
  while (a != before.end() || b != after.end()) {
    if (b == after.end() || (a != before.end() && *a < *b)) {
      TRY_VOID(only_before(*a++));
    } else if (a == before.end() || *b < *a) {
      TRY_VOID(only_after(*b++));
    } else {
      ++a;
      ++b;
    }
  }
  return {};
}

/// Everything a row needs to be bound.
struct Target {
  Dictionary& dictionary;
  const std::vector<std::int64_t>& params;
  std::int64_t rid;
  std::size_t first_composite;  ///< in params
};

Status bind(Statement& statement, const fhir::TokenRow& row, Target& target) {
  TRY(const std::int64_t system, target.dictionary.word(row.system));
  statement.bind(1, target.params[row.parameter]).bind(2, row.code).bind(3, target.rid).bind(4, system);
  return {};
}
Status bind(Statement& statement, const fhir::StringRow& row, Target& target) {
  statement.bind(1, target.params[row.parameter]).bind(2, row.folded).bind(3, target.rid).bind(4, row.exact);
  return {};
}
Status bind(Statement& statement, const fhir::DateRow& row, Target& target) {
  statement.bind(1, target.params[row.parameter]).bind(2, row.low).bind(3, row.high).bind(4, target.rid);
  return {};
}
Status bind(Statement& statement, const fhir::ReferenceRow& row, Target& target) {
  std::int64_t type = 0;
  if (!row.target_type.empty()) {
    TRY(type, target.dictionary.type(row.target_type));
  }
  statement.bind(1, target.params[row.parameter]).bind(2, row.target_id).bind(3, type).bind(4, target.rid);
  return {};
}
Status bind(Statement& statement, const fhir::UriRow& row, Target& target) {
  statement.bind(1, target.params[row.parameter]).bind(2, row.uri).bind(3, target.rid);
  return {};
}
Status bind(Statement& statement, const fhir::QuantityRow& row, Target& target) {
  TRY(const std::int64_t system, target.dictionary.word(row.system));
  statement.bind(1, target.params[row.parameter]).bind(2, row.low).bind(3, row.high).bind(4, target.rid);
  statement.bind(5, system).bind(6, row.code);
  return {};
}

/// The four columns of one component from `column` on.
class ComponentBinder {
 public:
  ComponentBinder(Statement& statement, int column, Dictionary& dictionary)
      : statement_(statement), column_(column), dictionary_(dictionary) {}

  Status operator()(const fhir::TokenRow& row) {
    TRY(const std::int64_t system, dictionary_.word(row.system));
    text(row.code).number(system).number(0).number(0);
    return {};
  }
  Status operator()(const fhir::StringRow& row) {
    text(row.folded).text(row.exact).number(0).number(0);
    return {};
  }
  Status operator()(const fhir::DateRow& row) {
    number(row.low).number(row.high).number(0).number(0);
    return {};
  }
  Status operator()(const fhir::ReferenceRow& row) {
    std::int64_t type = 0;
    if (!row.target_type.empty()) {
      TRY(type, dictionary_.type(row.target_type));
    }
    text(row.target_id).number(type).number(0).number(0);
    return {};
  }
  Status operator()(const fhir::UriRow& row) {
    text(row.uri).number(0).number(0).number(0);
    return {};
  }
  Status operator()(const fhir::QuantityRow& row) {
    TRY(const std::int64_t system, dictionary_.word(row.system));
    text(row.low).text(row.high).number(system).text(row.code);
    return {};
  }
  void nothing() { number(0).number(0).number(0).number(0); }

 private:
  ComponentBinder& text(std::string_view value) {
    statement_.bind(column_++, value);
    return *this;
  }
  ComponentBinder& number(std::int64_t value) {
    statement_.bind(column_++, value);
    return *this;
  }
  Statement& statement_;
  int column_;
  Dictionary& dictionary_;
};

constexpr int kComponentsMax = 3;

Status bind(Statement& statement, const fhir::CompositeRow& row, Target& target) {
  statement.bind(1, target.params[target.first_composite + row.parameter]).bind(2, target.rid);
  for (int i = 0; i < kComponentsMax; ++i) {
    ComponentBinder binder(statement, 3 + 4 * i, target.dictionary);
    if (static_cast<std::size_t>(i) < row.values.size()) {
      TRY_VOID(std::visit(binder, row.values[static_cast<std::size_t>(i)]));
    } else {
      binder.nothing();
    }
  }
  return {};
}

template <class Row>
Status replace_rows(Database& database, const std::vector<Row>& before, const std::vector<Row>& after,
                    Target& target, std::string_view insert, std::string_view remove) {
  if (before.empty() && after.empty()) return {};
  TRY(Statement inserting, database.cached(insert));
  Statement removing;
  if (!before.empty()) {
    TRY(removing, database.cached(remove));
  }
  const auto run = [&](Statement& statement, const Row& row) -> Status {
    TRY_VOID(bind(statement, row, target));
    return statement.run();
  };
  return differ(
      before, after, [&](const Row& row) { return run(removing, row); },
      [&](const Row& row) { return run(inserting, row); });
}

}  // namespace

Status IndexWriter::replace(const fhir::TypeParameters& type, std::int64_t rid, const fhir::IndexRows& before,
                            const fhir::IndexRows& after) {
  TRY(const auto* params, dictionary_->parameters(type));
  Target target{*dictionary_, *params, rid, type.all().size()};
  TRY_VOID(replace_rows(*database_, before.tokens, after.tokens, target,
                        "INSERT OR IGNORE INTO ix_token VALUES(?,?,?,?)",
                        "DELETE FROM ix_token WHERE param=? AND code=? AND rid=? AND system=?"));
  TRY_VOID(replace_rows(*database_, before.strings, after.strings, target,
                        "INSERT OR IGNORE INTO ix_string VALUES(?,?,?,?)",
                        "DELETE FROM ix_string WHERE param=? AND folded=? AND rid=? AND exact=?"));
  TRY_VOID(replace_rows(*database_, before.dates, after.dates, target,
                        "INSERT OR IGNORE INTO ix_date VALUES(?,?,?,?)",
                        "DELETE FROM ix_date WHERE param=? AND low_us=? AND high_us=? AND rid=?"));
  TRY_VOID(
      replace_rows(*database_, before.references, after.references, target,
                   "INSERT OR IGNORE INTO ix_reference VALUES(?,?,?,?)",
                   "DELETE FROM ix_reference WHERE param=? AND target_id=? AND target_type=? AND rid=?"));
  TRY_VOID(replace_rows(*database_, before.uris, after.uris, target,
                        "INSERT OR IGNORE INTO ix_uri VALUES(?,?,?)",
                        "DELETE FROM ix_uri WHERE param=? AND uri=? AND rid=?"));
  TRY_VOID(replace_rows(*database_, before.composites, after.composites, target,
                        "INSERT OR IGNORE INTO ix_composite(param,rid,a1,a2,a3,a4,b1,b2,b3,b4,c1,c2,c3,c4)"
                        " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                        "DELETE FROM ix_composite WHERE param=? AND rid=? AND a1=? AND a2=? AND a3=? AND a4=?"
                        " AND b1=? AND b2=? AND b3=? AND b4=? AND c1=? AND c2=? AND c3=? AND c4=?"));
  return replace_rows(
      *database_, before.quantities, after.quantities, target,
      "INSERT OR IGNORE INTO ix_quantity VALUES(?,?,?,?,?,?)",
      "DELETE FROM ix_quantity WHERE param=? AND low=? AND high=? AND rid=? AND system=? AND code=?");
}

Status IndexWriter::clear_all() {
  return database_->exec(
      "DELETE FROM ix_token; DELETE FROM ix_string; DELETE FROM ix_date; DELETE FROM ix_reference;"
      " DELETE FROM ix_uri; DELETE FROM ix_quantity; DELETE FROM ix_composite;");
}

}  // namespace kiln::engine
