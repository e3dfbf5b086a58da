// kiln status: how the site is.

#include "engine/command.h"
#include "engine/detail/admin_client.h"
#include "engine/detail/status_text.h"

namespace kiln::engine {
namespace {

int run(const Arguments& arguments) {
  const auto text = detail::ask_admin(arguments, "/status");
  if (!text) return report(text.error(), arguments);
  const auto document =
      base::parse_json(*text, {base::limits::kMessageBytesMax, base::limits::kJsonDepthMax});
  if (!document) return report(document.error(), arguments);
  if (arguments.json())
    print(*text + "\n");
  else
    print(detail::print_status_text(document->root(), arguments));
  return document->root()["verdict"]["level"].text() == "bad" ? kExitFound : kExitOk;
}

constexpr OptionSpec kOptions[] = {detail::kSiteOption, detail::kDataOption, detail::kServerOption,
                                   detail::kUtcOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln status --site examples/quickstart", "verdict, problems, channels and destinations"},
    {"KILN_TOKEN=kiln_… kiln status --server http://127.0.0.1:8081", "of an engine elsewhere"}};

}  // namespace

const CommandSpec& status_spec() {
  static const CommandSpec spec{
      "status",
      "Run",
      "how a running site is: problems first, then channels and queues",
      "Exit 1 when something is bad, 69 when no engine runs. `kiln top` shows the same live.",
      {},
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
