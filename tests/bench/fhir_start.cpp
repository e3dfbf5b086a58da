// What the FHIR definitions cost a process that begins to use them: processor time and memory, from nothing
// to the first validation with profiles and the first rows of a search index. Ends with 1 when a limit of
// issue size is passed. Usage: bench_fhir_start

#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <string>

#include "engine/base/json.h"
#include "fhir/definitions/definitions.h"
#include "fhir/definitions/resources.h"
#include "fhir/search/parameters.h"
#include "fhir/validation/validator.h"

using namespace kiln;

namespace {

constexpr double kMillisecondsMax = 30, kMegabytesMax = 15;

const char* const kPatient =
    R"({"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:mrn","value":"1001"}],"active":true,)"
    R"("name":[{"use":"official","family":"Probe","given":["Ada","Bea"]}],"telecom":[{"system":"phone","value":"555-0100"}],)"
    R"("gender":"female","birthDate":"1980-05-01","address":[{"line":["1 Test Way"],"city":"Teststadt"}]})";

double milliseconds() {
  return static_cast<double>(std::clock()) * 1e3 / CLOCKS_PER_SEC;
}

/// Pages of this process in memory, those of the binary's own tables included.
double resident() {
  long all = 0, pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%ld %ld", &all, &pages) != 2) pages = 0;
    std::fclose(file);
  }
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

double allocated() {
  const auto info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd) / 1e6;
}

struct Mark {
  double time = milliseconds(), pages = resident(), heap = allocated();
};

void line(const char* name, const Mark& from) {
  const Mark now;
  std::printf("%-34s %8.2f ms %8.2f MB resident %8.2f MB allocated\n", name, now.time - from.time,
              now.pages - from.pages, now.heap - from.heap);
}

}  // namespace

int main() {
  const Mark start;
  Mark step;
  std::size_t elements = 0;
  for (const fhir::TypeDef& type : fhir::all_types())
    for (const fhir::ElementDef& element : type.elements()) elements += element.name().size();
  line("every type and element read", step);
  step = {};
  fhir::is_shipped("ValueSet", "none");
  line("index of the shipped resources", step);
  step = {};
  const fhir::Library library;
  const fhir::Validator validator(library);
  const bool valid = fhir::is_valid(validator.validate_text(kPatient));
  line("first validation, with profiles", step);
  step = {};
  const auto document = base::parse_json(kPatient);
  const std::size_t rows =
      document
          ? fhir::extract_rows(*fhir::type_parameters("Patient"), document->root(), nullptr, "").tokens.size()
          : 0;
  line("first rows of a search index", step);
  line("all together", start);
  const Mark end;
  if (elements == 0 || !valid || rows == 0) return 2;
  const bool good = end.time - start.time < kMillisecondsMax && end.pages - start.pages < kMegabytesMax;
  std::printf("limits: %.0f ms, %.0f MB: %s\n", kMillisecondsMax, kMegabytesMax, good ? "kept" : "PASSED");
  return good ? 0 : 1;
}
