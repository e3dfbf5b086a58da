// kiln log: how much a channel logs, for a while.

#include <charconv>
#include <optional>

#include "engine/base/json.h"
#include "engine/command.h"
#include "engine/detail/admin_client.h"

namespace kiln::engine {
namespace {

/// "15m", "30s", "2h" in seconds.
std::optional<std::int64_t> seconds_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (error != std::errc() || number <= 0 || number > 1'000'000) return std::nullopt;
  if (unit == "s") return number;
  if (unit == "m") return number * 60;
  if (unit == "h") return number * 3'600;
  return std::nullopt;
}

int show(const base::Result<std::string>& answer, const Arguments& arguments) {
  if (!answer) return report(answer.error(), arguments);
  if (arguments.json()) return print(*answer + "\n"), kExitOk;
  const auto document = base::parse_json(*answer);
  if (!document) return report(document.error(), arguments);
  const base::JsonView levels = document->root()["levels"];
  for (const base::JsonView one : levels)
    print(std::string(one["channel"].text()) + "  " + std::string(one["level"].text()) + "  until " +
          detail::shown_time(one["until"].text(), arguments) + "\n");
  if (levels.size() == 0) print("no channel has a level of its own: everything from info on is logged\n");
  return kExitOk;
}

int run(const Arguments& arguments) {
  const std::string action = arguments.text("ACTION", "list");
  if (action == "list") return show(detail::ask_admin(arguments, "/log"), arguments);
  const std::string channel = arguments.text("CHANNEL"), level = arguments.text("LEVEL");
  if (action == "reset" && !channel.empty() && level.empty()) {
    base::JsonWriter body;
    body.begin_object().member("channel", channel).member("level", "info").key("seconds").integer(0).end_object();
    return show(detail::ask_admin(arguments, "POST", "/log", body.str()), arguments);
  }
  if (action != "level" || channel.empty() || level.empty())
    return report({base::ErrorCode::usage, "what is to be logged?", {}, "kiln log level CHANNEL debug --for 15m"}, arguments);
  if (level != "debug" && level != "info" && level != "warn" && level != "error")
    return report({base::ErrorCode::usage, "there is no level `" + level + "`", {}, "debug, info, warn or error"}, arguments);
  const auto seconds = seconds_of(arguments.text("--for", "15m"));
  if (!seconds) return report({base::ErrorCode::usage, "--for is no time", {}, "30s, 15m or 2h"}, arguments);
  base::JsonWriter body;
  body.begin_object().member("channel", channel).member("level", level).key("seconds").integer(*seconds).end_object();
  return show(detail::ask_admin(arguments, "POST", "/log", body.str()), arguments);
}

constexpr ArgumentSpec kArguments[] = {{"ACTION", "level, reset (as it was before), or list (what is set)", false},
                                       {"CHANNEL", "name of a channel; *: all", false},
                                       {"LEVEL", "debug, info, warn or error", false}};
constexpr OptionSpec kOptions[] = {detail::kSiteOption, detail::kDataOption, detail::kServerOption, detail::kUtcOption,
                                   {"--for", "TIME", "how long (default 15m, at most 24h); then it is as before"}};
constexpr ExampleSpec kExamples[] = {{"kiln log level lab_in debug --for 30m", "each message and attempt of one channel"},
                                     {"kiln log level noisy error --for 2h", "only errors of another"},
                                     {"kiln log reset lab_in", "as it was before, now"},
                                    {"kiln log", "what is set, and until when"}};

}  // namespace

const CommandSpec& log_spec() {
  static const CommandSpec spec{"log",
                                "Operate",
                                "how much a channel logs, for a while",
                                "Lines hold names, numbers and codes, never what stands in a message. Needs a running engine (exit 69 otherwise).",
                                kArguments,
                                kOptions,
                                kExamples,
                                run};
  return spec;
}

}  // namespace kiln::engine
