// kiln audit: the audit trail of the admin API.

#include "engine/base/env.h"
#include "engine/base/text.h"
#include "engine/command.h"
#include "engine/detail/admin_client.h"

namespace kiln::engine {
namespace {

using base::Result;

Result<std::string> list(const Arguments& arguments) {
  TRY(const std::int64_t limit, whole_number(arguments, "--limit", 50, 1, 1'000));
  std::string path = "/audit?limit=" + std::to_string(limit);
  for (const char* name : {"user", "action", "outcome"})
    if (arguments.has(std::string("--") + name))
      path += "&" + std::string(name) + "=" + base::percent_encode(arguments.text(std::string("--") + name));
  TRY(const auto found, detail::ask_admin_json(arguments, path));
  if (arguments.json()) return base::print_json(found.root()) + "\n";
  detail::Table table({"n", "at", "user", "action", "outcome", "target", "detail"});
  for (const base::JsonView one : found.root()["records"])
    table.add({std::string(one["n"].text()), detail::shown_time(one["at"].text(), arguments),
               std::string(one["user"].text()), std::string(one["action"].text()),
               std::string(one["outcome"].text()), std::string(one["target"].text()),
               std::string(one["detail"].text())});
  return table.text();
}

int run(const Arguments& arguments) {
  const std::string action = arguments.text("ACTION");
  if (action == "verify") {
    const auto found = detail::ask_admin_json(arguments, "/audit/verify");
    if (!found) return report(found.error(), arguments);
    print(arguments.json() ? base::print_json(found->root()) + "\n"
                           : std::string(found->root()["text"].text()) + "\n");
    return found->root()["ok"].boolean() ? kExitOk : kExitFound;
  }
  const auto text =
      action == "list" ? list(arguments)
      : action == "export"
          ? detail::ask_admin(arguments, "/audit/export")
          : Result<std::string>(base::fail(base::ErrorCode::usage, "there is no action `" + action + "`", {},
                                           "list, verify or export"));
  if (!text) return report(text.error(), arguments);
  print(*text);
  return kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"ACTION", "list, verify, export"}};
constexpr OptionSpec kOptions[] = {detail::kSiteOption,
                                   detail::kDataOption,
                                   detail::kServerOption,
                                   detail::kUtcOption,
                                   {"--limit", "N", "list: most records (50; at most 1,000)"},
                                   {"--user", "USER", "list: of this account"},
                                   {"--action", "ACTION", "list: message.view, or all of message"},
                                   {"--outcome", "OUTCOME", "list: ok, refused or failed"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln audit list --action session --outcome refused", "logins that failed"},
    {"kiln audit verify", "whether the trail is what was written; exit 1 when not"},
    {"kiln audit export > audit.ndjson", "all of it as FHIR AuditEvents"}};

}  // namespace

const CommandSpec& audit_spec() {
  static const CommandSpec spec{
      "audit",
      "Security",
      "who did what: list, verify, export",
      "Each record follows from the one before, so a change, a gap or another order is found. A cut end "
      "shows\n"
      "only against a head that was noted elsewhere: `verify` prints it. Reading the trail is recorded too.",
      kArguments,
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
