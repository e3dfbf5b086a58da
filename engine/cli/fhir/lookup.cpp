// kiln fhir lookup: what is known of a code.

#include "engine/base/json.h"
#include "engine/detail/terminology_cli.h"
#include "fhir/terminology/terminology.h"

namespace kiln::engine {
namespace {

int run(const Arguments& arguments) {
  fhir::Library library;
  if (const auto loaded = detail::load_definitions(library, arguments); !loaded) {
    report(loaded.error(), arguments);
    return kExitUsageFile;
  }
  const fhir::Terminology terminology(library);
  const auto found = terminology.lookup(arguments.text("SYSTEM"), arguments.text("CODE"));
  if (!found) {
    report(found.error(), arguments);
    return kExitFound;
  }
  if (!arguments.json()) {
    std::string text =
        found->code + "\t" + found->display + (found->is_abstract ? "\t(abstract)" : "") + "\n";
    if (!found->canonical.empty()) text += "  base units " + found->canonical + "\n";
    for (const std::string& parent : found->parents) text += "  parent " + parent + "\n";
    for (const std::string& child : found->children) text += "  child " + child + "\n";
    print(text);
    return kExitOk;
  }
  base::JsonWriter json;
  json.begin_object().member("code", found->code).member("display", found->display);
  json.member("system", arguments.text("SYSTEM"))
      .member("name", found->system_name)
      .member("version", found->version);
  if (!found->canonical.empty()) json.member("baseUnits", found->canonical);
  json.key("abstract").boolean(found->is_abstract).key("parents").begin_array();
  for (const std::string& parent : found->parents) json.string(parent);
  json.end_array().key("children").begin_array();
  for (const std::string& child : found->children) json.string(child);
  print(json.end_array().end_object().take() + "\n");
  return kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"SYSTEM", "url of the code system"}, {"CODE", "the code"}};
constexpr OptionSpec kOptions[] = {detail::kLoadOption, detail::kPackagesOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln fhir lookup http://terminology.hl7.org/CodeSystem/v3-ActCode AMB",
     "display, parents and children"},
    {"kiln fhir lookup http://unitsofmeasure.org mg/dL", "a unit of the table: its base units"}};

}  // namespace

const CommandSpec& fhir_lookup_spec() {
  static const CommandSpec spec{
      "fhir lookup",
      "Files",
      "show a code of a code system, offline",
      "Exit 1 when the code, or the code system, is not at hand; 2 for usage and unreadable files.",
      kArguments,
      kOptions,
      kExamples,
      run,
      kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
