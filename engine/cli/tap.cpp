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
  std::vector<std::string> lines;  // the newest first
  std::uint64_t newest = last;
  std::string before;
  do {
    TRY(const auto found, detail::ask_admin_json(arguments, "/messages?q=" + base::percent_encode(query) + "&limit=" + (show ? "200" : "1") + before));
    for (const base::JsonView m : found.root()["messages"]) {
      newest = std::max<std::uint64_t>(newest, std::strtoull(std::string(m["id"].text()).c_str(), nullptr, 10));
      if (show) lines.push_back(arguments.json() ? base::print_json(m) + "\n" : line_of(m, arguments));
    }
    const std::string next(found.root()["next"].text());
    before = next.empty() ? std::string() : "&before=" + next;
  } while (show && !before.empty());
  last = newest;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) print(*line);
  std::fflush(stdout);
  return {};
}

int run(const Arguments& arguments) {
  const auto seconds = whole_number(arguments, "--for", 0, 1, 31'536'000);
  if (!seconds) return report(seconds.error(), arguments);
  const std::string wanted = arguments.text("CHANNEL");
  const auto channels = detail::ask_admin_json(arguments, "/channels");
  if (!channels) return report(channels.error(), arguments);
  bool known = false;
  for (const base::JsonView one : channels->root()["channels"]) known = known || one["name"].text() == wanted;
  if (!known) return report({base::ErrorCode::channel_not_found, {}, wanted, "`kiln channel list` names them"}, arguments);
  std::signal(SIGINT, [](int) { stopped = 1; });
  std::uint64_t last = 0;
  if (const base::Status begun = follow(arguments, last, false); !begun)
    return report(begun.error(), arguments);
  for (std::int64_t at = 0; stopped == 0 && (*seconds == 0 || at < *seconds); ++at) {
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
