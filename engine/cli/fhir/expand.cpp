// kiln fhir expand: the codes of a value set.

#include "engine/base/json.h"
#include "engine/detail/terminology_cli.h"
#include "fhir/terminology/terminology.h"

namespace kiln::engine {
namespace {

void print_expansion(const std::string& url, const fhir::Expansion& expansion) {
  base::JsonWriter json;
  json.begin_object().member("resourceType", "ValueSet").member("url", url).member("status", "active");
  json.key("expansion").begin_object().key("total").integer(static_cast<std::int64_t>(expansion.total));
  json.key("contains").begin_array();
  for (const fhir::CodeEntry& code : expansion.codes) {
    json.begin_object().member("system", code.system).member("code", code.code);
    if (code.is_abstract) json.key("abstract").boolean(true);
    if (!code.display.empty()) json.member("display", code.display);
    json.end_object();
  }
  json.end_array().end_object();
  print(json.end_object().take() + "\n");
}

int run(const Arguments& arguments) {
  fhir::Library library;
  if (const auto loaded = detail::load_definitions(library, arguments); !loaded) {
    report(loaded.error(), arguments);
    return kExitUsageFile;
  }
  const std::string url = arguments.text("URL");
  fhir::ExpandOptions options;
  options.filter = arguments.text("--filter");
  const auto expansion = fhir::Terminology(library).expand(url, options);
  if (!expansion) {
    report(expansion.error(), arguments);
    return kExitFound;
  }
  if (arguments.json()) {
    print_expansion(url, *expansion);
  } else {
    for (const fhir::CodeEntry& code : expansion->codes)
      print(code.system + "|" + code.code + "\t" + code.display + "\n");
  }
  return kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"URL", "canonical url of the value set"}};
constexpr OptionSpec kOptions[] = {{"--filter", "TEXT", "only codes with this in the code or the display"},
                                   detail::kLoadOption,
                                   detail::kPackagesOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln fhir expand http://hl7.org/fhir/ValueSet/administrative-gender",
     "system|code and display, one a line"},
    {"kiln fhir expand --json --filter obs http://terminology.hl7.org/ValueSet/v3-ActCode", "as a ValueSet"}};

}  // namespace

const CommandSpec& fhir_expand_spec() {
  static const CommandSpec spec{"fhir expand",
                                "Files",
                                "list the codes of a value set, offline",
                                "From the definitions of R4 that are compiled in and what is loaded. A value "
                                "set that needs what is not at\n"
                                "hand is refused with what is missing, never listed in part. Exit 1 then, 2 "
                                "for usage and unreadable files.",
                                kArguments,
                                kOptions,
                                kExamples,
                                run,
                                kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
