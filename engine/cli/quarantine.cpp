// kiln quarantine: what was set aside, by cause; who cares for it; release or drop.

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/command.h"
#include "engine/detail/admin_client.h"
#include "engine/detail/operator.h"

namespace kiln::engine {
namespace {

using base::Result;

std::string joined(const std::vector<std::string>& terms) {
  std::string out;
  for (const std::string& term : terms) out += (out.empty() ? "" : " ") + term;
  return out;
}

Result<base::JsonDocument> ask(const char* method, const std::string& target, const std::string& body, const Arguments& arguments) {
  TRY(const std::string text, detail::ask_admin(arguments, method, target, body));
  if (arguments.json()) print(text + "\n");
  return base::parse_json(text);
}

void print_groups(base::JsonView root) {
  for (const base::JsonView group : root["groups"]) {
    std::string line = std::string(group["count"].text()) + "  " + std::string(group["channel"].text()) +
                       "/" + std::string(group["destination"].text()) + "  " +
                       std::string(group["code"].text());
    if (!group["detail"].text().empty()) line += ": " + std::string(group["detail"].text());
    line += "\n     first " + std::string(group["first"].text()) + ", last " +
            std::string(group["last"].text()) + ", for example message " +
            std::string(group["example"].text());
    if (group["owner"]) line += ", owner " + std::string(group["owner"].text());
    if (group["note"]) line += ", note: " + std::string(group["note"].text());
    print(line + "\n");
  }
  print(std::string(root["open"].text()) + " open" + (root["complete"].boolean() ? "" : ", and older ones") +
        "\n");
}

void print_items(base::JsonView root) {
  for (const base::JsonView item : root["items"]) {
    std::string line = std::string(item["id"].text()) + "  " + std::string(item["since"].text()) + "  " +
                       std::string(item["channel"].text()) + "/" + std::string(item["destination"].text()) +
                       "  " + std::string(item["type"].text()) + "  " + std::string(item["code"].text());
    if (!item["reason"].text().empty()) line += ": " + std::string(item["reason"].text());
    if (item["owner"]) line += "  owner " + std::string(item["owner"].text());
    if (item["note"]) line += "  note: " + std::string(item["note"].text());
    print(line + "\n");
  }
  if (root["next"]) print("more: add msg:1.." + std::string(root["next"].text()) + "\n");
}

std::string change_body(const Arguments& arguments, const std::string& query, bool dry_run) {
  base::JsonWriter more;
  more.begin_object().member("query", query).key("dry_run").boolean(dry_run);
  for (const char* option : {"--owner", "--note"})
    if (arguments.has(option)) more.member(option + 2, arguments.text(option));
  if (arguments.has("--limit")) more.key("limit").integer(std::strtoll(arguments.text("--limit").c_str(), nullptr, 10));
  if (arguments.has("--dest")) more.member("destination", arguments.text("--dest"));
  std::string members = more.end_object().take();
  return detail::operator_body(arguments, members.substr(1, members.size() - 2));
}

int change(const Arguments& arguments, const std::string& action, const std::string& query) {
  const bool ends = action == "drop" || action == "release";
  bool dry_run = arguments.has("--dry-run");
  const std::string target = "/quarantine/" + base::percent_encode(action);
  if (ends && !dry_run && !arguments.has("--yes")) {
    const auto looked = detail::ask_admin(arguments, "POST", target, change_body(arguments, query, true));
    if (!looked) return report(looked.error(), arguments);
    const auto document = base::parse_json(*looked);
    const std::string count = document ? std::string(document->root()["matched"].text()) : "0";
    if (count != "1")
      return report({base::ErrorCode::usage,
                     "this is about " + count + " messages",
                     {},
                     "look at --dry-run, then add --yes"},
                    arguments);
  }
  const auto done = ask("POST", target, change_body(arguments, query, dry_run), arguments);
  if (!done) return report(done.error(), arguments);
  const base::JsonView root = done->root();
  if (!arguments.json()) {
    for (const base::JsonView item : root["items"])
      print(std::string(item["id"].text()) + "  " + std::string(item["channel"].text()) + "/" +
            std::string(item["destination"].text()) + "  " + (dry_run ? "would " : "") +
            std::string(item["text"].text()) +
            (item["new_id"] ? " as message " + std::string(item["new_id"].text()) : "") + "\n");
    print(std::string(root["matched"].text()) + " matched, " + std::string(root["done"].text()) + " done, " +
          std::string(root["failed"].text()) + " failed\n");
  }
  return root["failed"].text() == "0" ? kExitOk : kExitFound;
}

int run(const Arguments& arguments) {
  const std::string action = arguments.text("ACTION"), query = joined(arguments.all("QUERY"));
  static constexpr const char* kActions[] = {"list", "show", "assign", "note", "release", "resolve", "drop"};
  if (std::find(std::begin(kActions), std::end(kActions), action) == std::end(kActions))
    return report({base::ErrorCode::usage, "the quarantine cannot `" + action + "`", {}, "list, show, assign, note, release, resolve or drop"},
                  arguments);
  if ((action == "drop" || action == "resolve") && !arguments.has("--reason"))
    return report({base::ErrorCode::usage, "`" + action + "` needs --reason", {}, "it is kept with the message"}, arguments);
  if (action == "assign" && !arguments.has("--owner"))
    return report({base::ErrorCode::usage, "`assign` needs --owner", {}, "--owner \"\" takes the owner away"}, arguments);
  if (action == "note" && !arguments.has("--note"))
    return report({base::ErrorCode::usage, "`note` needs --note", {}, "--note \"\" takes the note away"}, arguments);
  if (action == "list" || action == "show") {
    const std::string target =
        action == "list"
            ? "/quarantine?q="
            : "/quarantine/items?limit=" + base::percent_encode(arguments.text("--limit", "50")) +
                  "&q=";
    const auto found = ask("GET", target + base::percent_encode(query), {}, arguments);
    if (!found) return report(found.error(), arguments);
    if (!arguments.json()) action == "list" ? print_groups(found->root()) : print_items(found->root());
    return kExitOk;
  }
  return change(arguments, action, query);
}

constexpr ArgumentSpec kArguments[] = {
    {"ACTION", "list, show, assign, note, release, resolve or drop"},
    {"QUERY", "which messages: numbers, or terms as in `kiln search`", false, true}};
constexpr OptionSpec kOptions[] = {
    detail::kSiteOption,
    detail::kDataOption,
    detail::kServerOption,
    {"--dest", "DEST", "only what was set aside at this destination; `-`: messages as a whole"},
    {"--owner", "NAME", "assign: who takes care of it"},
    {"--note", "TEXT", "note: what is known about it"},
    {"--reason", "TEXT", "why; drop and resolve need it"},
    {"--limit", "N", "most messages (default 1000; show: 50)"},
    {"--dry-run", nullptr, "say what it is about, change nothing"},
    {"--yes", nullptr, "do not ask when more than one message is released or dropped"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln quarantine list", "by channel, destination and cause"},
    {"kiln quarantine assign channel:lab_in code:AR --owner ann", "ann takes care of these"},
    {"kiln quarantine release 4711", "try one, through the maps as they are now"},
    {"kiln quarantine release channel:lab_in code:AR --yes", "then all of them, in the order they came"},
    {"kiln quarantine drop 4711 --reason \"test message of the vendor\"",
     "it is kept as removed, with the reason"}};

}  // namespace

const CommandSpec& quarantine_spec() {
  static const CommandSpec spec{
      "quarantine",
      "Operate",
      "list, assign, release or drop what was set aside",
      "`list` counts by cause, `show` names the messages. Nothing leaves the quarantine by itself. Needs a "
      "running engine (exit 69\n"
      "otherwise).",
      kArguments,
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
