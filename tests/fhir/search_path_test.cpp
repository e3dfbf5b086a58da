// Search parameters through FHIRPath: every expression of R4 compiles, and the rows are those of the fast
// extractor.

#include "fhir/search/search_path.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <iostream>

#include "engine/base/env.h"
#include "fhir/model/json.h"
#include "fhir/search/parameters.h"

using namespace kiln;
using namespace kiln::fhir;

namespace {

const std::string kShared = std::string(KILN_SOURCE_DIR) + "/../shared/";

std::string read(const std::string& path) {
  const auto bytes = base::system_env().read_file(path, 256u << 20);
  return bytes ? *bytes : std::string();
}

std::string print(const TokenRow& row) {
  return row.system + "|" + row.code;
}
std::string print(const StringRow& row) {
  return row.folded + " " + row.exact;
}
std::string print(const DateRow& row) {
  return std::to_string(row.low) + ".." + std::to_string(row.high);
}
std::string print(const ReferenceRow& row) {
  return row.target_type + "/" + row.target_id;
}
std::string print(const UriRow& row) {
  return row.uri;
}
std::string print(const QuantityRow& row) {
  return row.low + ".." + row.high + " " + row.system + "|" + row.code;
}

std::string print(const IndexRows& rows, const TypeParameters& parameters) {
  std::string out;
  const auto line = [&](std::uint16_t parameter, const std::string& text) {
    out += std::string(parameters.all()[parameter].code) + " " + text + "\n";
  };
  const auto lines = [&](const auto& list) {
    for (const auto& row : list) line(row.parameter, print(row));
  };
  lines(rows.tokens), lines(rows.strings), lines(rows.dates);
  lines(rows.references), lines(rows.uris), lines(rows.quantities);
  for (const auto& row : rows.composites) {
    out += std::string(parameters.composites()[row.parameter].code);
    for (const auto& value : row.values)
      out += " $ " + std::visit([](const auto& part) { return print(part); }, value);
    out += "\n";
  }
  return out;
}

/// Both ways over one resource; the number of rows.
std::size_t compare(Node resource) {
  const TypeParameters* parameters = type_parameters(resource.type()->name());
  REQUIRE(parameters);
  const std::string text = write_json(resource);
  const auto document = base::parse_json(text, {256u << 20, base::limits::kJsonDepthMax});
  REQUIRE(document);
  const std::string base = "http://own.test/fhir";
  const std::string by_path = print(extract_rows(*parameters, resource, nullptr, base), *parameters);
  const std::string fast = print(extract_rows(*parameters, document->root(), nullptr, base), *parameters);
  if (by_path != fast) {
    INFO(resource.type()->name());
    CHECK(by_path == fast);
  }
  return static_cast<std::size_t>(std::count(fast.begin(), fast.end(), '\n'));
}

std::string rows_of(const std::string& text) {
  const auto tree = read_json(text);
  REQUIRE(tree);
  const TypeParameters* parameters = type_parameters(tree->root().type()->name());
  compare(tree->root());
  return print(extract_rows(*parameters, tree->root(), nullptr, "http://own.test/fhir"), *parameters);
}

}  // namespace

TEST_CASE("search path: every expression and component compiles") {
  std::size_t expressions = 0, components = 0;
  for (const SearchParameter& parameter : all_search_parameters()) {
    if (parameter.expression().empty()) continue;
    ++expressions;
    CAPTURE(parameter.url());
    CHECK(search_path(parameter) != nullptr);
    for (std::size_t i = 0; i < parameter.component_count(); ++i) {
      ++components;
      CHECK(component_path(parameter, i) != nullptr);
    }
  }
  std::cout << "search expressions compiled: " << expressions << ", components: " << components << "\n";
  CHECK(expressions == 1384);
  CHECK(components > 90);
}

