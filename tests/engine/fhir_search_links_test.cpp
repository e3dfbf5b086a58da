// Chains, _has and composites: SQL against a naive evaluation on generated resources and queries; and the
// plan of every shape of a search.

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "engine/base/sql/sqlite.h"
#include "engine/store/search_sql.h"
#include "fhir/search/query.h"
#include "tests/engine/fhir_fixture.h"

using namespace kiln;
using test::FhirServer;
using test::Json;

namespace {

const std::string kBase = "http://fhir.test/fhir";

/// Resources in memory, by type and id: what a naive server would keep.
class NaiveStore {
 public:
  explicit NaiveStore(FhirServer& server) : server_(server) {}

  void put(const std::string& type, const std::string& id, const std::string& members) {
    const Json json(R"({"resourceType":")" + type + "\"," + members + "}");
    REQUIRE(server_.store->put({type, id, json.root, {}, fhir::WriteMethod::update, "client", true}));
    rows_[type][id] = fhir::extract_rows(*fhir::type_parameters(type), json.root, nullptr, kBase);
  }

  std::set<std::string> find(const fhir::SearchQuery& query) const {
    std::set<std::string> found;
    for (const auto& [id, rows] : rows_.at(query.type))
      if (meets(query.type, id, rows, query.clauses)) found.insert(id);
    return found;
  }

 private:
  bool meets(const std::string& type, const std::string& id, const fhir::IndexRows& rows,
             const std::vector<fhir::SearchClause>& clauses) const {
    fhir::SearchQuery query;
    query.type = type;
    query.clauses = clauses;
    return fhir::matches(query, rows, id, [&](const fhir::SearchClause& clause) {
      return std::any_of(clause.links.begin(), clause.links.end(), [&](const fhir::SearchLink& link) {
        return clause.kind == fhir::SearchClause::Kind::chain ? leads(clause, link, rows)
                                                              : is_referred(clause, link, type, id);
      });
    });
  }
  bool leads(const fhir::SearchClause& clause, const fhir::SearchLink& link,
             const fhir::IndexRows& rows) const {
    return std::any_of(rows.references.begin(), rows.references.end(), [&](const fhir::ReferenceRow& row) {
      if (row.parameter != clause.parameter->ordinal || row.target_type != link.type) return false;
      const auto& targets = rows_.at(link.type);
      const auto target = targets.find(row.target_id);
      return target != targets.end() && meets(link.type, target->first, target->second, link.clauses);
    });
  }
  bool is_referred(const fhir::SearchClause& clause, const fhir::SearchLink& link, const std::string& type,
                   const std::string& id) const {
    const auto& sources = rows_.at(link.type);
    return std::any_of(sources.begin(), sources.end(), [&](const auto& source) {
      const auto& references = source.second.references;
      return std::any_of(references.begin(), references.end(),
                         [&](const fhir::ReferenceRow& row) {
                           return row.parameter == clause.parameter->ordinal && row.target_type == type &&
                                  row.target_id == id;
                         }) &&
             meets(link.type, source.first, source.second, link.clauses);
    });
  }

  FhirServer& server_;
  std::map<std::string, std::map<std::string, fhir::IndexRows>> rows_;
};

class Picker {
 public:
  explicit Picker(std::uint64_t seed) : random_(seed) {}
  std::string operator()(std::initializer_list<const char*> list) {
    return std::string(*(list.begin() + static_cast<std::ptrdiff_t>(random_.below(list.size()))));
  }
  std::uint64_t below(std::uint64_t n) { return random_.below(n); }

 private:
  base::SeededRandom random_;
};

