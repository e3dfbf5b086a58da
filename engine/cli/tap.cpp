// kiln tap: messages of a channel as they come.

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <vector>

#include "engine/base/text.h"
#include "engine/command.h"
#include "engine/detail/admin_client.h"

namespace kiln::engine {
namespace {

volatile std::sig_atomic_t stopped = 0;

std::string line_of(base::JsonView m, const Arguments& arguments) {
  std::string out = detail::shown_time(m["received"].text(), arguments) + "  " + std::string(m["id"].text()) +
                    "  " + std::string(m["type"].text()) + "  " + std::string(m["control_id"].text()) + "  " +
                    std::string(m["state"].text());
  for (const base::JsonView d : m["destinations"])
    out += "  " + std::string(d["destination"].text()) + "=" + std::string(d["state"].text());
  return out + "\n";
}

/// Prints what came after `last`; moves it on. The newest first comes in the order of arrival.
base::Status follow(const Arguments& arguments, std::uint64_t& last, bool show) {
  std::string query = "channel:" + arguments.text("CHANNEL");
  if (last > 0) query += " msg:" + std::to_string(last + 1) + "..9000000000000000000";
  const std::string limit = show ? "200" : "1";
  TRY(const auto found,
      detail::ask_admin_json(arguments, "/messages?q=" + base::percent_encode(query) + "&limit=" + limit));
  std::vector<base::JsonView> messages;
  for (const base::JsonView m : found.root()["messages"]) messages.push_back(m);
  std::ranges::reverse(messages);
  for (const base::JsonView m : messages) {
    const std::string id(m["id"].text());
    last = std::max<std::uint64_t>(last, std::strtoull(id.c_str(), nullptr, 10));
    if (show) print(arguments.json() ? base::print_json(m) + "\n" : line_of(m, arguments));
  }
  std::fflush(stdout);
  return {};
}

int run(const Arguments& arguments) {
  std::signal(SIGINT, [](int) { stopped = 1; });
  std::uint64_t last = 0;
  if (const base::Status begun = follow(arguments, last, false); !begun)
    return report(begun.error(), arguments);
  const long seconds = arguments.has("--for") ? std::strtol(arguments.text("--for").c_str(), nullptr, 10) : 0;
  for (long at = 0; stopped == 0 && (seconds == 0 || at < seconds); ++at) {
    ::sleep(1);
    if (const base::Status done = follow(arguments, last, true); !done)
      return report(done.error(), arguments);
  }
  return kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"CHANNEL", "name of a channel"}};
constexpr OptionSpec kOptions[] = {detail::kSiteOption,
                                   detail::kDataOption,
                                   detail::kServerOption,
                                   detail::kUtcOption,
                                   {"--for", "SECONDS", "stop by itself (default: until Ctrl-C)"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln tap adt_in --site examples/quickstart", "one line a message, as they come"}};

}  // namespace

const CommandSpec& tap_spec() {
  static const CommandSpec spec{
      "tap",
      "Messages",
      "follow the messages of a channel as they come",
      "Shows number, type, control id and where it went, never content: `kiln show ID` has that.\n"
      "With --json one object a line.",
      kArguments,
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
