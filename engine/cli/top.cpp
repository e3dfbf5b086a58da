// kiln top: the status, live in a terminal.

#include <unistd.h>

#include <csignal>

#include "engine/command.h"
#include "engine/detail/admin_client.h"
#include "engine/detail/status_text.h"

namespace kiln::engine {
namespace {

volatile std::sig_atomic_t stopped = 0;

int run(const Arguments& arguments) {
  const bool live = is_terminal(stdout) && !arguments.json();
  const auto wanted = whole_number(arguments, "--times", live ? 0 : 1, 1, 1'000'000'000);
  if (!wanted) return report(wanted.error(), arguments);
  const std::int64_t times = *wanted;
  std::signal(SIGINT, [](int) { stopped = 1; });
  for (std::int64_t shown = 0; stopped == 0 && (times == 0 || shown < times); ++shown) {
    if (shown > 0) ::sleep(1);
    const auto text = detail::ask_admin(arguments, "/status");
    if (!text) return report(text.error(), arguments);
    if (arguments.json()) {
      print(*text + "\n");
      continue;
    }
    const auto document =
        base::parse_json(*text, {base::limits::kMessageBytesMax, base::limits::kJsonDepthMax});
    if (!document) return report(document.error(), arguments);
    // Home, each line cleared behind its text, the rest cleared: no flicker.
    std::string page = detail::print_status_text(document->root(), arguments);
    if (live) {
      std::string cleared = "\x1b[H";
      for (const char c : page) cleared += c == '\n' ? std::string("\x1b[K\n") : std::string(1, c);
      page = cleared + "\x1b[J";
    }
    print(page);
    std::fflush(stdout);
  }
  return kExitOk;
}

constexpr OptionSpec kOptions[] = {
    detail::kSiteOption,
    detail::kDataOption,
    detail::kServerOption,
    detail::kUtcOption,
    {"--times", "N", "how often, a second apart (default: until Ctrl-C; once when piped)"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln top --site examples/quickstart", "rates, queues and problems, once a second"}};

}  // namespace

const CommandSpec& top_spec() {
  static const CommandSpec spec{"top",
                                "Run",
                                "the status of a running site, live",
                                "In a terminal once a second until Ctrl-C; piped, once.",
                                {},
                                kOptions,
                                kExamples,
                                run};
  return spec;
}

}  // namespace kiln::engine
