// kiln prune: removes days of the journal that are past their time, or shows which would go.

#include <unistd.h>

#include "channels/definition.h"
#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/base/executor.h"
#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/command.h"
#include "engine/detail/data_lock.h"
#include "engine/detail/site_data.h"
#include "engine/vault/keeper.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;

/// "7d", "36h" -> milliseconds.
Result<std::int64_t> read_time(const std::string& text) {
  char* end = nullptr;
  const long long count = std::strtoll(text.c_str(), &end, 10);
  const std::string unit = end == nullptr ? "" : end;
  if (count <= 0 || (unit != "d" && unit != "h"))
    return base::fail(ErrorCode::usage, "`--keep` takes days or hours: 7d, 36h", text);
  return count * (unit == "d" ? 86'400'000 : 3'600'000);
}

Result<RetentionPolicy> policy_of(const Arguments& arguments) {
  if (arguments.has("--data")) return RetentionPolicy();
  const std::string conf = base::join_path(arguments.text("--site", "."), "kiln.conf");
  TRY(std::string text, base::system_env().read_file(conf, base::limits::kHmapFileBytesMax));
  const channels::SiteLoad load = channels::load_site_texts({{"kiln.conf", std::move(text)}});
  if (!load.site) return base::fail(ErrorCode::site_invalid, "kiln.conf has errors", conf, "`kiln check` shows them");
  return read_retention(load.site->server);
}

/// When no engine runs: the same on the files themselves.
Result<std::string> at_rest(const Arguments& arguments, const std::string& data, const Keeper::PruneRequest& request) {
  base::Env& env = base::system_env();
  TRY(const detail::DataLock lock, detail::DataLock::take(data));
  TRY(RetentionPolicy policy, policy_of(arguments));
  base::SystemClock clock;
  base::ThreadExecutor committer("kiln-journal");
  JournalOptions options;
  options.folder = base::join_path(data, "journal");
  TRY(options.files.master, detail::master_key(arguments));
  if (!env.exists(options.folder))
    return base::fail(ErrorCode::file_not_found, "there is no journal in this folder", data);
  TRY(auto journal, SqliteJournal::open(env, clock, committer, options, [] { ::_exit(kExitIo); }));
  Keeper keeper({&env, &clock, journal.get(), nullptr, nullptr, data, "", policy, options.files.master});
  auto done = keeper.prune_now(request);
  TRY_VOID(journal->close(journal->recovered().clean_stop));
  return done;
}

Result<std::string> prune_site(const Arguments& arguments, const std::string& data, const Keeper::PruneRequest& request) {
  base::HttpRequest http;
  http.method = "POST";
  http.target = "/api/v1/storage/prune";
  http.headers.set("Content-Type", "application/json");
  base::JsonWriter json;
  json.begin_object().key("dry_run").boolean(request.dry_run).key("confirm").boolean(request.confirmed);
  if (request.keep_us > 0) json.key("keep_ms").integer(request.keep_us / 1000);
  json.end_object();
  http.body = json.take();
  auto response = detail::control_request(data, http);
  if (!response && response.error().code == ErrorCode::engine_unreachable) return at_rest(arguments, data, request);
  if (!response) return base::fail(response.error());
  TRY_VOID(detail::control_status(*response));
  return std::move(response->body);
}

bool agrees() {
  print("Remove these files for good? [y/N] ");
  std::fflush(stdout);
  const int answer = std::getchar();
  return answer == 'y' || answer == 'Y';
}

int run(const Arguments& arguments) {
  const auto data = detail::data_folder(arguments);
  if (!data) return report(data.error(), arguments);
  Keeper::PruneRequest request;
  request.dry_run = arguments.has("--dry-run");
  request.confirmed = arguments.has("--confirm") || arguments.has("--emergency");
  if (arguments.has("--keep")) {
    const auto keep = read_time(arguments.text("--keep"));
    if (!keep) return report(keep.error(), arguments);
    request.keep_us = *keep * 1000;
  }
  if (arguments.has("--emergency") && !arguments.has("--keep"))
    return report({ErrorCode::usage, "`--emergency` needs `--keep`: how much is to stay", {}, "kiln prune --emergency --keep 7d"},
                  arguments);
  const bool asks = !request.dry_run && !arguments.has("--yes");
  if (asks) {
    Keeper::PruneRequest look = request;
    look.dry_run = true;
    const auto plan = prune_site(arguments, *data, look);
    if (!plan) return report(plan.error(), arguments);
    const auto document = base::parse_json(*plan);
    if (!document) return report(document.error(), arguments);
    if (document->root()["plan"]["files_due"].text() != "0") {
      print(std::string(document->root()["text"].text()));
      if (!agrees()) return kExitOk;
    }
  }
  const auto done = prune_site(arguments, *data, request);
  if (!done) return report(done.error(), arguments);
  if (arguments.json()) {
    print(*done + "\n");
    return kExitOk;
  }
  const auto document = base::parse_json(*done);
  if (!document) return report(document.error(), arguments);
  const base::JsonView root = document->root();
  if (!asks) print(std::string(root["text"].text()));
  if (!request.dry_run) print(std::to_string(root["removed"].size()) + " files removed\n");
  const std::string_view full = root["disk_full"].text();
  print(full.empty() ? "At this growth the disk is not full within a year.\n"
                     : "At this growth the disk is full on " + std::string(full) + ".\n");
  return root["plan"]["refused"].boolean() && !request.dry_run ? kExitFound : kExitOk;
}

constexpr OptionSpec kOptions[] = {
    detail::kSiteOption,
    detail::kDataOption,
    {"--dry-run", nullptr, "only show what would go, and when the disk is full"},
    {"--keep", "TIME", "keep so much instead of `journal.retention`: 7d, 36h"},
    {"--confirm", nullptr, "also more than three files at once (by itself the engine takes that for a clock that jumped)"},
    {"--emergency", nullptr, "the disk is full: with --keep, however many files that are"},
    {"--yes", nullptr, "do not ask"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln prune --dry-run --site examples/quickstart", "which days would go, what holds others, when the disk is full"},
    {"kiln prune --yes", "what the engine does by itself every hour"},
    {"kiln prune --emergency --keep 7d", "make room: shows what goes, asks, removes all but a week"}};

}  // namespace

const CommandSpec& prune_spec() {
  static const CommandSpec spec{
      "prune",
      "Storage",
      "remove days of the journal that are past their time",
      "Whole days go, never single messages. A day in which something waits, is not processed, or is quarantined and\n"
      "undecided stays. Metadata of what went stay as long as `journal.metadata` says. Works with and without an engine.\n"
      "Exit 1 when more is due than goes without --confirm.",
      {},
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
