// kiln doc: a mapping specification to read and sign.

#include <cstdio>

#include "channels/connector_docs.h"
#include "engine/base/env.h"
#include "engine/base/json.h"
#include "engine/command.h"
#include "engine/detail/map_files.h"
#include "mappings/importer/status.h"
#include "mappings/specification.h"

namespace kiln::engine {
namespace {

void print_page(const Arguments& arguments, const std::string& format, const std::string& text) {
  print(arguments.json() ? base::JsonWriter().begin_object().member("format", format).member("text", text).end_object().take() + "\n" : text);
}

int run(const Arguments& arguments) {
  const std::string map = arguments.text("--map"), format = arguments.text("--format", "html");
  const auto paths = arguments.all("PATH");
  const auto fail = [&](std::string text, std::string help) {
    return report({base::ErrorCode::usage, std::move(text), {}, std::move(help)}, arguments), kExitUsageFile;
  };
  if (paths == std::vector<std::string>{"connectors"} && map.empty()) {
    const std::string page = channels::print_connectors();
    if (!arguments.has("--output")) return print_page(arguments, "text", page), kExitOk;
    const base::Status written = base::system_env().write_file_atomic(arguments.text("--output"), page);
    return written ? kExitOk : report(written.error(), arguments);
  }
  if (format != "html" && format != "csv" && format != "conceptmap")
    return fail("--format is html, csv or conceptmap", "");
  if (paths.empty() && map.empty())
    return fail("name a site, a map file or --map", "kiln doc examples/quickstart");
  const auto maps = detail::load_maps(paths, map);
  if (!maps) return report(maps.error(), arguments), kExitUsageFile;
  if (!maps->diagnostics.ok()) {
    std::fputs(base::render(maps->diagnostics, maps->library->sources(), is_terminal(stderr)).c_str(),
               stderr);
    return kExitConfig;
  }
  const auto specification = mappings::make_specification(*maps->library, map);
  if (specification.sections.empty())
    return fail(map.empty() ? "no map there" : "there is no map `" + map + "`", "");
  const std::string title =
      arguments.text("--title", map.empty() ? std::string(base::name_of(paths.front())) : map);
  const std::string text = format == "csv"          ? mappings::specification_csv(specification)
                           : format == "conceptmap" ? mappings::specification_concept_maps(specification)
                                                    : mappings::specification_html(specification, title);
  if (map.starts_with("std.v2fhir"))
    std::fprintf(stderr, "std.v2fhir %s\n", mappings::status_sum(mappings::shipped_status()).c_str());
  if (!arguments.has("--output")) return print_page(arguments, format, text), kExitOk;
  const base::Status status = base::system_env().write_file_atomic(arguments.text("--output"), text);
  return status ? kExitOk : report(status.error(), arguments);
}

constexpr ArgumentSpec kArguments[] = {{"PATH", "site folders or .hmap files, or the word `connectors`", false, true}};
constexpr OptionSpec kOptions[] = {
    {"--map", "MAP", "only this map or package, also a shipped one"},
    {"--format", "KIND", "html (default), csv, or conceptmap: the code tables as a Bundle of ConceptMaps"},
    {"--title", "TEXT", "heading of the page"},
    {"--output", "FILE", "write there instead of to standard output"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln doc examples/quickstart --output spec.html", "all maps of a site, printable"},
    {"kiln doc --map std.v2fhir.adt.adt_a01 --format csv", "one line a rule, for a spreadsheet"},
    {"kiln doc connectors", "options and examples of every connector"}};

}  // namespace

const CommandSpec& doc_spec() {
  static const CommandSpec spec{"doc",
                                "Config",
                                "print the mapping specification of maps, or the reference of connectors",
                                "Target, source with HL7 names, code table, condition and policy of every "
                                "rule, the code tables, and lines for\n"
                                "signatures. The same maps give the same bytes. Exit 2 for usage and "
                                "unreadable files, 78 for maps with errors.",
                                kArguments,
                                kOptions,
                                kExamples,
                                run,
                                kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
