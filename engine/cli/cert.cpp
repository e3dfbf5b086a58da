// kiln cert: the certificates that a running site shows, and when they end.

#include "engine/base/text.h"
#include "engine/command.h"
#include "engine/detail/admin_client.h"

namespace kiln::engine {
namespace {

constexpr long kSoonDays = 30;  ///< as the alert CertExpiry

int run(const Arguments& arguments) {
  if (arguments.text("ACTION", "list") != "list")
    return report({base::ErrorCode::usage, "there is no action `" + arguments.text("ACTION") + "`", {}, "kiln cert list"}, arguments);
  const auto found = detail::ask_admin_json(arguments, "/certificates");
  if (!found) return report(found.error(), arguments);
  bool soon = false;
  detail::Table table({"where", "subject", "issuer", "until", "days left"});
  for (const base::JsonView one : found->root()["certificates"]) {
    const std::string days(one["days"].text());
    soon = soon || std::strtol(days.c_str(), nullptr, 10) < kSoonDays;
    table.add({std::string(one["where"].text()), std::string(one["subject"].text()), std::string(one["issuer"].text()),
               detail::shown_time(one["expires"].text(), arguments), days});
  }
  if (arguments.json())
    print(base::print_json(found->root()) + "\n");
  else
    print(table.rows() == 0 ? std::string("no listener and no destination uses a certificate\n") : table.text());
  return soon ? kExitFound : kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"ACTION", "list", false}};
constexpr OptionSpec kOptions[] = {detail::kSiteOption, detail::kDataOption, detail::kServerOption, detail::kUtcOption};
constexpr ExampleSpec kExamples[] = {{"kiln cert list", "of listeners, destinations and the console"}};

}  // namespace

const CommandSpec& cert_spec() {
  static const CommandSpec spec{"cert",
                                "Security",
                                "the certificates that a running site shows, and when they end",
                                "Exit 1 when one ends within 30 days. A new file in the place of the old one is taken over without a restart. Needs a running\n"
                                "engine (exit 69 otherwise); `kiln doctor` looks at them without one.",
                                kArguments,
                                kOptions,
                                kExamples,
                                run};
  return spec;
}

}  // namespace kiln::engine
