// The shared validator cases: the same verdict as the official validator on at least 95 %; the rest is listed here, each
// with its reason. And the resources of the definitions package: no errors, less a listed few.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/archive.h"
#include "engine/base/env.h"
#include "engine/base/json.h"
#include "fhir/model/json.h"
#include "fhir/model/xml.h"
#include "fhir/validation/validator.h"

using namespace kiln;
using base::JsonView;

namespace {

const std::string kSource = KILN_SOURCE_DIR;
const std::string kCases = kSource + "/../shared/facts/fhir-test-cases/validator/";

std::string read(const std::string& path) {
  const auto bytes = base::system_env().read_file(path, 256u << 20);
  return bytes ? *bytes : std::string();
}

/// Cases whose verdict differs on purpose, or that need what is not there. Name (":profile" for the second run), reason.
const std::map<std::string, std::string>& known_differences() {
  static const std::map<std::string, std::string> list = {
#include "tests/fhir/validator_differences.inc"
  };
  return list;
}

struct Run {
  std::string name;
  bool expected = false, found = false;
  std::string first_error;
};

std::string first_error(const std::vector<fhir::Issue>& issues) {
  for (const fhir::Issue& issue : issues) {
    if (issue.severity <= fhir::IssueSeverity::error)
      return issue.code + " " + issue.expression + ": " + issue.text + " (" + issue.diagnostics + ")";
  }
  return "-";
}

void load(fhir::Library& library, JsonView files) {
  for (const JsonView file : files) {
    const auto loaded = library.load(base::system_env(), kCases + "files/" + std::string(file.text()));
    if (!loaded) std::cout << "not loaded: " << loaded.error().message() << "\n";
  }
}

Run run_case(JsonView one, bool with_profile) {
  const JsonView profile = one["profile"];
  fhir::Library library;
  load(library, one["load"]);
  fhir::ValidatorOptions options;
  options.refuse_markup = one["options"]["security-checks"].boolean();
  const JsonView examples = one["options"]["examples"];
  options.refuse_examples = examples && !examples.boolean();
  if (with_profile) {
    load(library, profile["load"]);
    const std::string path = kCases + "files/" + std::string(profile["source"].text());
    const std::string text = read(path);
    auto tree = path.ends_with(".xml") ? fhir::read_xml(text) : fhir::read_json(text);
    if (!tree) {
      std::vector<fhir::ReadIssue> issues;
      fhir::ReadOptions wide;
      wide.issues = &issues;
      tree = path.ends_with(".xml") ? fhir::read_xml(text, wide) : fhir::read_json(text, wide);
    }
    if (tree) {
      options.profiles.emplace_back(tree->root()["url"].text());
      library.add(std::move(*tree));
    }
  }
  const fhir::Validator validator(library);
  const auto issues = validator.validate_text(read(kCases + "files/" + std::string(one["file"].text())), options);
  const JsonView expect = with_profile ? profile["expect"] : one["expect"];
  return {std::string(one["name"].text()) + (with_profile ? ":profile" : ""), expect["valid"].boolean(),
          fhir::is_valid(issues), first_error(issues)};
}

struct Score {
  std::size_t same = 0, all = 0;
  double percent() const { return all ? 100.0 * static_cast<double>(same) / static_cast<double>(all) : 0; }
};

void report(const char* what, const std::vector<Run>& runs, Score& score, std::vector<std::string>& unlisted) {
  for (const Run& run : runs) {
    ++score.all;
    if (run.expected == run.found) {
      ++score.same;
      if (known_differences().contains(run.name)) unlisted.push_back(run.name + " is listed but agrees");
      continue;
    }
    const auto listed = known_differences().find(run.name);
    const std::string reason = listed == known_differences().end() ? "NOT LISTED" : listed->second;
    if (listed == known_differences().end()) unlisted.push_back(run.name);
    std::cout << "  " << run.name << ": expected " << (run.expected ? "valid" : "invalid") << ": " << reason;
    if (std::getenv("KILN_VERBOSE")) std::cout << " | " << run.first_error;
    std::cout << "\n";
  }
  std::cout << what << ": same verdict on " << score.same << " of " << score.all << "\n";
}

}  // namespace

