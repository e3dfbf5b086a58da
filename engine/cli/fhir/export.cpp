// kiln fhir export: what a store holds, as NDJSON.

#include <algorithm>
#include <cstdio>

#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/base/partial_date.h"
#include "engine/bulk/export.h"
#include "engine/bulk/export_fetch.h"
#include "engine/bulk/import_send.h"
#include "engine/bulk/local_server.h"
#include "engine/bulk/rate_progress.h"
#include "engine/detail/site_data.h"
#include "engine/store/sqlite_store.h"
#include "fhir/definitions/definitions.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

Result<ExportScope> read_scope(const Arguments& arguments) {
  ExportScope scope;
  for (const std::string& type : arguments.all("--type")) {
    if (!fhir::find_resource_type(type)) return fail(ErrorCode::usage, "--type " + type + " is no resource of R4");
    scope.types.push_back(type);
  }
  std::sort(scope.types.begin(), scope.types.end());
  scope.types.erase(std::unique(scope.types.begin(), scope.types.end()), scope.types.end());
  if (arguments.has("--since")) {
    const auto since = base::PartialDate::parse_fhir(arguments.text("--since"));
    if (!since || since->precision < base::DatePrecision::second || !since->has_offset)
      return fail(ErrorCode::usage, "--since takes an instant with its zone", {}, "2026-11-22T00:00:00Z");
    scope.since = base::WallTime{since->lowest_micros()};
  }
  return scope;
}

void print_files(const ExportState& state, double seconds, bool json) {
  if (json) {
    base::JsonWriter out;
    out.begin_object().key("files").begin_array();
    for (const ExportedFile& file : state.files) {
      out.begin_object().member("type", file.type).member("name", file.name);
      out.key("count").number(std::to_string(file.count)).key("bytes").number(std::to_string(file.bytes));
      out.key("deleted").boolean(file.deleted).end_object();
    }
    char took[32];
    std::snprintf(took, sizeof took, "%.3f", seconds);
    out.end_array().key("resources").number(std::to_string(state.resources)).key("seconds").number(took);
    print(out.end_object().str() + "\n");
    return;
  }
  for (const ExportedFile& file : state.files) {
    char line[160];
    std::snprintf(line, sizeof line, "%-42s %12s\n", file.name.c_str(), grouped(file.count).c_str());
    print(line);
  }
  print(grouped(state.resources) + " resources exported\n");
}

base::Status export_all(const Arguments& arguments, ExportState& state, double& seconds) {
  base::Env& env = base::system_env();
  const base::SystemClock clock;
  TRY(ExportScope scope, read_scope(arguments));
  TRY(const LocalStore local, LocalStore::find(arguments, env));
  if (!env.exists(local.path()))
    return fail(ErrorCode::file_not_found, "this folder has no FHIR store", local.path());
  StoreOptions options;
  options.path = local.path();
  options.base_url = local.base_url;
  options.clock = &clock;
  options.env = &env;
  TRY(const auto store, open_store_reader(options));
  TRY(Exporter exporter, Exporter::start(*store, env, {arguments.text("--out"), arguments.has("--gzip"), 0}, scope, {},
                                         local.base_url));
  RateProgress progress("exported", clock, arguments.json());
  for (;;) {
    TRY(const bool more, exporter.step());
    progress.step(exporter.state().resources, 0, 0);
    if (!more) break;
  }
  state = exporter.state();
  seconds = progress.seconds();
  return {};
}

base::Status fetch_all(const Arguments& arguments, ExportState& state, double& seconds) {
  constexpr std::int64_t kGiveUpMs = 24 * 3'600'000;
  for (const char* option : {"--site", "--data", "--gzip"})
    if (arguments.has(option))
      return fail(ErrorCode::usage, std::string(option) + " is about a store on this machine, --from about a server");
  base::Env& env = base::system_env();
  const base::SystemClock clock;
  FetchPlan plan;
  TRY(plan.url, channels::HttpUrl::parse(arguments.text("--from")));
  TRY(plan.token, read_token_file(env, arguments.text("--token-file")));
  TRY(plan.scope, read_scope(arguments));
  plan.level = arguments.text("--level");
  const bool known = plan.level.empty() || plan.level == "Patient" || plan.level.starts_with("Group/");
  if (!known) return fail(ErrorCode::usage, "--level takes Patient or Group/ID");
  plan.folder = arguments.text("--out");
  plan.give_up_ms = kGiveUpMs;
  channels::Net net;
  RateProgress progress("exported", clock, arguments.json());
  FetchedExport fetched;
  TRY_VOID(fetch_to_end(net, env, clock, std::move(plan), fetched));
  progress.step(fetched.resources, 0, 0);
  state.files = std::move(fetched.files);
  state.resources = fetched.resources;
  seconds = progress.seconds();
  if (fetched.errors == 0) return {};
  return fail(ErrorCode::peer_negative, "the server could not export everything", arguments.text("--out"),
              "see error.1.ndjson");
}

int run(const Arguments& arguments) {
  ExportState state;
  double seconds = 0;
  if (!arguments.has("--from")) {
    for (const char* option : {"--token-file", "--level"})
      if (arguments.has(option)) {
        base::Error wrong{ErrorCode::usage, std::string(option) + " goes with --from", {}, {}};
        return report(wrong, arguments);
      }
  } else if (const base::Status done = fetch_all(arguments, state, seconds); !done) {
    return report(done.error(), arguments);
  } else {
    print_files(state, seconds, arguments.json());
    return kExitOk;
  }
  if (const base::Status done = export_all(arguments, state, seconds); !done) return report(done.error(), arguments);
  print_files(state, seconds, arguments.json());
  return kExitOk;
}

constexpr OptionSpec kOptions[] = {
    {"--out", "DIR", "folder for the files, one for each type", true},
    detail::kSiteOption,
    detail::kDataOption,
    {"--type", "TYPE", "only this type; may be repeated", false, true},
    {"--since", "INSTANT", "only what changed then or later, and TYPE.deleted.ndjson of what was deleted"},
    {"--gzip", nullptr, "write .ndjson.gz"},
    {"--from", "URL", "ask that server (http or https) for it instead of reading a store"},
    {"--level", "LEVEL", "with --from: only Patient, or Group/ID"},
    {"--token-file", "FILE", "with --from: send the bearer token that is in FILE"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln fhir export --site . --out export/ --gzip", "everything the store holds now"},
    {"kiln fhir export --out changes/ --type Patient --since 2026-11-22T00:00:00Z", "patients of today"},
    {"kiln fhir export --from https://ehr.example.org/fhir --token-file token --out export/", "from any server with Bulk Data"}};

}  // namespace

const CommandSpec& fhir_export_spec() {
  static const CommandSpec spec{
      "fhir export",
      "Files",
      "write what the store of a site holds as NDJSON, one file for each type",
      "The files are the store of one moment, also while the engine goes on writing; nothing is locked.\n"
      "Files of the same names are written anew. `kiln fhir import` reads them. With --from, another server is asked for\n"
      "$export, waited for, and its files fetched (Bulk Data Access); addresses of a third server are refused.\n"
      "Exit 2 when the store cannot be read, 69 when no server answers.",
      {},
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
