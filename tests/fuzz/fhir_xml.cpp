// Fuzz target of fhir/model/xml.h: any bytes are read or refused; what is read strictly is written as XML
// that reads back to the same XML, its JSON is FHIR JSON with the same limits and gives the same XML again.
// What is read with issues can be validated. Useful sizes: up to 800 bytes (-max_len=800
// -dict=tests/fuzz/dictionaries/fhir_xml).

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "engine/base/text.h"
#include "fhir/model/json.h"
#include "fhir/model/xhtml.h"
#include "fhir/model/xml.h"
#include "fhir/validation/validator.h"

using namespace kiln;

namespace {

/// A broken promise: ends the process, which both libFuzzer and the replay report.
void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto tree = fhir::read_xml(text);
  if (tree) {
    const auto xml = fhir::write_xml(tree->root());
    require(xml.has_value() && base::is_valid_utf8(*xml));
    const auto again = fhir::read_xml(*xml);
    require(again.has_value());
    require(fhir::write_xml(again->root()).value_or("") == *xml);
    const std::string json = fhir::write_json(tree->root());
    const auto from_json = fhir::read_json(json);
    require(from_json.has_value());
    require(fhir::write_json(from_json->root()) == json);
    require(fhir::write_xml(from_json->root()).value_or("") == *xml);
    const auto pretty = fhir::write_xml(tree->root(), true);
    const auto from_pretty = pretty ? fhir::read_xml(*pretty) : tl::unexpected(pretty.error());
    require(from_pretty && fhir::write_xml(from_pretty->root()).value_or("") == *xml);
  }
  std::vector<fhir::ReadIssue> issues;
  fhir::ReadOptions collecting;
  collecting.issues = &issues;
  const auto generous = fhir::read_xml(text, collecting);
  require(!tree || (generous && issues.empty()));
  require(tree || !generous || !issues.empty());
  if (generous) {
    for (const fhir::ReadIssue& issue : issues) require(issue.offset <= size);
    for (const fhir::Issue& issue : fhir::validate_structure(*generous, {})) require(!issue.text.empty());
    fhir::write_json(generous->root());
  }
  // What may stand in a narrative is well-formed.
  if (fhir::is_allowed_xhtml(text)) require(fhir::check_xhtml_form(text).empty());
  return 0;
}
