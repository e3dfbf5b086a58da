// kiln history: the versions of the site that were applied.

#include "engine/base/json.h"
#include "engine/command.h"
#include "engine/detail/admin_client.h"

namespace kiln::engine {
namespace {

int run(const Arguments& arguments) {
  const auto listed = detail::ask_admin(arguments, "/config/history");
  if (!listed) return report(listed.error(), arguments);
  if (arguments.json()) return print(*listed + "\n"), kExitOk;
  const auto document = base::parse_json(*listed);
  if (!document) return report(document.error(), arguments);
  for (const base::JsonView version : document->root()["versions"]) {
    std::string line = std::string(version["version"].text()) + "  " + std::string(version["at"].text()) +
                       "  " + std::string(version["hash"].text().substr(0, 12)) + "  " +
                       std::string(version["by"].text());
    if (version["reason"]) line += ": " + std::string(version["reason"].text());
    print(line + (version["current"].boolean() ? "  (runs now)\n" : "\n"));
    for (const base::JsonView change : version["changes"]) print("    " + std::string(change.text()) + "\n");
  }
  return kExitOk;
}

constexpr OptionSpec kOptions[] = {detail::kSiteOption, detail::kDataOption, detail::kServerOption};
constexpr ExampleSpec kExamples[] = {{"kiln history", "number, time, hash, who and why; the newest first"},
                                     {"kiln history --json", "the same for a program"}};

}  // namespace

const CommandSpec& history_spec() {
  static const CommandSpec spec{
      "history",
      "Config",
      "list the versions of the site that were applied",
      "A start with changed files, a reload and a rollback are one line each. Needs a running engine (exit "
      "69 otherwise).",
      {},
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
