// kiln hl7 profile import: the XML of a message profile as a profile of ours.

#include <cstdio>

#include "engine/base/env.h"
#include "engine/detail/hl7_cli.h"
#include "hl7/profile.h"

namespace kiln::engine {
namespace {

int run(const Arguments& arguments) {
  const std::string name = arguments.text("PROFILE");
  base::Env& env = base::system_env();
  const auto xml = env.read_file(name, base::limits::kXmlBytesMax);
  if (!xml) return detail::report_usage(xml.error(), arguments);
  std::string tables, constraints;
  for (const auto& [option, text] :
       {std::pair("--tables", &tables), std::pair("--constraints", &constraints)}) {
    if (!arguments.has(option)) continue;
    auto read = env.read_file(arguments.text(option), base::limits::kXmlBytesMax);
    if (!read) return detail::report_usage(read.error(), arguments);
    *text = std::move(*read);
  }
  // The two forms are told apart by their root element.
  const bool three_files =
      xml->find("<HL7v2xConformanceProfile") == xml->npos && xml->find("<ConformanceProfile") != xml->npos;
  const std::string message = arguments.text("--message", "");
  const auto imported = three_files ? hl7::import_profile_files({*xml, constraints, tables, message})
                                    : hl7::import_profile_xml(*xml, tables);
  if (!imported) {
    base::Error why = imported.error();
    why.place = why.place.empty() ? name : name + ", " + why.place;
    report(why, arguments);
    return kExitFound;
  }
  for (const std::string& note : imported->notes)
    std::fprintf(stderr, "%s: %s\n", name.c_str(), note.c_str());
  std::string text = hl7::print_profile(imported->profile);
  if (!text.ends_with('\n')) text += '\n';
  print(text);
  return kExitOk;
}

constexpr ArgumentSpec kArguments[] = {
    {"PROFILE", "XML of a message profile (HL7v2xConformanceProfile or ConformanceProfile)"}};
constexpr OptionSpec kOptions[] = {
    {"--tables", "FILE", "XML of the tables or value sets that belong to it"},
    {"--constraints", "FILE", "XML of its constraints (ConformanceContext), for profiles in three files"},
    {"--message", "ID", "which Message of a profile in three files, when it has several"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln hl7 profile import --constraints Constraints.xml --tables ValueSets.xml Profile.xml > lab.json",
     "three files"},
    {"kiln hl7 profile import --tables tables.xml lab.xml > lab.json",
     "then: kiln hl7 validate --profile lab.json"}};

}  // namespace

const CommandSpec& hl7_profile_import_spec() {
  static const CommandSpec spec{
      "hl7 profile import",
      "Files",
      "turn the XML of a message profile into a profile in JSON",
      "What the XML says and the JSON form cannot hold is listed on stderr. Exit 1 when the XML is no\n"
      "profile, 2 for usage and unreadable files.",
      kArguments,
      kOptions,
      kExamples,
      run,
      kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
