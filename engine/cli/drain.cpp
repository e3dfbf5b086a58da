// kiln drain: no channel takes more, what waits is delivered.

#include <unistd.h>

#include <cstdlib>

#include "engine/base/text.h"
#include "engine/command.h"
#include "engine/detail/admin_client.h"
#include "engine/detail/operator.h"

namespace kiln::engine {
namespace {

struct Waiting {
  std::uint64_t messages = 0;
  std::string where;  ///< channels that have some
};

base::Result<Waiting> look(const Arguments& arguments) {
  TRY(const auto listed, detail::ask_admin_json(arguments, "/channels"));
  Waiting out;
  for (const base::JsonView channel : listed.root()["channels"]) {
    const std::uint64_t pending = std::strtoull(std::string(channel["pending"].text()).c_str(), nullptr, 10);
    out.messages += pending;
    if (pending > 0) out.where += (out.where.empty() ? "" : ", ") + std::string(channel["name"].text()) + " " + std::to_string(pending);
  }
  return out;
}

base::Status act_on_all(const Arguments& arguments, const char* action, std::size_t& channels) {
  TRY(const auto listed, detail::ask_admin_json(arguments, "/channels"));
  for (const base::JsonView channel : listed.root()["channels"]) {
    if (channel["state"].text() == "disabled") continue;
    const std::string path = "/channels/" + base::percent_encode(channel["name"].text()) + "/" + action;
    TRY_VOID(detail::ask_admin(arguments, "POST", path, detail::operator_body(arguments)));
    ++channels;
  }
  return {};
}

int show(const Arguments& arguments, std::size_t channels, const Waiting& waiting) {
  if (arguments.json()) {
    base::JsonWriter json;
    json.begin_object().key("channels").integer(static_cast<std::int64_t>(channels));
    json.key("waiting").integer(static_cast<std::int64_t>(waiting.messages)).end_object();
    print(json.take() + "\n");
  } else if (waiting.messages == 0) {
    print(std::to_string(channels) + " channels take nothing more, and nothing waits\n");
  } else {
    print(std::to_string(channels) + " channels take nothing more; " + std::to_string(waiting.messages) + " messages wait: " + waiting.where + "\n");
  }
  return waiting.messages == 0 ? kExitOk : kExitRetry;
}

int run(const Arguments& arguments) {
  constexpr long kPoll = 200'000;  // µs
  const auto seconds = whole_number(arguments, "--wait", 0, 0, 31'536'000);
  if (!seconds) return report(seconds.error(), arguments);
  std::size_t channels = 0;
  const bool undo = arguments.has("--undo");
  if (const base::Status done = act_on_all(arguments, undo ? "start" : "drain", channels); !done) return report(done.error(), arguments);
  if (undo) {
    if (arguments.json())
      print("{\"channels\":" + std::to_string(channels) + "}\n");
    else
      print(std::to_string(channels) + " channels take messages again\n");
    return kExitOk;
  }
  auto waiting = look(arguments);
  for (std::int64_t tries = *seconds * 1'000'000 / kPoll; tries > 0 && waiting && waiting->messages > 0; --tries) {
    ::usleep(static_cast<::useconds_t>(kPoll));
    waiting = look(arguments);
  }
  if (!waiting) return report(waiting.error(), arguments);
  return show(arguments, channels, *waiting);
}

constexpr OptionSpec kOptions[] = {detail::kSiteOption,
                                   detail::kDataOption,
                                   detail::kServerOption,
                                   {"--wait", "SECONDS", "until nothing waits any more, at most so long"},
                                   {"--undo", nullptr, "every channel takes messages again"},
                                   {"--reason", "TEXT", "why; kept with the hold"}};
constexpr ExampleSpec kExamples[] = {{"kiln drain --wait 60 --reason \"the machine is being updated\"", "exit 75 when something still waits then"},
                                     {"kiln drain --undo", "listen again"}};

}  // namespace

const CommandSpec& drain_spec() {
  static const CommandSpec spec{"drain",
                                "Run",
                                "let no channel take more, and what waits be delivered",
                                "Every listener closes, also over a restart, until --undo (or `kiln channel start`); the engine goes on. To end the engine send\n"
                                "it SIGTERM. Needs a running engine (exit 69 otherwise).",
                                {},
                                kOptions,
                                kExamples,
                                run};
  return spec;
}

}  // namespace kiln::engine
