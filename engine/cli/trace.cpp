// kiln trace: a message and what it was made of and became.

#include "engine/admin/why_facts.h"
#include "engine/base/env.h"
#include "engine/base/text.h"
#include "engine/command.h"
#include "engine/detail/admin_client.h"

namespace kiln::engine {
namespace {

using base::Result;

Result<std::string> ask(const Arguments& arguments) {
  const std::string id = arguments.text("ID");
  auto told = detail::ask_admin(arguments, "/messages/" + base::percent_encode(id) + "/trace");
  if (told || told.error().code != base::ErrorCode::engine_unreachable || arguments.has("--server"))
    return told;
  const MessageId number = std::strtoull(id.c_str(), nullptr, 10);
  TRY(auto reader, detail::open_journal(arguments));
  TRY(const auto related, trace_message(reader, number));
  return print_trace(number, related);
}

int run(const Arguments& arguments) {
  const auto told = ask(arguments);
  if (!told) return report(told.error(), arguments);
  if (arguments.json()) {
    print(*told + "\n");
    return kExitOk;
  }
  const auto document =
      base::parse_json(*told, {base::limits::kMessageBytesMax, base::limits::kJsonDepthMax});
  if (!document) return report(document.error(), arguments);
  detail::Table table({"message", "received", "channel", "type", "state", "relation"});
  for (const base::JsonView m : document->root()["messages"]) {
    std::string relation(m["relation"].text());
    if (m["to"]) relation += (relation == "this" ? ", made from " : " ") + std::string(m["to"].text());
    table.add({std::string(m["id"].text()), detail::shown_time(m["received"].text(), arguments),
               std::string(m["channel"].text()), std::string(m["type"].text()),
               std::string(m["state"].text()), relation});
  }
  print(table.text());
  return kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"ID", "sequence number of the message"}};
constexpr OptionSpec kOptions[] = {detail::kSiteOption, detail::kDataOption, detail::kServerOption,
                                   detail::kUtcOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln trace 4711 --site examples/quickstart", "originals, replays, edits and parts"}};

}  // namespace

const CommandSpec& trace_spec() {
  static const CommandSpec spec{"trace",
                                "Messages",
                                "list the messages that belong together: original, replays, edits, parts",
                                "With or without a running engine.",
                                kArguments,
                                kOptions,
                                kExamples,
                                run};
  return spec;
}

}  // namespace kiln::engine
