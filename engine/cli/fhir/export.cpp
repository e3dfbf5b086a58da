// kiln fhir export: what a store holds, as NDJSON.

#include <algorithm>
#include <cstdio>

#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/base/partial_date.h"
#include "engine/bulk/export.h"
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

int run(const Arguments& arguments) {
  ExportState state;
  double seconds = 0;
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
    {"--gzip", nullptr, "write .ndjson.gz"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln fhir export --site . --out export/ --gzip", "everything the store holds now"},
    {"kiln fhir export --out changes/ --type Patient --since 2026-11-22T00:00:00Z", "patients of today"}};

}  // namespace

const CommandSpec& fhir_export_spec() {
  static const CommandSpec spec{
      "fhir export",
      "Files",
      "write what the store of a site holds as NDJSON, one file for each type",
      "The files are the store of one moment, also while the engine goes on writing; nothing is locked.\n"
      "Files of the same names are written anew. `kiln fhir import` reads them. Over HTTP the same is $export.\n"
      "Exit 2 when the store cannot be read.",
      {},
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
