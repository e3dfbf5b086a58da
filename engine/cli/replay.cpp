// kiln replay: sends stored messages through their channel again.

#include <unistd.h>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/command.h"
#include "engine/detail/admin_client.h"
#include "engine/detail/operator.h"
#include "engine/detail/replay_diff.h"
#include "engine/detail/site_data.h"

namespace kiln::engine {
namespace {

using base::Result;

/// Above this many messages a replay wants --yes (operations.md P7).
constexpr std::size_t kConfirmAbove = 1000;

std::string joined(const std::vector<std::string>& terms) {
  std::string out;
  for (const std::string& term : terms) out += (out.empty() ? "" : " ") + term;
  return out;
}

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

/// `job`: a job has a rate, and neither a limit nor a dry run.
Result<std::string> request_body(const Arguments& arguments, bool dry_run, bool job) {
  for (const char* option : {"--limit", "--rate"})
    if (arguments.has(option) && !is_number(arguments.text(option)))
      return base::fail(base::ErrorCode::usage, std::string(option) + " needs a number");
  base::JsonWriter json;
  json.begin_object().member("query", joined(arguments.all("QUERY"))).key("to").begin_array();
  for (const std::string& name : arguments.all("--to")) json.string(name);
  json.end_array().member("channel", arguments.text("--channel"));
  if (!job) json.key("dry_run").boolean(dry_run).key("diff").boolean(arguments.has("--diff")).key("limit").number(arguments.text("--limit", "1000"));
  json.key("fresh_lookups").boolean(arguments.has("--fresh-lookups"));
  json.key("include_sent").boolean(arguments.has("--include-sent"));
  json.key("allow_stale").boolean(arguments.has("--allow-stale"));
  json.key("as_sent").boolean(arguments.has("--as-sent"));
  json.key("rate").number(arguments.text("--rate", "50"));
  const std::string members = json.end_object().take();
  return detail::operator_body(arguments, members.substr(1, members.size() - 2));
}

void print_line(base::JsonView m, bool dry_run) {
  std::string line = std::string(m["id"].text()) + "  " + std::string(m["channel"].text()) + "  " +
                     std::string(m["type"].text()) + "  ";
  if (m["skipped"])
    line += "skipped: " + std::string(m["skipped"].text());
  else if (m["error"])
    line += "failed: " + std::string(m["error"].text());
  else
    line += (dry_run ? "would be " : "") + std::string(m["verdict"].text());
  if (m["new_id"]) line += " as message " + std::string(m["new_id"].text());
  if (m["reason"]) line += " (" + std::string(m["reason"].text()) + ")";
  print(line + "\n");
  for (const base::JsonView output : m["outputs"]) detail::print_output(output);
}

int print_result(const Arguments& arguments, const std::string& text, bool dry_run) {
  const auto document = base::parse_json(text);
  if (!document) return report(document.error(), arguments);
  const base::JsonView root = document->root();
  const bool failed = root["failed"].text() != "0";
  if (arguments.json()) {
    print(text + "\n");
  } else {
    for (const base::JsonView m : root["messages"]) print_line(m, dry_run);
    print(std::string(root["matched"].text()) + " matched, " + std::string(root["replayed"].text()) +
          (dry_run ? " would be replayed, " : " replayed, ") + std::string(root["skipped"].text()) +
          " skipped, " + std::string(root["failed"].text()) + " failed\n");
    if (dry_run) detail::print_preview_totals(root);
    if (root["refused"]) print("as it is asked for it would be refused: " + std::string(root["refused"].text()) + "\n");
  }
  return failed || root["refused"] || root["replayed"].text() == "0" ? kExitFound : kExitOk;
}

void print_job(base::JsonView job) {
  std::string line = std::string(job["id"].text()) + "  " + std::string(job["state"].text()) + "  " +
                     std::string(job["done"].text()) + " of " + std::string(job["total"].text()) + " done, " +
                     std::string(job["skipped"].text()) + " skipped, " + std::string(job["failed"].text()) +
                     " failed";
  if (job["eta_seconds"]) line += ", about " + std::string(job["eta_seconds"].text()) + " s more";
  line += "  " + std::string(job["query"].text()) + "  by " + std::string(job["by"].text());
  if (job["detail"]) line += "  (" + std::string(job["detail"].text()) + ")";
  print(line + "\n");
}

/// `kiln replay status|pause|resume|cancel [JOB]`.
int run_job(const Arguments& arguments) {
  const auto words = arguments.all("QUERY");
  const std::string& action = words.front();
  std::string target = "/replay/jobs";
  if (words.size() > 1) target += "/" + base::percent_encode(words[1]);
  if (action != "status" && words.size() < 2)
    return report({base::ErrorCode::usage, "which job?", {}, "kiln replay status names them"}, arguments);
  const bool changes = action != "status";
  const auto text =
      detail::ask_admin(arguments, changes ? "POST" : "GET", changes ? target + "/" + action : target,
                         changes ? detail::operator_body(arguments) : std::string());
  if (!text) return report(text.error(), arguments);
  if (arguments.json()) return print(*text + "\n"), kExitOk;
  const auto document = base::parse_json(*text);
  if (!document) return report(document.error(), arguments);
  if (document->root()["jobs"])
    for (const base::JsonView job : document->root()["jobs"]) print_job(job);
  else
    print_job(document->root());
  return kExitOk;
}

/// A job, and its progress until it ends. Ending this program does not end the job.
int run_at_rate(const Arguments& arguments, const std::string& body) {
  const auto begun = detail::ask_admin(arguments, "POST", "/replay/jobs", body);
  if (!begun) return report(begun.error(), arguments);
  const auto document = base::parse_json(*begun);
  if (!document) return report(document.error(), arguments);
  const std::string id(document->root()["id"].text());
  if (!arguments.json()) print("job " + id + ": kiln replay status|pause|resume|cancel " + id + "\n");
  Progress progress("job " + id);
  std::string text = *begun;
  while (!arguments.has("--background")) {
    const auto asked = detail::ask_admin(arguments, "/replay/jobs/" + id);
    if (!asked) return report(asked.error(), arguments);
    text = *asked;
    const auto job = base::parse_json(text);
    if (!job) return report(job.error(), arguments);
    const auto count = [&job](const char* name) {
      return static_cast<std::size_t>(
          std::strtoull(std::string(job->root()[name].text()).c_str(), nullptr, 10));
    };
    progress.step(count("done") + count("skipped") + count("failed"), count("total"));
    if (job->root()["state"].text() != "running") break;
    constexpr ::useconds_t kPoll = 200'000;
    ::usleep(kPoll);
  }
  if (arguments.json()) return print(text + "\n"), kExitOk;
  const auto job = base::parse_json(text);
  if (job) print_job(job->root());
  return job && (job->root()["state"].text() == "failed" || job->root()["failed"].text() != "0") ? kExitFound
                                                                                                 : kExitOk;
}

int run(const Arguments& arguments) {
  const bool dry_run = arguments.has("--dry-run");
  if (arguments.has("--map") || (arguments.has("--diff") && !dry_run))
    return detail::run_replay_diff(arguments);
  const std::string first = arguments.all("QUERY").front();
  if (first == "status" || first == "pause" || first == "resume" || first == "cancel")
    return run_job(arguments);
  if (!dry_run && !arguments.has("--yes") &&
      std::strtoull(arguments.text("--limit", "1000").c_str(), nullptr, 10) > kConfirmAbove)
    return report({base::ErrorCode::usage,
                   "a replay of more than 1000 messages needs --yes",
                   {},
                   "look at --dry-run first"},
                  arguments);
  const bool job = arguments.has("--rate") && !dry_run;
  const auto body = request_body(arguments, dry_run, job);
  if (!body) return report(body.error(), arguments);
  if (job) return run_at_rate(arguments, *body);
  const auto text = detail::ask_admin(arguments, "POST", "/replay", *body);
  if (!text) return report(text.error(), arguments);
  return print_result(arguments, *text, dry_run);
}

constexpr ArgumentSpec kArguments[] = {
    {"QUERY",
     "which messages: numbers, or terms as in `kiln search`; or status, pause, resume, cancel and a job",
     true, true}};
constexpr OptionSpec kOptions[] = {
    detail::kSiteOption,
    detail::kDataOption,
    detail::kServerOption,
    {"--to", "DEST",
     "only to this destination (repeatable); `all`: wherever the maps send it; default: where it failed",
     false, true},
    {"--channel", "NAME", "through this channel instead of the one they came by"},
    {"--dry-run", nullptr, "say what would happen, against what was sent; change nothing"},
    {"--diff", nullptr,
     "what the maps on disk would send against what was sent, without an engine; with --dry-run: its lines"},
    {"--map", "FILE", "with --diff: this .hmap file in the place of the one with its name"},
    {"--include-sent", nullptr, "also to destinations that have the message already"},
    {"--allow-stale", nullptr, "also where a newer message of the same `order by` key was sent"},
    {"--as-sent", nullptr, "what was sent, byte for byte, instead of the maps of today"},
    {"--rate", "N", "as a job, N messages a second, with its progress; it goes on over restarts"},
    {"--background", nullptr, "with --rate: do not wait for its end"},
    {"--fresh-lookups", nullptr, "ask lookups anew instead of using the answers stored with each message"},
    {"--reason", "TEXT", "why; kept with the job"},
    {"--limit", "N", "most messages (default 1000); more matches are refused"},
    {"--yes", nullptr, "do not ask, also above 1000 messages"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln replay 4711 --dry-run", "what a replay of one message would do"},
    {"kiln replay state:quarantined since:2h", "everything set aside in the last two hours, where it failed"},
    {"kiln replay channel:adt_in since:7d --to repo --include-sent --rate 50",
     "fill one destination again, 50 a second"},
    {"kiln replay pause 3", "stop job 3 for now; `resume` goes on, also after a restart"},
    {"kiln replay channel:adt_in since:7d --map new/adt.hmap --diff",
     "what would this map have changed last week?"}};

}  // namespace

const CommandSpec& replay_spec() {
  static const CommandSpec spec{
      "replay",
      "Replay",
      "send stored messages through their channel again",
      "Each replay is a new message that names the original (replay_of). The original bytes go through the "
      "current site, in\n"
      "original order. Receivers see the same MSH-10. Needs a running engine (exit 69 otherwise), but for "
      "--diff.",
      kArguments,
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
