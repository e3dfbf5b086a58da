// kiln fhir patch: JSON Patch, XML Patch and FHIRPath Patch over a resource.

#include "fhir/patch/patch.h"

#include "engine/detail/fhir_cli.h"
#include "engine/detail/input_bytes.h"
#include "fhir/model/json.h"
#include "fhir/model/xml.h"

namespace kiln::engine {
namespace {

using base::Result;

/// An XML Patch (RFC 5261): its root is <diff>, or <patch>.
bool is_xml_patch(std::string_view text) {
  std::size_t at = text.find('<');
  while (at != text.npos && at + 1 < text.size() && (text[at + 1] == '?' || text[at + 1] == '!')) at = text.find('<', at + 1);
  if (at == text.npos) return false;
  std::string_view name = text.substr(at + 1);
  name = name.substr(0, name.find_first_of(" \t\r\n/>"));
  if (const std::size_t colon = name.find(':'); colon != name.npos) name.remove_prefix(colon + 1);
  return name == "diff" || name == "patch";
}

Result<std::string> patch(const Arguments& arguments) {
  TRY(const std::string text, detail::read_bytes(arguments.text("FILE")));
  TRY(const std::string changes, detail::read_bytes(arguments.text("PATCH")));
  const detail::FhirDocument document{arguments.text("FILE"), text, false};
  const detail::FhirDocument patch_document{arguments.text("PATCH"), changes, false};
  TRY(const fhir::Tree tree, detail::read_document(document));
  // A JSON Patch is an array; Parameters are an object or XML.
  const bool is_array = changes.find_first_not_of(" \t\r\n") != std::string::npos &&
                        changes[changes.find_first_not_of(" \t\r\n")] == '[';
  fhir::Tree patched;
  if (is_xml_patch(changes)) {
    TRY(patched, fhir::apply_xml_patch(tree.root(), changes));
  } else if (is_array) {
    TRY(patched, fhir::apply_json_patch(tree.root(), changes));
  } else {
    TRY(const fhir::Tree parameters, detail::read_document(patch_document));
    TRY(patched, fhir::apply_path_patch(tree.root(), parameters.root()));
  }
  const bool pretty = arguments.has("--pretty");
  if (document.is_xml()) return fhir::write_xml(patched.root(), pretty);
  return fhir::write_json(patched.root(), pretty);
}

int run(const Arguments& arguments) {
  auto text = patch(arguments);
  if (!text) {
    report(text.error(), arguments);
    const auto category = text.error().info().category;
    return category == base::ErrorCategory::not_found || category == base::ErrorCategory::io ? kExitUsageFile
                                                                                             : kExitFound;
  }
  if (!text->ends_with('\n')) *text += '\n';
  print(*text);
  return kExitOk;
}

constexpr ArgumentSpec kArguments[] = {
    {"FILE", "the resource, FHIR JSON or XML"},
    {"PATCH", "a JSON Patch, an XML Patch, or Parameters of a FHIRPath Patch; - reads standard input"}};
constexpr OptionSpec kOptions[] = {{"--pretty", nullptr, "indented; not given: one line"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln fhir patch patient.json changes.json", "applies the patch and prints the patient"},
    {"kiln fhir patch --pretty patient.xml parameters.xml", "the same in XML"}};

}  // namespace

const CommandSpec& fhir_patch_spec() {
  static const CommandSpec spec{"fhir patch",
                                "Files",
                                "change a FHIR resource by a JSON Patch, an XML Patch or a FHIRPath Patch",
                                "The patch is applied whole or not at all; the result is printed in the "
                                "format of the resource. Exit 1 when it\n"
                                "does not fit or is not valid, 2 for usage and unreadable files.",
                                kArguments,
                                kOptions,
                                kExamples,
                                run,
                                kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
