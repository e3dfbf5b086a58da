// Speed of the FHIR tree and of FHIRPath on one core (fhir.md §3, §17): JSON read typed and written, two
// expressions that everything else is made of, and the invariants of a resource type.

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "engine/base/env.h"
#include "fhir/model/json.h"
#include "fhir/path/path.h"

namespace {

using namespace kiln;
using namespace kiln::fhir;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

constexpr const char* kPatient =
    R"({"resourceType":"Patient","id":"p1","active":true,"name":[{"use":"official","family":"Sample","given":["Ida",)"
    R"("Mae"]},{"use":"usual","given":["Idi"]},{"use":"maiden","family":"Brandt","given":["Ida","Mae"],"period":)"
    R"({"end":"2002"}}],"telecom":[{"use":"home"},{"system":"phone","value":"+49 555 0100","use":"work","rank":1}],)"
    R"("gender":"female","birthDate":"1984-02-29","deceasedBoolean":false,"address":[{"use":"home","line":)"
    R"(["Gartenweg 12"],"city":"Neustadt","postalCode":"12345"}],"managingOrganization":{"reference":"Organization/1"}})";

/// A Bundle of patients and observations in compact JSON, some megabytes.
std::string make_bundle() {
  std::string text = R"({"resourceType":"Bundle","type":"collection","entry":[)";
  for (int i = 0; i < 2'000; ++i) {
    if (i > 0) text += ',';
    text += R"({"fullUrl":"urn:uuid:00000000-0000-4000-8000-)" + std::to_string(100000000000 + i) +
            R"(","resource":)";
    text += kPatient;
    text +=
        R"(},{"resource":{"resourceType":"Observation","status":"final","category":[{"coding":[{"system":)"
        R"("http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}],"code":{"coding":)"
        R"([{"system":"http://loinc.org","code":"2339-0","display":"Glucose"}],"text":"Glucose"},"subject":)"
        R"({"reference":"Patient/p1"},"effectiveDateTime":"2024-01-31T08:15:00+01:00","valueQuantity":{"value":)" +
        std::to_string(i % 200) +
        R"(.50,"unit":"mg/dL","system":"http://unitsofmeasure.org","code":"mg/dL"}}})";
  }
  return text + "]}";
}

/// Runs `work` for about `seconds` of CPU time; calls per second, the best of three.
template <class Work>
double rate(double seconds, Work work) {
  double best = 0;
  for (int round = 0; round < 3; ++round) {
    std::size_t done = 0;
    const double begin = cpu_seconds();
    double end = begin;
    for (std::size_t batch = 1; end - begin < seconds; batch *= 2) {
      for (std::size_t i = 0; i < batch; ++i) work();
      done += batch;
      end = cpu_seconds();
    }
    best = std::max(best, static_cast<double>(done) / (end - begin));
  }
  return best;
}

int missed = 0;
void goal(const char* what, double value, const char* unit, double least) {
  const bool reached = value >= least;
  std::printf("%-52s %12.0f %-8s goal %8.0f %s\n", what, value, unit, least, reached ? "reached" : "MISSED");
  if (!reached) ++missed;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> texts;
  for (int i = 1; i < argc; ++i) {
    auto text = base::system_env().read_file(argv[i], 256u << 20);
    if (text) texts.push_back(std::move(*text));
  }
  if (texts.empty()) texts.push_back(make_bundle());
  ReadOptions options;
  options.bytes_max = 256u << 20;
  for (const std::string& text : texts) {
    const auto tree = read_json(text, options);
    if (!tree) {
      std::fprintf(stderr, "%s\n", tree.error().message().c_str());
      return 1;
    }
    const double megabytes = static_cast<double>(text.size()) / 1e6;
    std::printf("%.1f MB of JSON, %zu nodes\n", megabytes, tree->size());
    goal("read JSON, typed", megabytes * rate(0.7, [&] { (void)read_json(text, options); }), "MB/s", 150);
    std::string out;
    std::printf("%-52s %12.0f MB/s\n", "write JSON", megabytes * rate(0.4, [&] {
                                                       out.clear();
                                                       append_json(out, tree->root());
                                                     }));
  }
  const Tree patient = *read_json(kPatient);
  PathResult result;
  const PathEnvironment environment;
  const auto evaluate = [&](const char* text, double least) {
    const auto compiled = PathExpression::compile(text);
    const double found = rate(0.4, [&] { (void)compiled->evaluate(patient.root(), environment, result); });
    goal(text, found, "/s", least);
  };
  evaluate("Patient.birthDate", 500'000);
  evaluate("name.where(use='official').given.first()", 200'000);
  std::vector<PathExpression> invariants;
  for (const Invariant& invariant : patient.root().type()->invariants())
    if (!invariant.expression().empty())
      invariants.push_back(*PathExpression::compile(invariant.expression()));
  std::printf("%-52s %12.0f /s\n", "all invariants on Patient itself", rate(0.4, [&] {
                for (const PathExpression& invariant : invariants)
                  (void)invariant.holds(patient.root(), environment, result);
              }));
  std::printf("%-52s %12.0f /s\n", "compile name.where(use='official').given.first()",
              rate(0.4, [&] { (void)PathExpression::compile("name.where(use='official').given.first()"); }));
  return missed == 0 ? 0 : 1;
}
