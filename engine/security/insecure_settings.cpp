#include "engine/security/insecure_settings.h"

namespace kiln::engine {
namespace {

constexpr std::int64_t kIdleMs = 15 * 60'000;  ///< a session that nobody uses ends after it, unless the site says more (security.md D3)

/// `around` is the way to the block: "http", "notify ops".
void find(const channels::Options& options, const std::string& place, const std::string& around, std::vector<InsecureSetting>& out) {
  for (const auto& [name, values] : options.values()) {
    for (const channels::OptionValue& value : values) {
      if (name == "insecure" && value.origin != channels::OptionValue::Origin::default_value)
        out.push_back({place, around.empty() ? "insecure accept_risk" : around + " { insecure accept_risk }"});
      const std::string block = (around.empty() ? "" : around + " ") + name + (value.text.empty() ? "" : " " + value.text);
      for (const channels::Options& inner : value.block) find(inner, place, block, out);
    }
  }
}

}  // namespace

std::vector<InsecureSetting> insecure_settings(const channels::Site& site) {
  std::vector<InsecureSetting> out;
  find(site.server, "server", "", out);
  for (const auto& channel : site.channels) {
    find(channel.source_options, channel.name, "", out);
    for (const auto& destination : channel.destinations) find(destination.options, channel.name + "/" + destination.name, "", out);
  }
  if (site.server.block("fhir").block("access").text("loopback") == "open") out.push_back({"server", "fhir { access { loopback open } }"});
  const channels::Options& console = site.server.block("console");
  if (console.has("idle_logoff") && console.number("idle_logoff") > kIdleMs)
    out.push_back({"server", "console { idle_logoff " + std::to_string(console.number("idle_logoff") / 60'000) + "m }"});
  if (site.server.block("journal").text("durability") == "relaxed") out.push_back({"server", "journal { durability relaxed }"});
  return out;
}

}  // namespace kiln::engine
