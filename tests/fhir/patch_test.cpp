// fhir/patch: own goldens, the official suites, refusals.

#include "fhir/patch/patch.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <iostream>
#include <pugixml.hpp>
#include <sstream>

#include "engine/base/env.h"
#include "engine/base/json.h"
#include "fhir/model/json.h"
#include "fhir/model/xml.h"
#include "fhir/patch/detail/json_value.h"
#include "tests/support/text_cases.h"

using namespace kiln;
using namespace kiln::fhir;

namespace {

const std::string kSource = KILN_SOURCE_DIR;
const std::string kFolder = kSource + "/../shared/facts/fhir-test-cases/r4/patch/";

std::string read(const std::string& path) {
  const auto bytes = base::system_env().read_file(path, 64u << 20);
  return bytes ? *bytes : std::string();
}

/// Two lines: the document and the patch. A patch that starts with "[" is a JSON Patch, one with "<" an XML Patch; a
/// document with resourceType is a resource.
std::string run_case(const std::string& input) {
  const std::size_t line = input.find('\n');
  const std::string document = input.substr(0, line), patch = input.substr(line + 1);
  if (document.find("resourceType") == std::string::npos) {
    const auto result = apply_json_patch(document, patch);
    return result ? *result : result.error().message();
  }
  const auto tree = read_json(document);
  if (!tree) return tree.error().message();
  const std::string before = write_json(tree->root());
  base::Result<Tree> result;
  if (patch.starts_with("[")) {
    result = apply_json_patch(tree->root(), patch);
  } else if (patch.starts_with("<")) {
    result = apply_xml_patch(tree->root(), patch);
  } else {
    const auto parameters = read_json(patch);
    if (!parameters) return parameters.error().message();
    result = apply_path_patch(tree->root(), parameters->root());
  }
  CHECK(write_json(tree->root()) == before);
  if (!result) return result.error().message();
  const std::string after = write_json(result->root());
  CHECK(read_json(after));
  return after;
}

std::string inner_xml(const pugi::xml_node& node) {
  std::ostringstream out;
  for (const pugi::xml_node child : node.children()) child.print(out, "", pugi::format_raw);
  return out.str();
}

Tree read_inner(const pugi::xml_node& node) {
  std::vector<ReadIssue> issues;
  ReadOptions options;
  options.issues = &issues;
  const auto tree = read_xml(inner_xml(node), options);
  if (!tree) FAIL(tree.error().message());
  return *tree;
}

}  // namespace

TEST_CASE("patch: goldens") {
  for (const char* file : {"json_patch.txt", "path_patch.txt", "xml_patch.txt"}) {
    const std::string report = test::run_text_cases(kSource + "/tests/golden/fhir/patch/" + file, run_case);
    INFO(report);
    CHECK(report.empty());
  }
}

TEST_CASE("patch: official FHIRPath Patch suite") {
  if (!std::filesystem::exists(kFolder)) {
    std::cout << "no ../shared/facts/fhir-test-cases: the patch suites are not run\n";
    return;
  }
  pugi::xml_document document;
  REQUIRE(document.load_file((kFolder + "fhir-patch-tests.xml").c_str(),
                             pugi::parse_default | pugi::parse_ws_pcdata));
  int cases = 0;
  for (const pugi::xml_node test : document.child("tests").children("case")) {
    ++cases;
    INFO(test.attribute("name").value());
    const Tree input = read_inner(test.child("input")), diff = read_inner(test.child("diff"));
    const auto result = apply_path_patch(input.root(), diff.root());
    if (test.child("error")) {
      CHECK_FALSE(result);
      continue;
    }
    if (!result) FAIL(result.error().message());
    const Tree output = read_inner(test.child("output"));
    CHECK(write_json(result->root()) == write_json(output.root()));
  }
  std::cout << "FHIRPath Patch suite: " << cases << " cases\n";
  CHECK(cases == 33);
}

TEST_CASE("patch: official XML Patch suite") {
  if (!std::filesystem::exists(kFolder)) return;
  pugi::xml_document document;
  REQUIRE(document.load_file((kFolder + "xml-patch-tests.xml").c_str()));
  int cases = 0, others = 0;
  for (const pugi::xml_node test : document.child("tests").children("case")) {
    INFO(test.attribute("name").value());
    const auto text_of = [&](const char* name) {
      std::ostringstream out;
      const pugi::xml_node node = test.child(name);
      (std::string_view(name) == "patch" ? node : node.first_child()).print(out, "", pugi::format_raw);
      return out.str();
    };
    const std::string patch = text_of("patch");
    // What no resource has: comments are dropped where one is read, namespaces are fixed.
    if (patch.find("comment") != std::string::npos || patch.find("namespace::") != std::string::npos ||
        patch.find("<add sel=\"f:doc/f:foo[@id='ert4773']\" pos=\"before\"") != std::string::npos) {
      ++others;
      continue;
    }
    ++cases;
    const auto result = apply_xml_patch(text_of("target"), patch);
    if (test.child("error")) {
      CHECK_FALSE(result);
      continue;
    }
    if (!result) FAIL(result.error().message());
    const auto plain = apply_xml_patch(text_of("patched"), "<diff><replace sel='f:doc'>" + text_of("patched") + "</replace></diff>");
    REQUIRE(plain);
    CHECK(*result == *plain);
  }
  std::cout << "XML Patch suite: " << cases << " cases, " << others << " about comments and namespaces\n";
  CHECK(cases == 25);
  CHECK(others == 4);
}

