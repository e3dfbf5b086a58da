// fhir/definitions/generate: value set expansion, and packages that cannot be used.

#include "fhir/definitions/generate/generate.h"

#include <catch2/catch.hpp>
#include <string>

using namespace kiln;
using namespace kiln::fhir;

namespace {

/// "a b c": the codes, sorted; "?" when the set cannot be expanded.
std::string codes_of(const DefinitionModel& model, const std::string& url) {
  const ExpansionModel expansion = expand_value_set(model, url);
  if (expansion.rule == ValueSetRule::unknown) return "?";
  std::string text;
  for (const auto& [code, display] : expansion.codes) text += (text.empty() ? "" : " ") + code.first;
  return text;
}

/// The tree a > (b > c, d), e in the system "s"; "part" is not complete.
DefinitionModel model_with_tree() {
  constexpr auto kTop = ConceptModel::npos;
  DefinitionModel model;
  model.code_systems["s"] = {
      true, {{"a", "A", kTop}, {"b", "B", 0}, {"c", "C", 1}, {"d", "D", 0}, {"e", "E", kTop}}};
  model.code_systems["part"] = {false, {{"x", "X", kTop}}};
  return model;
}

IncludeModel filtered(const std::string& op, const std::string& value) {
  return {"s", {}, {{"concept", op, value}}, {}};
}

}  // namespace

TEST_CASE("generate: expansion by system, list, filter and other sets", "[generate]") {
  DefinitionModel model = model_with_tree();
  model.value_sets["all"] = {{{"s", {}, {}, {}}}, {}};
  model.value_sets["listed"] = {{{"s", {{"d", "own"}, {"a", ""}}, {}, {}}}, {}};
  model.value_sets["is-a"] = {{filtered("is-a", "b")}, {}};
  model.value_sets["is-not-a"] = {{filtered("is-not-a", "b")}, {}};
  model.value_sets["below"] = {{filtered("descendent-of", "a")}, {}};
  model.value_sets["without"] = {{{"s", {}, {}, {}}}, {{"s", {{"a", ""}}, {}, {}}, filtered("is-a", "b")}};
  model.value_sets["both"] = {{{"s", {}, {}, {"listed"}}}, {}};
  model.value_sets["union"] = {{{"", {}, {}, {"is-a"}}, {"", {}, {}, {"listed"}}}, {}};
  model.value_sets["foreign"] = {{{"part", {{"x", ""}}, {}, {}}}, {}};
  CHECK(codes_of(model, "all") == "a b c d e");
  CHECK(codes_of(model, "listed") == "a d");
  CHECK(codes_of(model, "is-a") == "b c");
  CHECK(codes_of(model, "is-not-a") == "a d e");
  CHECK(codes_of(model, "below") == "b c d");
  CHECK(codes_of(model, "without") == "d e");
  CHECK(codes_of(model, "both") == "a d");
  CHECK(codes_of(model, "union") == "a b c d");
  CHECK(codes_of(model, "foreign") == "x");
  const ExpansionModel listed = expand_value_set(model, "listed");
  CHECK(listed.codes.at({"d", "s"}) == "own");
  CHECK(listed.codes.at({"a", "s"}) == "A");
}

TEST_CASE("generate: what cannot be expanded is unknown, never empty", "[generate]") {
  DefinitionModel model = model_with_tree();
  model.value_sets["incomplete"] = {{{"part", {}, {}, {}}}, {}};
  model.value_sets["missing system"] = {{{"nowhere", {}, {}, {}}}, {}};
  model.value_sets["missing set"] = {{{"", {}, {}, {"nowhere"}}}, {}};
  model.value_sets["strange filter"] = {{{"s", {}, {{"concept", "regex", "a.*"}}, {}}}, {}};
  model.value_sets["strange property"] = {{{"s", {}, {{"SCALE_TYP", "=", "Doc"}}, {}}}, {}};
  model.value_sets["itself"] = {{{"", {}, {}, {"itself"}}}, {}};
  model.value_sets["nothing"] = {{}, {}};
  model.value_sets["bad exclude"] = {{{"s", {}, {}, {}}}, {{"nowhere", {}, {}, {}}}};
  for (const auto& [url, set] : model.value_sets) {
    CAPTURE(url);
    CHECK(codes_of(model, url) == "?");
  }
  CHECK(codes_of(model, "not there") == "?");
  model.code_systems["ring"] = {true, {{"a", "", 1}, {"b", "", 0}}};
  model.value_sets["ring"] = {{{"ring", {}, {{"concept", "is-a", "z"}}, {}}}, {}};
  CHECK(codes_of(model, "ring") == "?");
}

TEST_CASE("generate: external code systems are rules", "[generate]") {
  DefinitionModel model;
  model.value_sets["units"] = {{{"http://unitsofmeasure.org", {}, {}, {}}}, {}};
  model.value_sets["some units"] = {{{"http://unitsofmeasure.org", {{"mg", ""}}, {}, {}}}, {}};
  CHECK(expand_value_set(model, "units").rule == ValueSetRule::ucum);
  CHECK(expand_value_set(model, "units").rule_system == "http://unitsofmeasure.org");
  CHECK(codes_of(model, "some units") == "mg");
}

TEST_CASE("generate: names that lead nowhere are refused", "[generate]") {
  DefinitionModel model;
  model.types["Thing"].name = "Thing";
  CHECK(print_definitions(model).has_value());
  model.types["Thing"].base = "Nowhere";
  const auto printed = print_definitions(model);
  REQUIRE_FALSE(printed);
  CHECK(printed.error().code == base::ErrorCode::bad_definition);
  CHECK(printed.error().place == "Nowhere");
}

TEST_CASE("generate: a file that is no package is refused", "[generate]") {
  const DefinitionPackage package{"x", "no archive"};
  const auto model = read_definitions(std::span(&package, 1));
  REQUIRE_FALSE(model);
  CHECK(model.error().code == base::ErrorCode::bad_archive);
}