TEST_CASE("search path: every parameter of every type has a fast extractor") {
  std::size_t plain = 0, composite = 0;
  for (const TypeDef& type : all_types()) {
    if (!type.is_resource() || type.is_abstract()) continue;
    const TypeParameters& parameters = *type_parameters(type.name());
    for (const TypeDef* base = &type; base; base = base->base()) {
      for (const SearchParameter& parameter : search_parameters(*base)) {
        if (parameter.expression().empty() || parameter.type() == SearchType::special) continue;
        CAPTURE(parameter.url(), type.name());
        const bool is_composite = parameter.type() == SearchType::composite;
        const Parameter* found = parameters.find(parameter.code());
        CHECK((is_composite ? parameters.find_composite(parameter.code()) != nullptr
                            : found && (found->extractor || !found->is_indexed())));
        ++(is_composite ? composite : plain);
      }
    }
  }
  std::cout << "parameters of types with a fast extractor: " << plain << ", composites: " << composite
            << "\n";
  CHECK(plain > 1'600);
  CHECK(composite > 50);
  CHECK_FALSE(type_parameters("Patient")->find("part-agree"));  // an example, not a parameter of R4
}

TEST_CASE("search path: unusual expressions") {
  const std::string plan = rows_of(R"({"resourceType":"InsurancePlan","name":"Gold","alias":["Aurum"]})");
  CHECK_THAT(plan, Catch::Contains("name aurum Aurum"));
  CHECK_THAT(plan, Catch::Contains("name gold Gold"));
  CHECK_THAT(
      rows_of(
          R"({"resourceType":"Bundle","type":"document","entry":[{"resource":{"resourceType":"Composition",)"
          R"("id":"c1","status":"final","type":{"text":"x"},"date":"2020","author":[{"display":"a"}],)"
          R"("title":"t"}}]})"),
      Catch::Contains("composition Composition/c1"));
  CHECK_THAT(
      rows_of(
          R"({"resourceType":"QuestionnaireResponse","status":"completed","item":[{"linkId":"1","extension":)"
          R"([{"url":"http://hl7.org/fhir/StructureDefinition/questionnaireresponse-isSubject",)"
          R"("valueBoolean":true}],"answer":[{"valueReference":{"reference":"Patient/7"}}]}]})"),
      Catch::Contains("item-subject Patient/7"));
}

TEST_CASE("search path: rows of composites combine the values of one element") {
  const std::string rows = rows_of(
      R"({"resourceType":"Observation","status":"final","code":{"coding":[{"system":"s","code":"bp"},{"code":"x"}]},)"
      R"("valueQuantity":{"value":7,"code":"kg"},"component":[{"code":{"coding":[{"code":"sys"}]},"valueQuantity":)"
      R"({"value":120}},{"code":{"coding":[{"code":"dia"}]},"valueQuantity":{"value":80}},{"code":{"text":"z"}}]})");
  const auto count = [&](const std::string& what) {
    std::size_t found = 0;
    for (std::size_t at = 0; (at = rows.find(what, at)) != rows.npos; ++at) ++found;
    return found;
  };
  INFO(rows);
  CHECK(count("\ncode-value-quantity $ ") == 2);
  CHECK(count("\ncode-value-quantity $ s|bp $ ") == 1);
  CHECK(count("\ncombo-code-value-quantity $ ") == 4);
  CHECK(count("\ncomponent-code-value-quantity $ ") == 2);
  CHECK(count("code-value-date") == 0);
  CHECK_THAT(rows_of(R"({"resourceType":"Observation","status":"final","code":{"coding":[{"code":"a"}]},)"
                     R"("valueDateTime":"1970-01-01T00:00:00Z"})"),
             Catch::Contains("code-value-date $ |a $ 0.."));
  CHECK_THAT(
      rows_of(R"({"resourceType":"MolecularSequence","coordinateSystem":0,"referenceSeq":{"chromosome":)"
              R"({"coding":[{"code":"3"}]},"windowStart":5,"windowEnd":9},"variant":[{"start":1,"end":2}]})"),
      Catch::Contains("chromosome-variant-coordinate $ |3 $ ") &&
          Catch::Contains("chromosome-window-coordinate $ |3 $ "));
  CHECK_THAT(
      rows_of(R"({"resourceType":"DocumentReference","status":"current","content":[{"attachment":{"title":"x"}}],)"
              R"("relatesTo":[{"code":"replaces","target":{"reference":"DocumentReference/9"}}]})"),
      Catch::Contains("replaces $ DocumentReference/9"));
  // Many codes with many values: a limit, not a million rows.
  std::string codings, values;
  for (int i = 0; i < 300; ++i) {
    codings += (i ? "," : "") + std::string(R"({"code":"c)") + std::to_string(i) + "\"}";
    values += (i ? "," : "") + std::string(R"({"code":"v)") + std::to_string(i) + "\"}";
  }
  const auto many = read_json(R"({"resourceType":"Observation","status":"final","code":{"coding":[)" +
                              codings + R"(]},"valueCodeableConcept":{"coding":[)" + values + "]}}");
  REQUIRE(many);
  CHECK(extract_rows(*type_parameters("Observation"), many->root(), nullptr, "").composites.size() ==
        base::limits::kCompositeRowsMax);
}

TEST_CASE("search path: composites give the values of one element") {
  const auto tree = read_json(
      R"({"resourceType":"Observation","status":"final","code":{"coding":[{"code":"bp"}]},"component":[{"code":{"coding":)"
      R"([{"code":"sys"}]},"valueQuantity":{"value":120}},{"code":{"coding":[{"code":"dia"}]},"valueQuantity":{"value":80}}]})");
  REQUIRE(tree);
  const SearchParameter* composite = search_parameter("Observation", "component-code-value-quantity");
  REQUIRE(composite);
  const PathEnvironment environment = search_environment(nullptr, "");
  PathResult items, code, value;
  REQUIRE(search_path(*composite)->evaluate(tree->root(), environment, items));
  REQUIRE(items.size() == 2);
  REQUIRE(component_path(*composite, 0)->evaluate(items[1], environment, code));
  REQUIRE(component_path(*composite, 1)->evaluate(items[1], environment, value));
  CHECK(print_json(code.items()) == R"([{"coding":[{"code":"dia"}]}])");
  CHECK(print_json(value.items()) == R"([{"value":80}])");
}

TEST_CASE(
    "search path: the rows of Synthea's and the specification's resources are those of the fast extractor") {
  std::size_t resources = 0, rows = 0;
  for (const char* folder : {"corpus/synthea", "facts/fhir-test-cases/r4/examples"}) {
    if (!std::filesystem::exists(kShared + folder)) {
      std::cout << "no ../shared/" << folder << ": its resources are not compared\n";
      continue;
    }
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(kShared + folder)) {
      if (entry.path().extension() != ".json" || files++ == 80) continue;
      if (std::filesystem::file_size(entry.path()) > 2'000'000) continue;
      ReadOptions options;
      options.bytes_max = 256u << 20;
      const auto tree = read_json(read(entry.path().string()), options);
      INFO(entry.path().string());
      REQUIRE(tree);
      if (tree->root().type()->name() != "Bundle") {
        ++resources;
        rows += compare(tree->root());
      }
      for (const Node child : tree->root()) {
        if (child.name() != "entry" || !child["resource"]) continue;
        ++resources;
        rows += compare(child["resource"]);
      }
    }
  }
  std::cout << "search rows compared: " << rows << " of " << resources << " resources\n";
}