TEST_CASE("patch: official JSON Patch suite") {
  if (!std::filesystem::exists(kFolder)) return;
  const auto document = base::parse_json(read(kFolder + "json-patch-tests.json"));
  REQUIRE(document);
  int cases = 0;
  for (const base::JsonView test : document->root()) {
    ++cases;
    INFO(test["comment"].text());
    const auto result = apply_json_patch(base::print_json(test["doc"]), base::print_json(test["patch"]));
    if (test["error"]) {
      CHECK_FALSE(result);
      continue;
    }
    REQUIRE(result);
    ReadOptions untyped;
    untyped.typed = false;
    const auto found = read_json(*result, untyped),
               expected = read_json(base::print_json(test["expected"]), untyped);
    REQUIRE(found);
    REQUIRE(expected);
    CHECK(detail::same_value(detail::to_value(found->root()), detail::to_value(expected->root())));
  }
  std::cout << "JSON Patch suite: " << cases << " cases\n";
  CHECK(cases == 16);
}

TEST_CASE("patch: hostile patches end in an error, soon") {
  const auto error_of = [](const std::string& document, const std::string& patch) {
    const auto result = apply_json_patch(document, patch);
    return result ? std::string() : result.error().message();
  };
  // Each copy doubles the document.
  std::string copies = "[";
  for (int i = 0; i < 60; ++i) copies += R"({"op":"copy","from":"","path":"/a)" + std::to_string(i) + "\"},";
  copies.back() = ']';
  CHECK_THAT(error_of(R"({"x":"0123456789"})", copies), Catch::Contains("limit-exceeded"));
  std::string deep = "[";
  for (int i = 0; i < 200; ++i) deep += R"({"op":"copy","from":"/a","path":"/a/a"},)";
  deep.back() = ']';
  CHECK_THAT(error_of(R"({"a":{"b":1}})", deep), Catch::Contains("limit-exceeded"));
  std::string many = "[";
  for (int i = 0; i < 10'001; ++i) many += R"({"op":"test","path":"/a","value":1},)";
  many.back() = ']';
  CHECK_THAT(error_of(R"({"a":1})", many), Catch::Contains("too many operations"));
}

TEST_CASE("patch: hostile XML Patches end in an error, soon") {
  const auto error_of = [](const std::string& document, const std::string& patch) {
    const auto result = apply_xml_patch(document, patch);
    return result ? std::string() : result.error().message();
  };
  CHECK_THAT(error_of("<a/>", "<!DOCTYPE diff [<!ENTITY x 'y'>]><diff><remove sel='a'/></diff>"), Catch::Contains("xml-doctype"));
  CHECK_THAT(error_of("<a/>", "<diff><add sel='a'>&x;</add></diff>"), Catch::Contains("xml-entity"));
  CHECK_THAT(error_of("<a/>", "<diff><add sel='a'>\xff</add></diff>"), Catch::Contains("invalid-utf8"));
  CHECK_THAT(error_of("<a/>", "<diff>" + std::string(100'000, '<')), Catch::Contains("xml-syntax"));
  std::string wide = "<a xmlns='http://hl7.org/fhir'>", many = "<diff>";
  for (int i = 0; i < 3'000; ++i) wide += "<b><c v='1'/></b>";
  for (int i = 0; i < 9'000; ++i) many += "<replace sel=\"a/*[c/@v='2']/@v\">3</replace>";
  CHECK_THAT(error_of(wide + "</a>", many + "</diff>"), Catch::Contains("leads to nothing"));
  std::string once = "<diff>";
  for (int i = 0; i < 9'000; ++i) once += "<add sel=\"a/b[1]\"><d/></add>";
  CHECK_THAT(error_of(wide + "</a>", once + "</diff>"), Catch::Contains("limit-exceeded"));
  std::string much = "<diff><add sel='a'>";
  for (int i = 0; i < 100'000; ++i) much += "<b/>";
  CHECK_THAT(error_of("<a/>", much + "</add></diff>"), Catch::Contains("too many elements"));
  std::string steps = "a";
  for (int i = 0; i < 1'000; ++i) steps += "/*";
  CHECK_THAT(error_of("<a/>", "<diff><remove sel='" + steps + "'/></diff>"), Catch::Contains("too many steps"));
  std::string operations = "<diff>";
  for (int i = 0; i < 10'001; ++i) operations += "<replace sel='a/@v'>1</replace>";
  CHECK_THAT(error_of("<a xmlns='http://hl7.org/fhir' v='0'/>", operations + "</diff>"), Catch::Contains("too many operations"));
  for (const char* sel : {"", "//a", "a[", "a[1", "a[0]", "a[@v]", "a[@v='1]", "x:a", "a/", "a/@", "a[position()=1]", "a | a", "text()", "a/text()[x]", "../a"}) {
    INFO(sel);
    CHECK_THAT(error_of("<a xmlns='http://hl7.org/fhir'/>", "<diff><remove sel=\"" + std::string(sel) + "\"/></diff>"), Catch::Contains("fhir-patch:"));
  }
}
