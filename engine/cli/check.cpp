// kiln check: static check of sites and map files.

#include <cstdio>

#include "channels/definition.h"
#include "engine/base/env.h"
#include "engine/command.h"
#include "engine/detail/environment.h"
#include "engine/security/insecure_settings.h"
#include "mappings/compiler.h"
#include "mappings/code_pages.h"
#include "mappings/package.h"
#include "mappings/tables.h"

namespace kiln::engine {
namespace {

struct Findings {
  base::Diagnostics diagnostics;
  std::shared_ptr<const mappings::Library> library;
  std::string note;  ///< of a site without errors; empty: none
  std::vector<InsecureSetting> insecure;  ///< of a site, as far as it could be read
  std::optional<std::vector<detail::EnvironmentFinding>> environment;  ///< with --env, of a site
};

base::Result<Findings> check_site(const std::string& folder) {
  TRY(auto load, channels::load_site(base::system_env(), folder));
  for (const base::Diagnostic& finding : load.unavailable.list()) load.diagnostics.add(finding);
  Findings out{std::move(load.diagnostics), std::move(load.library), {}, {}, {}};
  if (load.site) out.insecure = insecure_settings(*load.site);
  if (load.site && !load.site->server.block("keys").has("master"))
    out.note = "messages are stored in the clear: `keys { master file(\"…\") }` in kiln.conf encrypts them";
  return out;
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

/// What only strict maps and other versions show: added to findings without errors.
base::Status check_more(const Arguments& arguments, Findings& findings) {
  if (!findings.diagnostics.ok()) return {};
  const mappings::Library& library = *findings.library;
  if (arguments.has("--strict")) {
    base::Diagnostics strict;
    mappings::CompileOptions options;
    options.strict = true;
    mappings::compile(library, strict, {}, options);
    for (const base::Diagnostic& finding : strict.list()) {
      const bool shipped = library.file_of(finding.span.file).shipped;
      if (finding.code == base::ErrorCode::E0107 && !shipped) findings.diagnostics.add(finding);
    }
  }
  if (!arguments.has("--versions")) return {};
  TRY(const auto versions, mappings::parse_versions(arguments.text("--versions")));
  base::Diagnostics ignored;
  const mappings::CompiledLibrary compiled = mappings::compile(library, ignored);
  return mappings::check_versions(library, compiled, versions, findings.diagnostics);
}

base::Result<Findings> check_path(const Arguments& arguments, const std::string& path) {
  if (!base::system_env().exists(path))
    return base::fail(base::ErrorCode::file_not_found, {}, path, "a site is a folder with kiln.conf; else name a .hmap or .channel file");
  TRY(const auto info, base::system_env().info(path));
  TRY(Findings findings, info.is_directory ? check_site(path) : check_file(path));
  TRY_VOID(check_more(arguments, findings));
  if (arguments.has("--env") && info.is_directory && findings.diagnostics.ok()) {
    TRY(findings.environment, detail::look_at_environment(arguments, path));
  }
  return findings;
}

int print_page(const Arguments& arguments) {
  const std::string code = arguments.text("--explain");
  const auto page = mappings::explain_code(code);
  if (!page)
    return report({base::ErrorCode::usage, "there is no code " + code, {}, "codes look like E0101 or W0404"},
                  arguments);
  if (arguments.json())
    print(base::JsonWriter().begin_object().member("code", code).member("page", *page).end_object().str() + "\n");
  else
    print(*page);
  return kExitOk;
}

void print_findings(const std::string& path, const Findings& findings) {
  const auto& sources = findings.library->sources();
  std::fputs(base::render(findings.diagnostics, sources, is_terminal(stderr)).c_str(), stderr);
  const std::size_t errors = findings.diagnostics.errors(), warnings = findings.diagnostics.warnings();
  print(path + ": " + (errors == 0 ? "ok" : std::to_string(errors) + (errors == 1 ? " error" : " errors")) +
        (warnings == 0 ? "" : ", " + std::to_string(warnings) + (warnings == 1 ? " warning" : " warnings")) +
        "\n");
  if (!findings.note.empty()) print(path + ": note: " + findings.note + "\n");
  if (!findings.insecure.empty()) print(path + ": gives up protection, in writing:\n");
  for (const InsecureSetting& one : findings.insecure) print("  " + one.place + ": " + one.text + "\n");
  if (findings.environment) print(detail::print_findings(*findings.environment, true));
}

int run(const Arguments& arguments) {
  if (arguments.has("--explain")) return print_page(arguments);
  if (arguments.all("PATH").empty())
    return report({base::ErrorCode::usage, "nothing to check", {}, "name a site or files, or --explain CODE"},
                  arguments);
  bool bad = false;
  std::string json;
  for (const std::string& path : arguments.all("PATH")) {
    const auto findings = check_path(arguments, path);
    if (!findings) return report(findings.error(), arguments), kExitUsageFile;
    const bool strict = arguments.has("--strict") && findings->diagnostics.warnings() > 0;
    bad = bad || !findings->diagnostics.ok() || strict;
    bad = bad || (findings->environment && detail::has_error(*findings->environment));
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
    if (!findings->note.empty()) one.member("note", findings->note);
    one.key("insecure").begin_array();
    for (const InsecureSetting& setting : findings->insecure)
      one.begin_object().member("place", setting.place).member("text", setting.text).end_object();
    one.end_array();
    if (findings->environment) detail::write_findings(one.key("environment"), *findings->environment);
    one.key("findings")
        .raw(base::render_json(findings->diagnostics, findings->library->sources()))
        .end_object();
    json += (json.empty() ? "" : ",") + one.str();
  }
  if (arguments.json()) print("[" + json + "]\n");
  return bad ? kExitConfig : kExitOk;
}

constexpr ArgumentSpec kArguments[] = {
    {"PATH", "site folders, or single .hmap and .channel files", false, true}};
constexpr OptionSpec kOptions[] = {
    {"--env", nullptr, "look at the machine, too: disk, ports, names, keys and certificates, as `kiln doctor`"},
    {"--strict", nullptr, "warnings fail the check too; repetitions have to be chosen (E0107)"},
    {"--versions", "RANGE", "list paths that are missing or retyped in any of them: 2.3..2.8"},
    {"--explain", "CODE", "what a code means and what to do about it"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln check examples/quickstart", "a whole site: maps, tables, channels, ports"},
    {"kiln check maps/adt.hmap --json", "one file, findings for an editor"},
    {"kiln check --versions 2.3..2.8 examples/quickstart", "what senders of other versions cannot fill"},
    {"kiln check --env /etc/kiln/site", "also whether this machine can run it"},
    {"kiln check --explain E0105", "the page of a code"}};

}  // namespace

const CommandSpec& check_spec() {
  static const CommandSpec spec{"check",
                                "Config",
                                "check a site or map files without running anything",
                                "Without --env it needs no database, network or credential. What a site gives up of its protection is listed each time. Exit 78\n"
                                "when there are errors.",
                                kArguments,
                                kOptions,
                                kExamples,
                                run};
  return spec;
}

}  // namespace kiln::engine
