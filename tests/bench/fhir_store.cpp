// Speed of the FHIR store: small transactions in group commits of 1, 8, 32, and Synthea resources per second.
// Usage: bench_fhir_store [seconds per line, default 2]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/engine/fhir_fixture.h"

using namespace kiln;

namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
double cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

/// What one ADT message becomes: a Patient and an Encounter matched by identifier, and an Observation that
/// refers to both.
std::string small_transaction(std::uint64_t n) {
  const std::string id = std::to_string(n), patient = "urn:uuid:00000000-0000-0000-0000-000000000001",
                    encounter = "urn:uuid:00000000-0000-0000-0000-000000000002";
  const auto identified = [&](const char* system) {
    return R"("identifier":[{"system":")" + std::string(system) + R"(","value":")" + id + R"("}])";
  };
  return R"({"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":")" + patient +
         R"(","resource":{"resourceType":"Patient",)" + identified("urn:mrn") +
         R"(,"name":[{"family":"Probe","given":["Ada","Bea"]}],"gender":"female","birthDate":"1980-05-01",)"
         R"("address":[{"line":["1 Test Way"],"city":"Teststadt","postalCode":"12345"}],"telecom":[{"system":"phone","value":"555-0100"}]},)"
         R"("request":{"method":"PUT","url":"Patient?identifier=urn:mrn|)" +
         id + R"("}},{"fullUrl":")" + encounter + R"(","resource":{"resourceType":"Encounter",)" +
         identified("urn:visit") +
         R"(,"status":"in-progress","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"IMP"},"subject":{"reference":")" +
         patient +
         R"("},"period":{"start":"2024-05-01T10:00:00Z"}},"request":{"method":"PUT","url":"Encounter?identifier=urn:visit|)" +
         id + R"("}},{"resource":{"resourceType":"Observation",)" + identified("urn:obs") +
         R"(,"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"718-7"}]},"subject":{"reference":")" +
         patient + R"("},"encounter":{"reference":")" + encounter +
         R"("},"effectiveDateTime":"2024-05-01T10:00:00Z","valueQuantity":{"value":13.50,"unit":"g/dL",)"
         R"("system":"http://unitsofmeasure.org","code":"g/dL"}},"request":{"method":"PUT","url":"Observation?identifier=urn:obs|)" +
         id + R"("}}]})";
}

void bench_small(std::size_t group, double seconds, bool validate) {
  test::FhirServer server;
  server.context.validate = validate;
  fhir::ApplyOptions options;
  std::uint64_t done = 0;
  const double begin = seconds_now(), cpu = cpu_seconds();
  while (seconds_now() - begin < seconds) {
    if (!server.store->begin()) std::abort();
    for (std::size_t i = 0; i < group; ++i, ++done) {
      const test::Json bundle(small_transaction(done));
      const auto applied = fhir::apply_bundle(*server.store, bundle.root, server.context, options);
      if (!applied) {
        std::fprintf(stderr, "%s\n", fhir::print_outcome(applied.error()).c_str());
        std::exit(1);
      }
    }
    if (!server.store->commit()) std::abort();
  }
  const double wall = seconds_now() - begin, used = cpu_seconds() - cpu;
  std::printf(
      "small transactions (3 conditional PUTs), validate %-3s group of %3zu: %7.0f tx/s wall, %7.0f tx per "
      "CPU-second\n",
      validate ? "on" : "off", group, static_cast<double>(done) / wall, static_cast<double>(done) / used);
}

void bench_synthea() {
  const std::filesystem::path folder = std::filesystem::path(KILN_SOURCE_DIR) / "../shared/corpus/synthea";
  if (!std::filesystem::exists(folder)) {
    std::puts("synthea: skipped, ../shared/corpus/synthea is not there");
    return;
  }
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".json") files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  test::FhirServer server;
  double wall = 0;
  const double cpu = cpu_seconds();
  std::size_t bytes = 0;
  for (const std::string& file : files) {
    std::ifstream in(file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    bytes += text.size();
    const double begin = seconds_now();
    const auto response = server.send("POST", "/", text, {{"Prefer", "return=minimal"}});
    wall += seconds_now() - begin;
    if (response.status != 200) std::printf("%s: %d\n", file.c_str(), response.status);
  }
  const auto versions = static_cast<double>(server.store->counts()->versions);
  if (!server.store->checkpoint()) std::abort();
  std::printf(
      "synthea: %.0f resources, %.1f MB: %.0f resources/s wall, %.0f per CPU-second; store file %.1f MB\n",
      versions, static_cast<double>(bytes) / 1e6, versions / wall, versions / (cpu_seconds() - cpu),
      static_cast<double>(std::filesystem::file_size(server.options.path)) / 1e6);
}

void bench_read(double seconds) {
  test::FhirServer server;
  fhir::ApplyOptions options;
  if (!server.store->begin()) std::abort();
  for (std::uint64_t n = 0; n < 5'000; ++n) {
    const test::Json bundle(small_transaction(n));
    if (!fhir::apply_bundle(*server.store, bundle.root, server.context, options)) std::abort();
  }
  if (!server.store->commit()) std::abort();
  for (const char* what : {"/Patient?identifier=urn:mrn|",
                           "/Observation?code=http://loinc.org|718-7&_count=20&_total=none&x="}) {
    std::uint64_t done = 0;
    const double begin = seconds_now(), cpu = cpu_seconds();
    for (; seconds_now() - begin < seconds; ++done)
      if (server.send("GET", what + std::to_string(done % 5'000)).status != 200) std::abort();
    std::printf("GET %-70s: %7.0f /s wall, %7.0f per CPU-second\n", what,
                static_cast<double>(done) / (seconds_now() - begin),
                static_cast<double>(done) / (cpu_seconds() - cpu));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 2;
  for (const std::size_t group : {1u, 8u, 32u}) bench_small(group, seconds, true);
  bench_small(32, seconds, false);
  bench_read(seconds);
  bench_synthea();
}
