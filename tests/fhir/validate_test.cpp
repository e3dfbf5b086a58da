// fhir/validation, the structure level: each tests/golden/validate/NAME.json gives exactly the issues of NAME.issues (APPROVE=1
// rewrites them); real resources give none.

#include "fhir/validation/validator.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "engine/base/archive.h"
#include "engine/base/env.h"
#include "fhir/definitions/definitions.h"
#include "tests/support/files_in.h"

using namespace kiln;
using namespace kiln::fhir;

namespace {

const std::string kSource = KILN_SOURCE_DIR;

std::string read(const std::string& path) {
  const auto bytes = base::system_env().read_file(path, 256u << 20);
  return bytes ? *bytes : std::string();
}

/// One line an issue: place in the text, code, FHIRPath, text.
std::string listing(const std::vector<Issue>& issues) {
  std::ostringstream out;
  for (const Issue& issue : issues) {
    out << issue.diagnostics << (issue.diagnostics.empty() ? "" : ": ");
    if (issue.severity != IssueSeverity::error) out << name_of(issue.severity) << " ";
    out << issue.code << " at " << (issue.expression.empty() ? "-" : issue.expression) << ": " << issue.text
        << "\n";
  }
  return out.str();
}

std::string issues_of(const std::string& text, std::size_t issues_max = 100, std::string_view expected_type = {}) {
  ValidatorOptions options;
  options.issues_max = issues_max;
  options.expected_type = expected_type;
  return listing(validate_structure(text, options));
}

}  // namespace

TEST_CASE("validate: goldens", "[validate]") {
  const bool approve = std::getenv("APPROVE") != nullptr;
  const auto inputs = test::files_in(kSource + "/tests/golden/validate", ".json");
  CHECK(inputs.size() > 10);
  for (const std::string& input : inputs) {
    CAPTURE(input);
    const std::string golden = input.substr(0, input.size() - 5) + ".issues";
    const std::string found = issues_of(read(input));
    if (approve) std::ofstream(golden) << found;
    CHECK(found == read(golden));
  }
}

TEST_CASE("validate: no element table is too wide for the walk", "[validate]") {
  for (const TypeDef& type : all_types()) CHECK(type.elements().size() <= 64);
}

TEST_CASE("validate: options", "[validate]") {
  const std::string wrong = R"({"resourceType":"Patient","a":1,"b":2,"c":3})";
  CHECK(issues_of(wrong, 2) ==
        "line 1, column 27: structure at Patient.a: Patient has no such element\n"
        "line 1, column 33: structure at Patient.b: Patient has no such element\n"
        "information informational at -: further issues are not listed\n");
  const std::string patient = R"({"resourceType":"Patient"})";
  CHECK(issues_of(patient, 100, "Patient").empty());
  CHECK(issues_of(patient, 100, "Group") ==
        "line 1, column 1: structure at Patient: expects the resource type Group\n");
  const auto issues = validate_structure(wrong);
  REQUIRE(issues.size() == 3);
  CHECK_FALSE(is_valid(issues));
  CHECK(is_valid({}));
  CHECK(is_valid({{IssueSeverity::warning, "x", {}, {}, {}}}));
}

TEST_CASE("validate: texts never hold the value or an odd member name", "[validate]") {
  const std::string text =
      R"({"resourceType":"Patient","Zaphod Beeblebrox":1,"birthDate":"Zaphod","gender":"Zaphod","active":"Zaphod",)"
      R"("generalPractitioner":[{"reference":"Patient/Zaphod"}],"name":"Zaphod"})";
  const std::string found = issues_of(text);
  CHECK(std::count(found.begin(), found.end(), '\n') == 7);
  CHECK(found.find("Zaphod") == std::string::npos);
}

TEST_CASE("validate: Synthea bundles are structurally right", "[validate][corpus]") {
  const auto files = test::files_in(kSource + "/../shared/corpus/synthea", ".json");
  if (files.empty()) {
    std::cout << "skipped: ../shared/corpus/synthea is not there\n";
    return;
  }
  for (const std::string& file : files) {
    CAPTURE(file);
    CHECK(issues_of(read(file)) == "");
  }
}

TEST_CASE("validate: the examples of the definitions package", "[validate][corpus]") {
  const char* folder = std::getenv("KILN_FHIR_PACKAGES");
  const std::string package = read(std::string(folder ? folder : "") + "/hl7.fhir.r4.examples-4.0.1.tgz");
  if (package.empty()) {
    std::cout << "skipped: no hl7.fhir.r4.examples-4.0.1.tgz in the folder KILN_FHIR_PACKAGES names\n";
    return;
  }
  std::string found;
  std::size_t resources = 0;
  const auto status =
      base::read_tgz(package, [&](std::string_view name, std::string_view bytes) -> base::Status {
        if (!name.ends_with(".json") || name == "package/package.json") return {};
        if (name.find('/') != name.rfind('/') || name.starts_with("package/.")) return {};
        ++resources;
        const std::string issues = issues_of(std::string(bytes));
        if (!issues.empty()) found += std::string(name) + "\n" + issues;
        return {};
      });
  CHECK(status);
  CHECK(resources == 5306);
  // What is listed there are errors of the published files, one by one.
  const std::string golden = kSource + "/tests/golden/validate/package_examples.txt";
  if (std::getenv("APPROVE") != nullptr) std::ofstream(golden) << found;
  CHECK(found == read(golden));
}
