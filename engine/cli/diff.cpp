// kiln diff: what the engine runs against what is on disk.

#include "engine/detail/admin_client.h"
#include "engine/detail/reload_cli.h"

namespace kiln::engine {
namespace {

constexpr OptionSpec kOptions[] = {detail::kSiteOption, detail::kDataOption, detail::kServerOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln diff --site /etc/kiln/site", "changed lines, and what a reload would do with them"},
    {"kiln diff --json", "the same for a program"}};

}  // namespace

const CommandSpec& diff_spec() {
  static const CommandSpec spec{
      "diff",
      "Config",
      "compare the running site with its files",
      "Exit 1 when they differ. Values from env(), file() and cred() are not shown. Needs a running engine "
      "(exit 69 otherwise).",
      {},
      kOptions,
      kExamples,
      detail::run_diff};
  return spec;
}

}  // namespace kiln::engine
