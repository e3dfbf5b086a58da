// kiln rollback: an earlier version of the site, out of the journal.

#include "engine/base/json.h"
#include "engine/detail/admin_client.h"
#include "engine/detail/reload_cli.h"

namespace kiln::engine {
namespace {

int run(const Arguments& arguments) {
  base::JsonWriter version;
  version.string(arguments.text("VERSION"));
  const int done =
      detail::run_reload(arguments, "rollback", "\"version\":" + version.take(), arguments.has("--dry-run"));
  if (done == kExitOk && !arguments.json() && !arguments.has("--dry-run"))
    print("the files on disk are as they were: mend them before the next reload or start (`kiln diff`)\n");
  return done;
}

constexpr ArgumentSpec kArguments[] = {{"VERSION", "number of `kiln history`, or the beginning of its hash"}};
constexpr OptionSpec kOptions[] = {
    detail::kSiteOption,
    detail::kDataOption, detail::kServerOption,
    {"--dry-run", nullptr, "check and say what would change; exit 1 when something would"},
    {"--reason", "TEXT", "why; kept in the history"}};
constexpr ExampleSpec kExamples[] = {{"kiln rollback 12", "run version 12 again, now"},
                                     {"kiln rollback 12 --dry-run", "what that would change"}};

}  // namespace

const CommandSpec& rollback_spec() {
  static const CommandSpec spec{
      "rollback",
      "Config",
      "use an earlier version of the site without a restart",
      "The version comes out of the journal; the files on disk stay as they are. Needs a running engine "
      "(exit 69 otherwise).",
      kArguments,
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
