// kiln replay: sends stored messages through their channel again.

#include <cstdio>

#include "engine/base/json.h"
#include "engine/command.h"
#include "engine/detail/site_data.h"

namespace kiln::engine {
namespace {

using base::Result;

/// Above this many messages a replay wants --yes (operations.md P7).
constexpr std::size_t kConfirmAbove = 1000;

Result<std::string> ask(const std::string& data, const Arguments& arguments, bool dry_run) {
  base::JsonWriter json;
  std::string query;
  for (const std::string& term : arguments.all("QUERY")) query += (query.empty() ? "" : " ") + term;
  json.begin_object().member("query", query).key("to").begin_array();
  for (const std::string& name : arguments.all("--to")) json.string(name);
  json.end_array().key("dry_run").boolean(dry_run);
  json.key("fresh_lookups").boolean(arguments.has("--fresh-lookups"));
  const std::string limit = arguments.text("--limit", "1000");
  if (limit.empty() || limit.find_first_not_of("0123456789") != std::string::npos)
    return base::fail(base::ErrorCode::usage, "--limit needs a number");
  json.key("limit").number(limit).end_object();
  base::HttpRequest request;
  request.method = "POST";
  request.target = "/api/v1/replay";
  request.headers.set("Content-Type", "application/json");
  request.body = json.take();
  TRY(auto response, detail::control_request(data, std::move(request)));
  TRY_VOID(detail::control_status(response));
  return std::move(response.body);
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
  for (const base::JsonView o : m["outputs"])
    line += "\n      -> " + std::string(o["destination"].text()) + ", " + std::string(o["bytes"].text()) +
            " bytes";
  print(line + "\n");
}

int run(const Arguments& arguments) {
  const auto data = detail::data_folder(arguments);
  if (!data) return report(data.error(), arguments);
  const bool dry_run = arguments.has("--dry-run");
  if (!dry_run && !arguments.has("--yes") &&
      std::strtoull(arguments.text("--limit", "1000").c_str(), nullptr, 10) > kConfirmAbove)
    return report({base::ErrorCode::usage,
                   "a replay of more than 1000 messages needs --yes",
                   {},
                   "look at --dry-run first"},
                  arguments);
  const auto text = ask(*data, arguments, dry_run);
  if (!text) return report(text.error(), arguments);
  const auto document = base::parse_json(*text);
  if (!document) return report(document.error(), arguments);
  const base::JsonView root = document->root();
  const bool failed = root["failed"].text() != "0";
  if (arguments.json()) {
    print(*text + "\n");
  } else {
    for (const base::JsonView m : root["messages"]) print_line(m, dry_run);
    print(std::string(root["matched"].text()) + " matched, " + std::string(root["replayed"].text()) +
          (dry_run ? " would be replayed, " : " replayed, ") + std::string(root["skipped"].text()) +
          " skipped, " + std::string(root["failed"].text()) + " failed\n");
  }
  return failed || root["matched"].text() == "0" ? kExitFound : kExitOk;
}

constexpr ArgumentSpec kArguments[] = {
    {"QUERY", "which messages: numbers, or terms as in `kiln search`", true, true}};
constexpr OptionSpec kOptions[] = {
    detail::kSiteOption,
    detail::kDataOption,
    {"--to", "DEST",
     "only to this destination (repeatable); `all`: wherever the maps send it; default: where it failed",
     false, true},
    {"--dry-run", nullptr, "say what would happen, change nothing"},
    {"--fresh-lookups", nullptr, "ask lookups anew instead of using the answers stored with each message"},
    {"--limit", "N", "most messages (default 1000); more matches are refused"},
    {"--yes", nullptr, "do not ask, also above 1000 messages"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln replay 4711 --dry-run", "what a replay of one message would do"},
    {"kiln replay state:quarantined since:2h", "everything set aside in the last two hours, where it failed"},
    {"kiln replay channel:adt_in 'type:ADT^A01' before:2026-11-22 --to repo", "fill one destination again"}};

}  // namespace

const CommandSpec& replay_spec() {
  static const CommandSpec spec{
      "replay",
      "Replay",
      "send stored messages through their channel again",
      "Each replay is a new message that names the original (replay_of). The original bytes go through the "
      "current site, in\n"
      "original order. Receivers see the same MSH-10. Needs a running engine (exit 69 otherwise).",
      kArguments,
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
