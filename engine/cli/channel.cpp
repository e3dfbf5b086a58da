// kiln channel: what operators do to channels of a running site.

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/command.h"
#include "engine/detail/admin_client.h"
#include "engine/detail/operator.h"

namespace kiln::engine {
namespace {

using base::Result;

void print_list(base::JsonView root) {
  for (const base::JsonView channel : root["channels"]) {
    std::string line = std::string(channel["name"].text()) + "  " + std::string(channel["state"].text()) +
                       "  " + std::string(channel["source"].text());
    if (channel["port"]) line += " on port " + std::string(channel["port"].text());
    if (channel["hours"]) line += " (" + std::string(channel["hours"].text()) + ")";
    print(line + ", " + std::string(channel["pending"].text()) + " waiting\n");
    for (const base::JsonView destination : channel["destinations"]) {
      line = "    -> " + std::string(destination["name"].text()) + "  " +
             std::string(destination["state"].text()) + ", " + std::string(destination["pending"].text()) +
             " waiting";
      if (destination["blocked_messages"].text() != "0")
        line += ", " + std::string(destination["blocked_messages"].text()) + " blocked";
      if (destination["hours"]) line += " (" + std::string(destination["hours"].text()) + ")";
      if (destination["last_failure"]) line += " (" + std::string(destination["last_failure"].text()) + ")";
      print(line + "\n");
    }
    for (const base::JsonView hold : channel["held"])
      print("    " + std::string(hold["what"].text()) + " " + std::string(hold["state"].text()) + " since " +
            std::string(hold["since"].text()) + " by " + std::string(hold["by"].text()) +
            (hold["reason"] ? ": " + std::string(hold["reason"].text()) : "") + "\n");
  }
}

int run(const Arguments& arguments) {
  const std::string action = arguments.text("ACTION");
  if (action == "list") {
    const auto listed = detail::ask_admin(arguments, "/channels");
    if (!listed) return report(listed.error(), arguments);
    if (arguments.json()) return print(*listed + "\n"), kExitOk;
    const auto document = base::parse_json(*listed);
    if (!document) return report(document.error(), arguments);
    print_list(document->root());
    return kExitOk;
  }
  const bool known = action == "start" || action == "stop" || action == "pause" || action == "resume" || action == "drain";
  if (!known)
    return report({base::ErrorCode::usage, "a channel cannot `" + action + "`", {}, "list, start, stop, pause, resume or drain"}, arguments);
  if (arguments.all("NAME").empty())
    return report({base::ErrorCode::usage, "which channel?", {}, "kiln channel list names them"}, arguments);
  const bool source = arguments.has("--source");
  if (source && action != "pause" && action != "resume")
    return report({base::ErrorCode::usage, "--source goes with pause and resume", {}, {}}, arguments);
  bool held = false;
  for (const std::string& name : arguments.all("NAME")) {
    const std::string target = "/channels/" + base::percent_encode(name) + "/" +
                               base::percent_encode(action) + (source ? "-source" : "");
    const auto done = detail::ask_admin(arguments, "POST", target, detail::operator_body(arguments));
    if (!done) return report(done.error(), arguments);
    const auto document = base::parse_json(*done);
    if (!document) return report(document.error(), arguments);
    held = held || document->root()["held"].size() > 0;
    if (arguments.json()) {
      print(*done + "\n");
      continue;
    }
    print(name + ": " + std::string(document->root()["state"].text()) + "\n");
    detail::print_held(document->root());
  }
  return held ? kExitFound : kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"ACTION", "list, start, stop, pause, resume or drain"},
                                       {"NAME", "channels", false, true}};
constexpr OptionSpec kOptions[] = {
    detail::kSiteOption,
    detail::kDataOption,
    detail::kServerOption,
    {"--source", nullptr, "pause: connections stay open, nothing is read; resume: read again"},
    {"--reason", "TEXT", "why; kept with the hold"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln channel list", "channels, destinations, what is held and by whom"},
    {"kiln channel pause adt_in --reason \"PAS is being updated\"", "keep accepting, deliver nothing"},
    {"kiln channel stop lab_in", "close the listener; what waits is still delivered"},
    {"kiln channel drain lab_in", "the same, and `list` says stopped when nothing waits any more"}};

}  // namespace

const CommandSpec& channel_spec() {
  static const CommandSpec spec{
      "channel",
      "Operate",
      "list, start, stop, pause, resume or drain channels",
      "`pause` keeps accepting and journaling and delivers nothing; `stop` closes the listener. Both outlive "
      "a restart, until\n"
      "`resume` and `start`. Needs a running engine (exit 69 otherwise).",
      kArguments,
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
