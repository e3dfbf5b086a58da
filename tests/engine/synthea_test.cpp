// The Synthea bundles of the shared corpus, loaded through the API.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "tests/engine/fhir_fixture.h"

using namespace kiln;
using test::FhirServer;
using test::Json;

namespace {

std::vector<std::string> synthea_files() {
  const std::filesystem::path folder = std::filesystem::path(KILN_SOURCE_DIR) / "../shared/corpus/synthea";
  std::vector<std::string> files;
  if (!std::filesystem::exists(folder)) return files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".json") files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());  // the two batches ("0-…") first: the others refer to what they hold
  return files;
}

}  // namespace

TEST_CASE("Synthea loads whole, with every reference resolved", "[synthea]") {
  const auto files = synthea_files();
  if (files.empty()) {
    std::puts("synthea_test: skipped, ../shared/corpus/synthea is not there");
    return;
  }
  FhirServer server;
  for (const std::string& file : files) {
    std::ifstream in(file, std::ios::binary);
    const auto response = server.send(
        "POST", "/", std::string{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()},
        {{"Prefer", "return=minimal"}});
    INFO(file << "\n" << response.body.substr(0, 2000));
    REQUIRE(response.status == 200);
    const Json json(response.body);
    std::size_t created = 0;
    for (const auto entry : json["entry"]) created += entry["response"]["status"].text() == "201 Created";
    CHECK(created == json["entry"].size());
  }
  const std::map<std::string, std::int64_t> expected = {{"Observation", 1651},
                                                        {"DiagnosticReport", 244},
                                                        {"PractitionerRole", 195},
                                                        {"Practitioner", 195},
                                                        {"Organization", 194},
                                                        {"Location", 194},
                                                        {"Claim", 149},
                                                        {"Encounter", 127},
                                                        {"DocumentReference", 127},
                                                        {"ExplanationOfBenefit", 127},
                                                        {"Procedure", 109},
                                                        {"Immunization", 102},
                                                        {"SupplyDelivery", 78},
                                                        {"Condition", 65},
                                                        {"CareTeam", 23},
                                                        {"CarePlan", 23},
                                                        {"MedicationRequest", 22},
                                                        {"AllergyIntolerance", 17},
                                                        {"Patient", 10},
                                                        {"Provenance", 10},
                                                        {"Medication", 8},
                                                        {"MedicationAdministration", 8},
                                                        {"ImagingStudy", 2}};
  const auto counts = server.store->counts();
  REQUIRE(counts);
  CHECK(std::map<std::string, std::int64_t>(counts->resources.begin(), counts->resources.end()) == expected);
  std::size_t unresolved = 0;
  for (std::int64_t seq = 0;;) {
    const auto changes = server.store->changes_since(seq, 500);
    REQUIRE(changes);
    if (changes->empty()) break;
    seq = changes->back().seq;
    for (const auto& change : *changes)
      unresolved += change.body.find("\"reference\":\"urn:uuid:") != std::string::npos ||
                    change.body.find("?identifier=") != std::string::npos;
  }
  CHECK(unresolved == 0);
}
