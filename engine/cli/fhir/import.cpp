// kiln fhir import: NDJSON and Bundles into a FHIR server or a store.

#include <cstdio>

#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/bulk/import_send.h"
#include "engine/bulk/local_server.h"
#include "engine/bulk/rate_progress.h"
#include "engine/detail/site_data.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

constexpr std::size_t kParallel = 4;
/// In this process requests wait for nothing but the shared commit.
constexpr std::size_t kParallelLocal = 16;

struct Job {
  std::vector<ImportFile> files;
  std::size_t parallel = kParallel;
  std::string token;
  bool local = false;
  channels::HttpUrl url;
};

Result<Job> read_job(const Arguments& arguments) {
  Job job;
  TRY(job.files, find_import_files(base::system_env(), arguments.all("FILE")));
  job.local = arguments.has("--site") || arguments.has("--data");
  if (job.local && arguments.has("--to"))
    return fail(ErrorCode::usage, "--to is a server, --site and --data a store: one of them");
  if (job.local) job.parallel = kParallelLocal;
  TRY(job.url, channels::HttpUrl::parse(arguments.text("--to", "http://127.0.0.1:8080/fhir")));
  if (arguments.has("--parallel")) {
    char* end = nullptr;
    const std::string text = arguments.text("--parallel");
    job.parallel = std::strtoul(text.c_str(), &end, 10);
    if (*end != '\0' || job.parallel == 0 || job.parallel > base::limits::kImportParallelMax)
      return fail(ErrorCode::usage,
                  "--parallel takes 1 to " + std::to_string(base::limits::kImportParallelMax));
  }
  TRY(job.token, read_token_file(base::system_env(), arguments.text("--token-file")));
  return job;
}

void print_problem(const ImportProblem& problem, bool json) {
  if (json) {
    base::JsonWriter out;
    out.begin_object().key("problem").begin_object().member("place", problem.place).member("code", problem.code);
    out.member("text", problem.text);
    if (!problem.remedy.empty()) out.member("remedy", problem.remedy);
    std::fprintf(stderr, "%s\n", out.end_object().end_object().str().c_str());
    return;
  }
  std::fprintf(stderr, "%s: %s: %s%s%s\n", problem.place.c_str(), problem.code.c_str(), problem.text.c_str(),
               problem.remedy.empty() ? "" : "; ", problem.remedy.c_str());
}

void print_sum(const ImportProgress& sum, std::size_t files, double seconds, bool json) {
  const auto rate = seconds > 0 ? static_cast<std::uint64_t>(static_cast<double>(sum.accepted) / seconds) : 0;
  if (json) {
    base::JsonWriter out;
    out.begin_object().key("files").integer(static_cast<std::int64_t>(files));
    out.key("accepted").number(std::to_string(sum.accepted)).key("refused").number(std::to_string(sum.refused));
    char text[32];
    std::snprintf(text, sizeof text, "%.3f", seconds);
    out.key("seconds").number(text).key("per_second").number(std::to_string(rate));
    print(out.end_object().str() + "\n");
    return;
  }
  char took[32];
  std::snprintf(took, sizeof took, "%.1f", seconds);
  print(grouped(sum.accepted) + " resources imported from " + std::to_string(files) + " files in " + took + " s (" +
        grouped(rate) + "/s), " + grouped(sum.refused) + " refused\n");
}

int run(const Arguments& arguments) {
  auto job = read_job(arguments);
  if (!job) return report(job.error(), arguments);
  base::Env& env = base::system_env();
  auto position = ImportPosition::open(env, arguments.text("--position"), job->files);
  if (!position) return report(position.error(), arguments);
  const base::SystemClock clock;
  channels::Net net;
  std::unique_ptr<LocalServer> server;
  if (job->local) {
    auto store = LocalStore::find(arguments, env);
    if (!store) return report(store.error(), arguments);
    auto opened = LocalServer::open(std::move(*store), env, net.executor());
    if (!opened) return report(opened.error(), arguments);
    server = std::move(*opened);
  }
  RateProgress progress("imported", clock, arguments.json());
  Importer::Options options;
  options.files = job->files;
  options.server_ids = arguments.has("--server-ids");
  options.parallel = job->parallel;
  options.path = job->local ? "/fhir" : job->url.path;
  options.token = job->token;
  options.connect = [&] { return server ? local_sender(server->service(), net) : http_sender(net, job->url); };
  options.problem = [&](const ImportProblem& problem) {
    progress.clear();
    print_problem(problem, arguments.json());
  };
  options.progress = [&](const ImportProgress& now) { progress.step(now.accepted, now.bytes, now.bytes_total); };
  options.env = &env;
  options.clock = &clock;
  Importer importer(net.executor(), std::move(options), *position);
  channels::run_to_end(net, importer.run());
  if (server) server->checkpoint();
  progress.clear();
  print_sum(importer.progress(), job->files.size(), progress.seconds(), arguments.json());
  if (!importer.status()) return report(importer.status().error(), arguments);
  return importer.progress().refused > 0 ? kExitFound : kExitOk;
}

constexpr ArgumentSpec kArguments[] = {
    {"FILE", "NDJSON and JSON files, also with .gz or .zst, or folders of them", true, true}};
constexpr OptionSpec kOptions[] = {
    {"--to", "URL", "base of the server, http or https (default http://127.0.0.1:8080/fhir)"},
    detail::kSiteOption,
    detail::kDataOption,
    {"--parallel", "N", "requests under way at once (default 4; into a folder 16)"},
    {"--position", "FILE", "keep in FILE how far it is: the same command then goes on there"},
    {"--server-ids", nullptr, "resources without an id get one from the server; a repetition makes them twice"},
    {"--token-file", "FILE", "send the bearer token that is in FILE"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln fhir import --to http://127.0.0.1:8080/fhir export/", "a folder of NDJSON files and Bundles"},
    {"kiln fhir import --site . --position import.json *.ndjson.gz", "into the store of a site that does not run"}};

}  // namespace

const CommandSpec& fhir_import_spec() {
  static const CommandSpec spec{
      "fhir import",
      "Files",
      "load NDJSON and Bundles into a FHIR server, or into the store of a site that does not run",
      "A line of NDJSON, and an entry of a collection, becomes PUT Type/id. What has no id gets one from its place\n"
      "and content, and a plain POST of a Bundle becomes a PUT in the same way: after a kill the same command is\n"
      "run again, and what is there already is not written twice. A transaction is whole or not at all; one that\n"
      "refers to what is not there yet is tried again after the others. --site or --data writes into the store of\n"
      "a folder that no engine uses. Each refused line is told with file:line, code and remedy.\n"
      "Exit 1 when something was refused, 69 when no server answers, 75 when an engine uses the folder.",
      kArguments,
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