void fill(NaiveStore& store, Picker& pick) {
  for (int i = 0; i < 5; ++i)
    store.put("Organization", "g" + std::to_string(i),
              R"("name":")" + pick({"North", "South", "Nord"}) + "\"" +
                  (i > 0 ? R"(,"partOf":{"reference":"Organization/g)" + std::to_string(i - 1) + "\"}" : ""));
  for (int i = 0; i < 30; ++i)
    store.put("Patient", "p" + std::to_string(i),
              R"("gender":")" + pick({"male", "female", "other"}) + R"(","birthDate":")" +
                  pick({"1980", "1990-05", "1990-05-10"}) + R"(","name":[{"family":")" +
                  pick({"Adler", "Brandt", "Ädler"}) +
                  R"("}],"managingOrganization":{"reference":"Organization/g)" +
                  std::to_string(pick.below(6)) + "\"}");
  for (int i = 0; i < 120; ++i) {
    std::string members =
        R"("status":"final","code":{"coding":[{"system":"urn:c","code":")" + pick({"1", "2", "3"}) +
        R"(","display":"Code"}]},"subject":{"reference":"Patient/p)" + std::to_string(pick.below(33)) + "\"}";
    if (pick.below(2) > 0)
      members += R"(,"valueQuantity":{"value":)" + pick({"1", "5", "10"}) + R"(,"unit":")" +
                 pick({"mg", "g"}) + "\"}";
    members += R"(,"component":[{"code":{"coding":[{"code":")" + pick({"a", "b"}) +
               R"("}]},"valueQuantity":{"value":)" + pick({"1", "9"}) + R"(}},{"code":{"coding":[{"code":")" +
               pick({"a", "b"}) + R"("}]},"valueQuantity":{"value":)" + pick({"1", "9"}) + "}}]";
    store.put("Observation", "o" + std::to_string(i), members);
  }
}

std::string random_clause(Picker& pick, bool of_patient) {
  const std::string patient =
      pick({"name=adler", "gender=male", "gender:not=male", "birthdate=ge1990", "organization.name=north",
            "organization.name:contains=ord", "organization.partof.name=south", "_id=p1,p2",
            "name:exact=Brandt", "organization=Organization/g2", "organization:missing=false"});
  const std::string observation =
      pick({"code=urn:c|1", "code=2,3", "value-quantity=gt4", "component-code-value-quantity=a$9",
            "combo-code-value-quantity=b$lt5", "code-value-quantity=urn:c|1$5||mg,2$10", "code:text=code",
            "value-quantity:missing=true", "code:not=1"});
  if (of_patient)
    return pick.below(2) > 0 ? patient
                             : "_has:Observation:" + pick({"patient", "subject"}) + ":" + observation;
  const std::uint64_t shape = pick.below(4);
  if (shape == 0) return observation;
  if (shape == 3) return "patient._has:Observation:patient:" + observation;
  return pick({"patient.", "subject:Patient."}) + patient;
}

}  // namespace

