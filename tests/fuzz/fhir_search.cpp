// Fuzz target of fhir/search: any query is a search or is refused; what is a search shows in `self` a query that means
// the same, and can be asked of resources in memory. The first line is the type, the rest the query; it is also read as
// a paging link. Useful sizes: up to 300 bytes (-max_len=300).

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "engine/base/text.h"
#include "fhir/detail/paging.h"
#include "fhir/search/query.h"

namespace {

using namespace kiln;

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr std::string_view kBase = "http://fuzz.test/fhir";
constexpr std::string_view kPatient =
    R"({"resourceType":"Patient","id":"p","identifier":[{"system":"urn:m","value":"1"}],"name":[{"family":"Sample",)"
    R"("given":["Ida"]}],"birthDate":"1984-02","gender":"female","managingOrganization":{"reference":"Organization/o"}})";
constexpr std::string_view kObservation =
    R"({"resourceType":"Observation","id":"o","status":"final","code":{"coding":[{"system":"urn:l","code":"1"}]},)"
    R"("subject":{"reference":"Patient/p"},"effectiveDateTime":"2024-02-29","valueQuantity":{"value":1.50,"unit":"mg"}})";

fhir::IndexRows rows_of(std::string_view type, std::string_view text) {
  const auto document = base::parse_json(text);
  return fhir::extract_rows(*fhir::type_parameters(type), document->root(), nullptr, kBase);
}

std::string joined(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string out;
  for (const auto& [name, value] : pairs)
    out += (out.empty() ? "" : "&") + base::percent_encode(name) + "=" + base::percent_encode(value);
  return out;
}

void check(std::string_view type, std::string_view query, fhir::SearchMode mode) {
  const auto search = fhir::parse_search(type, base::parse_query(query), mode, kBase);
  if (!search) return;
  require(search->query.type == type);
  static const fhir::IndexRows patient = rows_of("Patient", kPatient), observation = rows_of("Observation", kObservation);
  const fhir::IndexRows& rows = type == "Patient" ? patient : observation;
  const bool hit = fhir::matches(search->query, rows, "p");
  if (mode == fhir::SearchMode::conditional) return;
  // What was used, asked again, is the same search.
  const auto again = fhir::parse_search(type, base::parse_query(joined(search->self)), mode, kBase);
  require(again.has_value());
  require(again->self == search->self);
  require(again->query.clauses.size() == search->query.clauses.size());
  require(fhir::matches(again->query, rows, "p") == hit);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = text.find('\n');
  const std::string_view query = line == text.npos ? text : text.substr(line + 1);
  const std::string_view type = text.substr(0, line) == "Patient" ? "Patient" : "Observation";
  check(type, query, fhir::SearchMode::lenient);
  check(type, query, fhir::SearchMode::strict);
  check(type, query, fhir::SearchMode::conditional);
  require(!fhir::detail::open_page_token("a secret of the server", "Patient?", query));
  return 0;
}
