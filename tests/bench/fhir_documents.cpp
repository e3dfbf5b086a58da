// Speed of XML, conversion and validation, on one core: processor time. Input: the Synthea bundles of ../shared (or own
// samples where they are not there). Usage: bench_fhir_documents [seconds per line, default 2]

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "fhir/definitions/resources.h"
#include "fhir/model/json.h"
#include "fhir/model/xml.h"
#include "fhir/validation/validator.h"

using namespace kiln;

namespace {

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

const char* const kSmall =
    R"({"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:mrn","value":"1001"}],"active":true,)"
    R"("name":[{"use":"official","family":"Probe","given":["Ada","Bea"]}],"telecom":[{"system":"phone","value":"555-0100"}],)"
    R"("gender":"female","birthDate":"1980-05-01","address":[{"line":["1 Test Way"],"city":"Teststadt","postalCode":"12345"}]})";

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The resources of the bundles, each by itself.
std::vector<std::string> resources_at_hand() {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(KILN_SOURCE_DIR) + "/../shared/corpus/synthea", error)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> list;
  for (const auto& file : files) {
    const auto tree = fhir::read_json(read(file));
    if (!tree) continue;
    for (const fhir::Node entry : tree->root()) {
      if (entry.name() == "entry" && entry["resource"]) list.push_back(fhir::write_json(entry["resource"]));
    }
  }
  if (list.empty()) list.emplace_back(kSmall);
  return list;
}

/// Runs `step(i)` over the list again and again for so long; the number of steps and seconds.
template <class Step>
std::pair<double, double> repeat(std::size_t size, double seconds, Step step) {
  std::size_t done = 0;
  const double begin = cpu_seconds();
  double end = begin;
  while (end - begin < seconds) {
    for (std::size_t i = 0; i < size; ++i) step(i);
    done += size;
    end = cpu_seconds();
  }
  return {static_cast<double>(done), end - begin};
}

void line(const char* name, double value, const char* unit, double target) {
  std::printf("%-22s %12.0f %-6s target %.0f  %s\n", name, value, unit, target, value >= target ? "reached" : "MISSED");
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 2;
  double begin = cpu_seconds();
  fhir::is_shipped("ValueSet", "none");
  std::printf("%-22s %12.2f ms\n", "definitions-index", (cpu_seconds() - begin) * 1e3);
  begin = cpu_seconds();
  const fhir::Library library;
  const fhir::Validator validator(library);
  validator.validate_text(kSmall);
  std::printf("%-22s %12.2f ms\n", "first-validation", (cpu_seconds() - begin) * 1e3);

  const std::vector<std::string> resources = resources_at_hand();
  std::vector<fhir::Tree> trees;
  std::string bundle = "{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":[";
  for (std::size_t i = 0; i < resources.size(); ++i) {
    trees.push_back(*fhir::read_json(resources[i]));
    if (bundle.size() < (8u << 20)) bundle += (i ? ",{\"resource\":" : "{\"resource\":") + resources[i] + "}";
  }
  bundle += "]}";
  const auto whole = fhir::read_json(bundle);
  const std::string xml = whole ? fhir::write_xml(whole->root()).value_or("") : "";
  std::printf("%zu resources, %.0f bytes on average; a bundle of %zu bytes of XML\n", resources.size(),
              static_cast<double>(bundle.size()) / static_cast<double>(resources.size()), xml.size());

  auto [count, time] = repeat(1, seconds, [&](std::size_t) {
    if (!fhir::read_xml(xml)) std::abort();
  });
  line("xml-parse", count * static_cast<double>(xml.size()) / 1e6 / time, "MB/s", 100);
  std::tie(count, time) = repeat(1, seconds, [&](std::size_t) {
    const auto tree = fhir::read_json(kSmall);
    if (!tree || !fhir::write_xml(tree->root())) std::abort();
  });
  line("json-to-xml-small", count / time, "/s", 20'000);
  std::tie(count, time) = repeat(trees.size(), seconds, [&](std::size_t i) {
    if (!fhir::write_xml(trees[i].root())) std::abort();
  });
  line("xml-write", count / time, "/s", 20'000);
  fhir::ValidatorOptions base;
  base.level = fhir::ValidationLevel::invariants;
  std::size_t invalid = 0;
  std::tie(count, time) = repeat(resources.size(), seconds, [&](std::size_t i) {
    if (!fhir::is_valid(validator.validate_text(resources[i], base))) ++invalid;
  });
  line("validate-base", count / time, "/s", 10'000);
  std::tie(count, time) = repeat(resources.size(), seconds, [&](std::size_t i) {
    validator.validate_text(resources[i]);
  });
  std::printf("%-22s %12.0f /s\n", "validate-profile", count / time);
  std::tie(count, time) = repeat(trees.size(), seconds, [&](std::size_t i) { fhir::validate_structure(trees[i]); });
  std::printf("%-22s %12.0f /s\n", "validate-structure", count / time);
  return 0;
}