TEST_CASE("SQL finds what a naive evaluation finds: chains, _has, composites", "[search]") {
  FhirServer server;
  NaiveStore naive(server);
  Picker pick(7);
  REQUIRE(server.store->begin());
  fill(naive, pick);
  REQUIRE(server.store->commit());
  std::size_t hits = 0;
  for (int round = 0; round < 600; ++round) {
    const bool of_patient = pick.below(2) > 0;
    std::string query;
    for (std::uint64_t n = 1 + pick.below(3); n > 0; --n)
      query += (query.empty() ? "" : "&") + random_clause(pick, of_patient);
    auto criteria = fhir::parse_criteria(of_patient ? "Patient" : "Observation", query, kBase);
    INFO(query);
    REQUIRE(criteria);
    const auto matches = server.store->find(*criteria, 1000);
    REQUIRE(matches);
    std::set<std::string> found;
    for (const auto& match : *matches) found.insert(match.id);
    CHECK(found == naive.find(*criteria));
    CHECK(*server.store->count(*criteria, 1000) == static_cast<std::int64_t>(found.size()));
    hits += found.size();
  }
  CHECK(hits > 2'000);
}

namespace {

/// The lines of EXPLAIN QUERY PLAN.
std::vector<std::string> plan_of(base::Database& database, const engine::SqlText& sql) {
  const std::string text = "EXPLAIN QUERY PLAN " + sql.sql;
  auto statement = database.prepare(text);
  REQUIRE(statement);
  sql.bind_to(*statement);
  std::vector<std::string> lines;
  for (;;) {
    const auto row = statement->step();
    REQUIRE(row);
    if (!*row) return lines;
    lines.emplace_back(statement->text(3));
  }
}

/// A line that walks a whole table, or all rows of a parameter.
bool is_full_scan(const std::string& line, bool whole_parameter) {
  if (line.starts_with("SCAN")) {
    // Subqueries of ours and lists that came in are walked; tables are not.
    for (const char* ours : {"SCAN s", "SCAN d", "SCAN j VIRTUAL", "SCAN (subquery", "SCAN CONSTANT"})
      if (line.starts_with(ours) && (std::string_view(ours).size() > 6 || line.size() == 6)) return false;
    return true;
  }
  return !whole_parameter && line.ends_with("(param=?)");
}

}  // namespace

TEST_CASE("no shape of a search walks a table", "[search]") {
  FhirServer server;
  NaiveStore naive(server);
  Picker pick(7);
  fill(naive, pick);
  naive.put("ValueSet", "v", R"("status":"draft","url":"http://x.test/v")");
  auto database = base::Database::open({.path = server.options.path, .read_only = true});
  REQUIRE(database);
  engine::Dictionary dictionary(false);
  dictionary.attach(&*database);
  struct Shape {
    const char *type, *query;
    bool whole_parameter = false;  ///< cannot be answered from one place of the index
  };
  const std::vector<Shape> shapes = {
      {"Patient", "_id=p1"},
      {"Patient", "gender=male"},
      {"Patient", "gender=http://hl7.org/fhir/administrative-gender|male,female"},
      {"Observation", "code=urn:c|"},
      {"Observation", "code:text=co"},
      {"Patient", "identifier:of-type=urn:t|MR|1"},
      {"Patient", "gender:in=http://hl7.org/fhir/ValueSet/administrative-gender"},
      {"Patient", "gender:missing=false", true},
      {"Patient", "name=ad"},
      {"Patient", "name:exact=Adler"},
      {"Patient", "name:contains=dle", true},
      {"Patient", "birthdate=1990"},
      {"Patient", "birthdate=gt1990"},
      {"Patient", "birthdate=lt1990"},
      {"Patient", "birthdate=ge1990"},
      {"Patient", "birthdate=le1990"},
      {"Patient", "birthdate=sa1990"},
      {"Patient", "birthdate=eb1990"},
      {"Patient", "birthdate=ap1990"},
      {"Observation", "patient=p1"},
      {"Observation", "subject=Patient/p1"},
      {"Observation", "subject:identifier=urn:x|1"},
      {"Observation", "value-quantity=5"},
      {"Observation", "value-quantity=gt5||mg", true},
      {"Observation", "value-quantity=lt5"},
      {"ValueSet", "url=http://x.test/v"},
      {"ValueSet", "url:below=http://x.test"},
      {"ValueSet", "url:above=http://x.test/v/w"},
      {"Observation", "code-value-quantity=urn:c|1$gt5"},
      {"Observation", "patient.name=ad"},
      {"Observation", "patient.organization.name=north"},
      {"Observation", "patient.gender=male"},
      {"Patient", "_has:Observation:patient:code=1"},
      {"Patient", "_has:Observation:patient:code-value-quantity=1$5"},
      {"Observation", "patient._has:Observation:patient:code=1"},
      {"Patient", "_list=l"},
  };
  for (const Shape& shape : shapes) {
    auto criteria = fhir::parse_criteria(shape.type, shape.query, kBase);
    INFO(shape.type << "?" << shape.query);
    REQUIRE(criteria);
    auto builder = engine::SearchSql::of_type(dictionary, shape.type);
    REQUIRE(builder);
    const auto rows = builder->rows_of(criteria->clauses.front());
    const auto probe = builder->probe_of(criteria->clauses.front(), "r");
    REQUIRE(rows);
    REQUIRE(probe);
    engine::SqlText leading, checked;
    leading.add("SELECT r.rid FROM (SELECT DISTINCT rid FROM (").add(*rows);
    leading.add(")) d CROSS JOIN resource r ON r.rid=d.rid WHERE r.deleted=0 ORDER BY d.rid LIMIT 51");
    for (const std::string& line : plan_of(*database, leading)) {
      INFO(line << "\n" << leading.sql);
      CHECK_FALSE(is_full_scan(line, shape.whole_parameter));
    }
    if (probe->sql.empty()) continue;
    checked.add("SELECT r.rid FROM resource r WHERE r.rid>=? AND r.rid<? AND r.deleted=0 AND ")
        .value(std::int64_t{1})
        .value(std::int64_t{9});
    checked.add(*probe);
    for (const std::string& line : plan_of(*database, checked)) {
      INFO(line << "\n" << checked.sql);
      CHECK_FALSE(is_full_scan(line, shape.whole_parameter));
    }
  }
}
