// kiln reload: the running engine takes the files of its site as they are now.

#include "engine/detail/admin_client.h"
#include "engine/detail/reload_cli.h"

namespace kiln::engine {
namespace {

int run(const Arguments& arguments) {
  return detail::run_reload(arguments, "apply", {}, false);
}

constexpr OptionSpec kOptions[] = {
    detail::kSiteOption, detail::kDataOption, detail::kServerOption, {"--reason", "TEXT", "why; kept in the history"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln reload --site /etc/kiln/site", "use changed channels, maps and tables without a restart"},
    {"kiln reload --reason \"ticket 4711\"", "the same, with a reason for `kiln history`"}};

}  // namespace

const CommandSpec& reload_spec() {
  static const CommandSpec spec{
      "reload",
      "Config",
      "use the changed files of the site without a restart",
      "The engine checks the whole site first: with an error nothing changes (exit 78). Listeners that do "
      "not change keep their\n"
      "connections, messages under way end with the version they began with, queues stay. SIGHUP does the "
      "same.",
      {},
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
