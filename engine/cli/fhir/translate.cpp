// kiln fhir translate: a code through concept maps.

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
  const auto found = terminology.translate(arguments.text("--map"), arguments.text("SYSTEM"),
                                           arguments.text("CODE"), arguments.text("--target"));
  if (!found) {
    report(found.error(), arguments);
    return kExitUsageFile;
  }
  for (const fhir::CodeTranslation& match : *found) {
    if (!arguments.json()) {
      print(match.equivalence + "\t" + match.system + "|" + match.code + "\t" + match.display + "\t" +
            match.map_url + "\n");
      continue;
    }
    base::JsonWriter json;
    json.begin_object().member("equivalence", match.equivalence).member("system", match.system);
    json.member("code", match.code).member("display", match.display).member("map", match.map_url);
    print(json.end_object().take() + "\n");
  }
  return found->empty() ? kExitFound : kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"SYSTEM", "url of the code's system"}, {"CODE", "the code"}};
constexpr OptionSpec kOptions[] = {{"--map", "URL", "this concept map only"},
                                   {"--target", "SYSTEM", "only codes of this system"},
                                   detail::kLoadOption,
                                   detail::kPackagesOption};
constexpr ExampleSpec kExamples[] = {{"kiln fhir translate http://hl7.org/fhir/administrative-gender male",
                                      "through every concept map at hand"}};

}  // namespace

const CommandSpec& fhir_translate_spec() {
  static const CommandSpec spec{
      "fhir translate",
      "Files",
      "translate a code through concept maps, offline",
      "One line a match: equivalence, system|code, display, map. Exit 1 when there is none, 2 for usage and\n"
      "unreadable files.",
      kArguments,
      kOptions,
      kExamples,
      run,
      kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
