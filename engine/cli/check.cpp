// kiln check: static check of sites and map files.

#include <cstdio>

#include "channels/definition.h"
#include "engine/base/env.h"
#include "engine/command.h"
#include "mappings/compiler.h"
#include "mappings/package.h"
#include "mappings/tables.h"

namespace kiln::engine {
namespace {

struct Findings {
  base::Diagnostics diagnostics;
  std::shared_ptr<const mappings::Library> library;
};

base::Result<Findings> check_site(const std::string& folder) {
  TRY(auto load, channels::load_site(base::system_env(), folder));
  return Findings{std::move(load.diagnostics), std::move(load.library)};
}

base::Result<Findings> check_file(const std::string& path) {
  Findings out;
  auto library = std::make_shared<mappings::Library>();
  TRY_VOID(library->add_file(base::system_env(), path, out.diagnostics));
  library->link(out.diagnostics);
  library->set_tables(mappings::load_tables(*library, base::system_env(), out.diagnostics));
  mappings::compile(*library, out.diagnostics);
  out.library = std::move(library);
  return out;
}

base::Result<Findings> check_path(const std::string& path) {
  TRY(const auto info, base::system_env().info(path));
  return info.is_directory ? check_site(path) : check_file(path);
}

void print_findings(const std::string& path, const Findings& findings) {
  const auto& sources = findings.library->sources();
  std::fputs(base::render(findings.diagnostics, sources, is_terminal(stderr)).c_str(), stderr);
  const std::size_t errors = findings.diagnostics.errors(), warnings = findings.diagnostics.warnings();
  print(path + ": " + (errors == 0 ? "ok" : std::to_string(errors) + (errors == 1 ? " error" : " errors")) +
        (warnings == 0 ? "" : ", " + std::to_string(warnings) + (warnings == 1 ? " warning" : " warnings")) +
        "\n");
}

int run(const Arguments& arguments) {
  bool bad = false;
  std::string json;
  for (const std::string& path : arguments.all("PATH")) {
    const auto findings = check_path(path);
    if (!findings) return report(findings.error(), arguments);
    const bool strict = arguments.has("--strict") && findings->diagnostics.warnings() > 0;
    bad = bad || !findings->diagnostics.ok() || strict;
    if (!arguments.json()) {
      print_findings(path, *findings);
      continue;
    }
    base::JsonWriter one;
    one.begin_object()
        .member("path", path)
        .key("errors")
        .integer(static_cast<std::int64_t>(findings->diagnostics.errors()));
    one.key("warnings").integer(static_cast<std::int64_t>(findings->diagnostics.warnings()));
    one.key("findings")
        .raw(base::render_json(findings->diagnostics, findings->library->sources()))
        .end_object();
    json += (json.empty() ? "" : ",") + one.str();
  }
  if (arguments.json()) print("[" + json + "]\n");
  return bad ? kExitConfig : kExitOk;
}

constexpr ArgumentSpec kArguments[] = {
    {"PATH", "site folders, or single .hmap and .channel files", true, true}};
constexpr OptionSpec kOptions[] = {{"--strict", nullptr, "warnings fail the check too"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln check examples/quickstart", "a whole site: maps, tables, channels, ports"},
    {"kiln check maps/adt.hmap --json", "one file, findings for an editor"}};

}  // namespace

const CommandSpec& check_spec() {
  static const CommandSpec spec{"check",
                                "Config",
                                "check a site or map files without running anything",
                                "Needs no database, network or credential. Exit 78 when there are errors.",
                                kArguments,
                                kOptions,
                                kExamples,
                                run};
  return spec;
}

}  // namespace kiln::engine
