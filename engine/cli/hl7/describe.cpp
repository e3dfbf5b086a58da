// kiln hl7 describe: what the standard says about a segment, field, datatype, structure, event or table.

#include "engine/detail/hl7_describe.h"

namespace kiln::engine {
namespace {

int run(const Arguments& arguments) {
  const std::string wanted = arguments.text("--version", "2.5.1");
  const auto version = hl7::find_version(wanted);
  if (!version)
    return detail::report_usage({base::ErrorCode::bad_value,
                                 "there is no HL7 version " + wanted,
                                 {},
                                 "kiln hl7 describe --list versions"},
                                arguments);
  std::vector<base::Result<detail::DescribePage>> pages;
  if (arguments.has("--list")) pages.push_back(detail::describe_list(arguments.text("--list"), *version));
  for (const std::string& what : arguments.all("WHAT"))
    if (what != "table")  // a number is one anyway
      pages.push_back(detail::describe(what, *version));
  if (pages.empty())
    return detail::report_usage(
        {base::ErrorCode::usage, "name what to describe, or --list", {}, "for example PID-3"}, arguments);
  const detail::Paint paint(arguments);
  int exit_code = kExitOk;
  bool first = true;
  for (const auto& page : pages) {
    if (!page) {
      report(page.error(), arguments);
      exit_code = kExitFound;
    } else if (arguments.json()) {
      print(detail::print_page_json(*page) + "\n");
    } else {
      print((first ? "" : "\n") + detail::print_page(*page, paint));
      first = false;
    }
  }
  return exit_code;
}

constexpr ArgumentSpec kArguments[] = {
    {"WHAT", "PID, PID-3, PID-3.4.2, CX, CX.4, ADT_A01, ADT^A04, 0001", false, true}};
constexpr OptionSpec kOptions[] = {
    {"--version", "VERSION", "2.1 to 2.9 (default 2.5.1)"},
    {"--list", "KIND", "segments, datatypes, structures, tables, events or versions"},
    detail::kColorOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln hl7 describe PID-3 --version 2.5.1",
     "name, type, length, optionality, components and codes of a field"},
    {"kiln hl7 describe ORU^R01", "the structure of an event"},
    {"kiln hl7 describe table 0001 --json", "the codes of a table"},
    {"kiln hl7 describe --list segments --version 2.9 | less", "everything of a kind"}};

}  // namespace

const CommandSpec& hl7_describe_spec() {
  static const CommandSpec spec{
      "hl7 describe",
      "Files",
      "explain a segment, field, datatype, structure, event or table of the standard",
      "Cardinality is least..most; * has no limit. Exit 1 when the version has no such thing.",
      kArguments,
      kOptions,
      kExamples,
      run,
      kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
