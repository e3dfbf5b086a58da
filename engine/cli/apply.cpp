// kiln apply: as reload, but the difference is shown first.

#include "engine/detail/admin_client.h"
#include "engine/detail/reload_cli.h"

namespace kiln::engine {
namespace {

int run(const Arguments& arguments) {
  if (!arguments.has("--dry-run") && !arguments.json()) {
    const int found = detail::run_diff(arguments);
    if (found != kExitFound) return found;
  }
  return detail::run_reload(arguments, "apply", {}, arguments.has("--dry-run"));
}

constexpr OptionSpec kOptions[] = {
    detail::kSiteOption,
    detail::kDataOption, detail::kServerOption,
    {"--dry-run", nullptr, "check and say what would change; exit 1 when something would"},
    {"--reason", "TEXT", "why; kept in the history"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln apply --dry-run", "check the files and say what a reload would do"},
    {"kiln apply --reason \"ticket 4711\"", "show the difference and use it"}};

}  // namespace

const CommandSpec& apply_spec() {
  static const CommandSpec spec{
      "apply",
      "Config",
      "show what changed in the files of the site, and use it",
      "As `kiln reload`, which shows no lines. Needs a running engine (exit 69 otherwise); exit 78: the site "
      "has errors and the\n"
      "running one goes on.",
      {},
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
