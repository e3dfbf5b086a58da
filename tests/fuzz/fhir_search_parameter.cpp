// Fuzz target of added search parameters: any SearchParameter is taken or refused; one that is taken has a fingerprint
// that depends on its text alone, and its expression ends on any resource. Useful sizes: up to 600 bytes
// (-max_len=600 -dict=tests/fuzz/dictionaries/fhirpath).

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "fhir/search/custom_parameters.h"

namespace {

using namespace kiln;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto document = base::parse_json(text);
  if (!document) return 0;
  const auto read = fhir::read_search_parameter(document->root());
  if (!read) return 0;
  const auto again = fhir::read_search_parameter(document->root());
  require(again && again->size() == read->size());
  static const auto patient = base::parse_json(
      R"({"resourceType":"Patient","id":"p","name":[{"family":"Sample","given":["Ida"]}],"birthDate":"1984-02",)"
      R"("extension":[{"url":"urn:e","valueCode":"x"}],"contact":[{"name":{"family":"Other"}}]})");
  for (std::size_t i = 0; i < read->size(); ++i) {
    const fhir::CustomDefinition& one = *(*read)[i];
    require(one.fingerprint() == (*again)[i]->fingerprint());
    require(fhir::type_parameters(one.type) != nullptr && !one.code.empty());
    fhir::Parameter parameter;
    parameter.code = one.code;
    parameter.kind = fhir::detail::kind_of(one.search_type);
    parameter.extractor = one.extractor.get();
    parameter.custom = &one;
    fhir::extract_rows(parameter, patient->root(), "http://fuzz.test/fhir");
  }
  return 0;
}
