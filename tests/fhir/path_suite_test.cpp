// The official FHIRPath suite for R4 (tests-fhir-r4.xml), read from the shared facts.

#include <catch2/catch.hpp>
#include <filesystem>
#include <iostream>
#include <map>
#include <pugixml.hpp>

#include "engine/base/env.h"
#include "fhir/model/json.h"
#include "fhir/model/xml.h"
#include "fhir/path/path.h"

using namespace kiln;
using namespace kiln::fhir;

namespace {

const std::string kFolder = std::string(KILN_SOURCE_DIR) + "/../shared/facts/fhir-test-cases/r4/";

std::string read(const std::string& path) {
  const auto bytes = base::system_env().read_file(path, 64u << 20);
  return bytes ? *bytes : std::string();
}

/// Cases that Kiln decides otherwise, with the reason.
const std::map<std::string, std::string>& exceptions() {
  static const std::map<std::string, std::string> list = {};
  return list;
}

class Inputs {
 public:
  Node find(const std::string& file) {
    if (file.empty()) return {};
    const auto [found, fresh] = trees_.try_emplace(file);
    if (fresh) {
      const std::string text = read(kFolder + file);
      // Two inputs are not quite valid (an element out of order, arrays of different lengths): read over
      // that.
      std::vector<ReadIssue> issues;
      ReadOptions options;
      options.issues = &issues;
      const auto tree = file.ends_with(".xml") ? read_xml(text, options) : read_json(text, options);
      INFO(file);
      if (!tree) FAIL(tree.error().message());
      found->second = *tree;
    }
    return found->second.root();
  }

 private:
  std::map<std::string, Tree> trees_;
};

std::string type_of(const PathItem& item) {
  if (item.is(PathKind::node)) return item.node().type() ? std::string(item.node().type()->name()) : "";
  static const std::map<std::string, std::string> names = {
      {"System.Boolean", "boolean"}, {"System.Integer", "integer"},  {"System.Decimal", "decimal"},
      {"System.String", "string"},   {"System.Date", "date"},        {"System.DateTime", "dateTime"},
      {"System.Time", "time"},       {"System.Quantity", "Quantity"}};
  const auto found = names.find(type_name(item));
  return found == names.end() ? type_name(item) : found->second;
}

bool is_same(const PathItem& item, const std::string& type, std::string expected) {
  if (!type.empty() && type != type_of(item)) return false;
  if (expected.starts_with("@T"))
    expected.erase(0, 2);
  else if (expected.starts_with("@"))
    expected.erase(0, 1);
  return print_item(item) == expected;
}

std::string listing(const std::vector<PathItem>& items) {
  std::string text;
  for (const PathItem& item : items) text += type_of(item) + ":" + print_item(item) + "; ";
  return text;
}

/// Empty when the case passes, else what happened.
std::string run_case(const pugi::xml_node& test, Inputs& inputs) {
  const pugi::xml_node expression = test.child("expression");
  const std::string invalid = expression.attribute("invalid").value();
  const Node context = inputs.find(test.attribute("inputfile").value());
  CompileOptions options;
  options.type = context.type();
  options.strict = invalid == "semantic";
  const auto compiled = PathExpression::compile(expression.text().get(), options);
  if (!compiled) {
    const auto code = compiled.error().code;
    const bool expected = (invalid == "syntax" && code == base::ErrorCode::fhirpath_syntax) ||
                          (invalid == "semantic" && code == base::ErrorCode::fhirpath_semantic);
    return expected ? "" : compiled.error().message();
  }
  if (invalid == "syntax" || invalid == "semantic") return "compiled, although it is invalid: " + invalid;
  PathEnvironment environment;
  environment.now.micros = 1'780'000'000'000'000;
  const auto result = compiled->evaluate(context, environment);
  if (!result) return invalid == "execution" ? "" : result.error().message();
  if (invalid == "execution") return "gave " + listing(result->items()) + "although it must fail";
  std::vector<std::pair<std::string, std::string>> wanted;
  for (const pugi::xml_node output : test.children("output"))
    wanted.emplace_back(output.attribute("type").value(), output.text().get());
  if (std::string(test.attribute("predicate").value()) == "true") {
    const bool value = !result->empty() && print_item((*result)[0]) != "false";
    return wanted[0].second == (value ? "true" : "false") ? ""
                                                          : "as a truth value: " + listing(result->items());
  }
  if (wanted.size() != result->size()) return "gave " + listing(result->items());
  const bool ordered = std::string(test.attribute("ordered").value()) != "false";
  std::vector<bool> used(wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    bool found = false;
    for (std::size_t k = ordered ? i : 0; k < (ordered ? i + 1 : wanted.size()) && !found; ++k) {
      if (used[k] || !is_same((*result)[i], wanted[k].first, wanted[k].second)) continue;
      used[k] = found = true;
    }
    if (!found) return "gave " + listing(result->items());
  }
  return "";
}

}  // namespace

TEST_CASE("fhirpath suite") {
  if (!std::filesystem::exists(kFolder)) {
    std::cout << "no ../shared/facts/fhir-test-cases: the FHIRPath suite is not run\n";
    return;
  }
  pugi::xml_document document;
  REQUIRE(document.load_file((kFolder + "fhirpath/tests-fhir-r4.xml").c_str()));
  Inputs inputs;
  int passed = 0, excepted = 0, failed = 0, refused = 0;
  std::string report;
  for (const pugi::xml_node group : document.child("tests").children("group")) {
    for (const pugi::xml_node test : group.children("test")) {
      const std::string name = test.attribute("name").value();
      const std::string found = run_case(test, inputs);
      if (exceptions().count(name) != 0) {
        CHECK(!found.empty());  // an exception that passes is none
        ++excepted;
        continue;
      }
      found.empty() ? ++passed : ++failed;
      if (!found.empty())
        report += name + " | " + test.child("expression").text().get() + "\n    " + found + "\n";
      // What is valid must also be so in strict mode.
      if (test.child("expression").attribute("invalid").empty()) {
        CompileOptions strict;
        strict.strict = true;
        strict.type = inputs.find(test.attribute("inputfile").value()).type();
        const auto compiled = PathExpression::compile(test.child("expression").text().get(), strict);
        if (!compiled) {
          ++refused;
          report += "strict: " + name + " | " + test.child("expression").text().get() + "\n    " +
                    compiled.error().message() + "\n";
        }
      }
    }
  }
  std::cout << "FHIRPath suite: " << passed << " of " << passed + failed + excepted << " passed, " << excepted
            << " listed, " << failed << " failed; strict mode refuses " << refused << " valid ones\n";
  INFO(report);
  CHECK(failed == 0);
  CHECK(refused == 0);
  CHECK(passed + excepted == 935);
}
