// fhir/path: every function and operator (goldens), budgets, callbacks, hostile expressions.

#include "fhir/path/path.h"

#include <catch2/catch.hpp>
#include <set>

#include "engine/base/env.h"
#include "fhir/model/json.h"
#include "fhir/path/detail/evaluator.h"
#include "fhir/units/ucum.h"
#include "tests/support/text_cases.h"

using namespace kiln;
using namespace kiln::fhir;

namespace {

const std::string kGolden = std::string(KILN_SOURCE_DIR) + "/tests/golden/fhir/path/";

Tree sample(const std::string& name = "patient.json") {
  const auto text = base::system_env().read_file(kGolden + name, 1u << 20);
  REQUIRE(text);
  const auto tree = read_json(*text);
  REQUIRE(tree);
  return *tree;
}

std::string listing(const std::vector<PathItem>& items) {
  std::string text;
  for (const PathItem& item : items) {
    const bool object = item.is(PathKind::node) && item.node().is_object();
    text += type_name(item) + " " + (object ? write_json(item.node()) : print_item(item)) + "\n";
  }
  return text.empty() ? "{ }" : text;
}

std::vector<std::pair<std::string, Tree>> more_variables() {
  std::vector<std::pair<std::string, Tree>> list;
  const auto add = [&](const char* name, const char* type, const char* text) {
    ReadOptions options;
    options.type = find_type(type);
    list.emplace_back(name, *read_json(text, options));
  };
  add("coding", "Coding", R"({"system":"urn:s","code":"a"})");
  add("narrower", "CodeableConcept", R"({"coding":[{"system":"urn:t","code":"x"},{"system":"urn:s","code":"ab"}]})");
  add("foreign", "Coding", R"({"system":"urn:t","code":"a"})");
  add("modified", "ContactPoint", R"({"id":"c"})");
  list.back().second = *read_json(
      R"({"resourceType":"Basic","id":"b","modifierExtension":[{"url":"http://example.org/m","valueCode":"x"}],"code":{"text":"x"}})");
  return list;
}

/// One expression a line; a line that starts with "strict " is compiled strictly.
std::string run_lines(const std::string& input, const Tree& tree) {
  std::string out;
  std::size_t at = 0;
  while (at <= input.size()) {
    const std::size_t end = std::min(input.find('\n', at), input.size());
    std::string line = input.substr(at, end - at);
    at = end + 1;
    CompileOptions options;
    options.type = tree.root().type();
    if (line.starts_with("strict ")) {
      options.strict = true;
      line.erase(0, 7);
    }
    PathEnvironment environment;
    environment.now.micros = 1'780'000'000'123'000;
    std::string traced;
    environment.trace = [&](std::string_view name, const std::vector<PathItem>& items) {
      traced += "trace " + std::string(name) + ": " + std::to_string(items.size()) + " items\n";
    };
    environment.in_slice = [](Node element, std::string_view profile, std::string_view slice) -> std::optional<bool> {
      if (profile != "http://example.org/profile") return std::nullopt;
      return element["use"].text() == slice;
    };
    environment.subsumes = [](std::string_view, std::string_view ancestor, std::string_view code) {
      return std::optional(code.starts_with(ancestor));
    };
    static const std::vector<std::pair<std::string, Tree>> more = more_variables();
    for (const auto& [name, value] : more)
      environment.variables.emplace_back(name, std::vector<PathItem>{PathItem::of(value.root())});
    environment.member_of = [](Node coded, std::string_view set) -> std::optional<bool> {
      if (set != "http://example.org/set") return std::nullopt;
      return coded.text() == "female";
    };
    environment.conforms_to = [](Node, std::string_view profile) -> std::optional<bool> {
      if (profile != "http://example.org/profile") return std::nullopt;
      return true;
    };
    const auto compiled = PathExpression::compile(line, options);
    if (!compiled) {
      out += compiled.error().message() + "\n";
      continue;
    }
    const auto result = compiled->evaluate(tree.root(), environment);
    out += traced;
    out += result ? listing(result->items()) : result.error().message();
    if (out.back() != '\n') out += '\n';
  }
  return out;
}

std::string error_of(const std::string& expression, PathEnvironment environment = {}) {
  const auto compiled = PathExpression::compile(expression);
  if (!compiled) return compiled.error().message();
  const Tree tree = sample();
  const auto result = compiled->evaluate(tree.root(), environment);
  return result ? "" : result.error().message();
}

}  // namespace

TEST_CASE("fhirpath: goldens") {
  const Tree tree = sample();
  for (const char* file : {"existence.txt", "filtering.txt", "strings.txt", "conversion.txt", "math.txt",
                           "operators.txt", "dates.txt", "navigation.txt", "fhir.txt", "errors.txt"}) {
    const std::string report = test::run_text_cases(
        kGolden + file, [&](const std::string& input) { return run_lines(input, tree); });
    INFO(report);
    CHECK(report.empty());
  }
}

TEST_CASE("fhirpath: every function is in a golden") {
  std::string all;
  for (const char* file : {"existence.txt", "filtering.txt", "strings.txt", "conversion.txt", "math.txt",
                           "operators.txt", "dates.txt", "navigation.txt", "fhir.txt"})
    all += *base::system_env().read_file(kGolden + file, 1u << 20);
  for (const PathFunctionGroup* group : all_path_functions()) {
    for (const detail::PathFunction& function : group->functions) {
      CAPTURE(function.name);
      CHECK(all.find(std::string(function.name) + "(") != std::string::npos);
    }
  }
}

TEST_CASE("fhirpath: hostile expressions end in an error, soon") {
  CHECK_THAT(error_of(std::string(100'000, '(')), Catch::Contains("fhirpath-budget"));
  CHECK_THAT(error_of(std::string(5'000, '(') + "1" + std::string(5'000, ')')),
             Catch::Contains("nested too deeply"));
  CHECK_THAT(error_of(std::string(5'000, '-') + "1"), Catch::Contains("nested too deeply"));
  std::string chain = "name";
  for (int i = 0; i < 3'000; ++i) chain += ".name";
  CHECK_THAT(error_of(chain), Catch::Contains("too long a chain"));
  std::string sum = "1";
  for (int i = 0; i < 3'000; ++i) sum += " + 1";
  CHECK_THAT(error_of(sum), Catch::Contains("too long a chain"));
  std::string where = "name";
  for (int i = 0; i < 200; ++i) where += ".where(name";
  CHECK_THAT(error_of(where + std::string(200, ')')), Catch::Contains("nested too deeply"));
  // Texts and collections that double at each step.
  std::string ten = "(1|2|3|4|5|6|7|8|9|10)";
  std::string many = ten;
  for (int i = 0; i < 8; ++i) many += ".select(" + ten + ")";
  CHECK_THAT(error_of(many + ".count()"), Catch::Contains("fhirpath-budget"));
  std::string text = "'0123456789'";
  for (int i = 0; i < 9; ++i) text = text + ".replace('', '0123456789')";
  CHECK_THAT(error_of(text), Catch::Contains("fhirpath-budget"));
  CHECK(error_of(ten + ".aggregate($total & $total & 'xxxxxxxx', 'x')").empty());
  std::string power = "10";
  for (int i = 0; i < 20; ++i) power += ".power(400)";
  CHECK_THAT(error_of(power), Catch::Contains("too many digits"));
  CHECK_THAT(error_of("'a'.matches('((a{1,1000}){1,1000}){1,1000}')"), Catch::Contains("regular expression"));
  CHECK(error_of("'" + std::string(60'000, 'a') + "'.matches('(a*)*b')").empty());
  CHECK_THAT(error_of(std::string(70'000, ' ')), Catch::Contains("more than 65536 bytes"));
  CHECK_THAT(error_of("\xff"), Catch::Contains("UTF-8"));
  PathEnvironment small;
  small.steps_max = 100;
  CHECK_THAT(error_of("descendants().descendants().count()", small), Catch::Contains("too many steps"));
}

TEST_CASE("fhirpath: a number of huge scale is compared, not expanded") {
  const auto tree = read_json(
      R"({"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1E-99999}})");
  REQUIRE(tree);
  const auto compiled = PathExpression::compile("value.value = value.value");
  const auto result = compiled->evaluate(tree->root());
  REQUIRE(result);
  CHECK(print_json(result->items()) == "[true]");
  const auto sum = PathExpression::compile("value.value + 1")->evaluate(tree->root());
  REQUIRE_FALSE(sum);
  CHECK_THAT(sum.error().message(), Catch::Contains("too many digits"));
}

TEST_CASE("fhirpath: holds() gives what an invariant needs") {
  const Tree tree = sample();
  PathResult scratch;
  const auto holds = [&](const char* expression) {
    return PathExpression::compile(expression)->holds(tree.root(), {}, scratch);
  };
  CHECK(holds("active").value() == std::optional<bool>(true));
  CHECK(holds("active.not()").value() == std::optional<bool>(false));
  CHECK(holds("photo").value() == std::optional<bool>());
  CHECK(holds("birthDate").value() == std::optional<bool>(true));
  CHECK_FALSE(holds("name"));
}

TEST_CASE("fhirpath: every invariant and search expression of R4 compiles") {
  std::set<std::string_view> texts;
  for (const Invariant& invariant : all_invariants()) texts.insert(invariant.expression());
  for (const SearchParameter& parameter : all_search_parameters()) texts.insert(parameter.expression());
  texts.erase("");
  CHECK(texts.size() > 1000);
  for (const std::string_view text : texts) {
    const auto compiled = PathExpression::compile(text);
    INFO(text);
    if (!compiled) FAIL_CHECK(compiled.error().message());
  }
}

TEST_CASE("fhirpath: untyped documents") {
  ReadOptions untyped;
  untyped.typed = false;
  const auto tree = read_json(
      R"({"a":[{"b":1},{"b":2.50},{"b":[3,4]}],"valueString":"x","resourceType":"Patient"})", untyped);
  REQUIRE(tree);
  const auto run = [&](const char* expression) {
    const auto result = PathExpression::compile(expression)->evaluate(tree->root());
    return result ? print_json(result->items()) : result.error().message();
  };
  CHECK(run("a.b") == "[1,2.50,3,4]");
  CHECK(run("a.b.first() + 1") == "[2]");
  CHECK_THAT(run("a.where(b > 2).count()"), Catch::Contains("several items are compared by their order"));
  CHECK(run("valueString = 'x'") == "[true]");
  CHECK(run("Patient.valueString") == "[\"x\"]");
}

TEST_CASE("units: every row of the table is understood, and the arithmetic is exact") {
  int rows = 0;
#define KILN_UNIT(code, metric, factor, in) \
  ++rows;                                   \
  CHECK(parse_unit(code));
#include "fhir/units/units.inc"
#undef KILN_UNIT
  CHECK(rows > 90);
  const auto equal = [](const char* a, const char* unit_a, const char* b, const char* unit_b) {
    const auto left = parse_unit(unit_a), right = parse_unit(unit_b);
    return left && right && are_comparable(*left, *right) &&
           compare_units(*base::Decimal::parse(a), *left, *base::Decimal::parse(b), *right) == 0;
  };
  CHECK(equal("1", "[lb_av]", "453.59237", "g"));
  CHECK(equal("6", "[ft_i]", "1.8288", "m"));
  CHECK(equal("5.5", "mmol/L", "5500", "umol/L"));
  CHECK(equal("120", "mm[Hg]", "15998.64", "Pa"));
  CHECK(equal("37", "Cel", "98.6", "[degF]"));
  CHECK(equal("37", "Cel", "310.15", "K"));
  CHECK(equal("1", "kg/m2", "0.1", "g/cm2"));
  CHECK(equal("4.2", "10*9/L", "4200", "/nL{cells}.10*-3"));
  CHECK(equal("1", "g/dL", "10", "g/L"));
  CHECK(equal("70", "{beats}/min", "70", "/min"));
  CHECK(equal("1", "m.s-2", "1", "m/s2"));
  CHECK_FALSE(equal("1", "mg", "1", "mmol"));
  CHECK_FALSE(equal("1", "[iU]", "1", "[arb'U]"));
  for (const char* bad : {"", "xyz", "mg//dL", "mg/", "(mg", "mg)", "Cel/m", "m1000", "{x", "kkg", "k%", "0"})
    CHECK_FALSE(parse_unit(bad));
  CHECK(base_units(*parse_unit("mm[Hg]")) == "g.m-1.s-2");
}