TEST_CASE("validator: the shared cases", "[fhir][validator][cases]") {
  const std::string text = read(kCases + "manifest.json");
  if (text.empty()) {
    std::cout << "skipped: the shared validator cases are not here\n";
    return;
  }
  const auto manifest = base::parse_json(text);
  REQUIRE(manifest);
  const char* only = std::getenv("KILN_CASE");
  std::vector<Run> base_runs, profile_runs;
  for (const JsonView one : manifest->root()["cases"]) {
    if (only && one["name"].text() != only) continue;
    base_runs.push_back(run_case(one, false));
    if (one["profile"]) profile_runs.push_back(run_case(one, true));
  }
  Score base_score, profile_score;
  std::vector<std::string> unlisted;
  report("cases", base_runs, base_score, unlisted);
  report("cases against a profile", profile_runs, profile_score, unlisted);
  CHECK(unlisted == std::vector<std::string>());
  if (only) return;
  const Score together{base_score.same + profile_score.same, base_score.all + profile_score.all};
  std::cout << "together: " << together.same << " of " << together.all << " = " << together.percent() << " %\n";
  CHECK(base_score.all == 168);
  CHECK(profile_score.all == 47);
  CHECK(together.percent() >= 95.0);
}

TEST_CASE("validator: the examples of the definitions package", "[fhir][validator][package]") {
  const char* folder = std::getenv("KILN_FHIR_PACKAGES");
  const std::string bytes =
      read((folder ? std::string(folder) : kSource + "/../fhirpkg") + "/hl7.fhir.r4.examples-4.0.1.tgz");
  if (bytes.empty()) {
    std::cout << "skipped: the definitions package is not here (set KILN_FHIR_PACKAGES to its folder)\n";
    return;
  }
  static const std::map<std::string, std::string> known = {
#include "tests/fhir/example_differences.inc"
  };
  const fhir::Library library;
  const fhir::Validator validator(library);
  fhir::ReadOptions wide;
  wide.bytes_max = 256u << 20;
  fhir::ValidatorOptions options;
  options.now = base::WallTime{1'571'000'000'000'000};  // when R4 was published
  std::size_t count = 0, clean = 0;
  std::vector<std::string> unlisted;
  const auto status = base::read_tgz(bytes, [&](std::string_view name, std::string_view text) -> base::Status {
    // What is no instance example: the definitions themselves.
    static constexpr std::string_view kDefinitions[] = {"CodeSystem-",      "ValueSet-",            "ConceptMap-",
                                                        "SearchParameter-", "OperationDefinition-", "CompartmentDefinition-",
                                                        "StructureDefinition-"};
    if (!name.starts_with("package/") || !name.ends_with(".json") || name.find('/', 8) != name.npos ||
        name == "package/package.json" || name == "package/.index.json")
      return {};
    name.remove_prefix(8);
    for (const std::string_view prefix : kDefinitions) {
      if (name.starts_with(prefix) && name != "CompartmentDefinition-example.json") return {};
    }
    ++count;
    const auto issues = validator.validate_text(text, options, wide);
    if (fhir::is_valid(issues)) {
      ++clean;
      if (known.contains(std::string(name))) unlisted.push_back(std::string(name) + " is listed but has no error");
      return {};
    }
    const auto listed = known.find(std::string(name));
    if (listed == known.end()) unlisted.push_back(std::string(name) + ": " + first_error(issues));
    return {};
  });
  REQUIRE(status);
  std::string list;
  for (const std::string& name : unlisted) list += name + "\n";
  std::cout << "examples without an error: " << clean << " of " << count << ", listed with a reason: " << known.size()
            << "\n" << list;
  CHECK(count >= 741);
  CHECK(unlisted.empty());
}
