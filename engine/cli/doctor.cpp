// kiln doctor: what a machine lacks to run a site, each with its remedy.

#include "engine/base/json.h"
#include "engine/command.h"
#include "engine/detail/environment.h"
#include "engine/detail/site_data.h"

namespace kiln::engine {
namespace {

int run(const Arguments& arguments) {
  const auto findings = detail::look_at_environment(arguments);
  if (!findings) return report(findings.error(), arguments);
  if (arguments.json()) {
    base::JsonWriter json;
    json.begin_object().key("findings");
    detail::write_findings(json, *findings);
    print(json.end_object().take() + "\n");
  } else {
    print(detail::print_findings(*findings, true));
  }
  return detail::has_error(*findings) ? kExitFound : kExitOk;
}

constexpr OptionSpec kOptions[] = {detail::kSiteOption, detail::kDataOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln doctor --site examples/quickstart", "disk, clock, limits, ports, names, certificates"}};

}  // namespace

const CommandSpec& doctor_spec() {
  static const CommandSpec spec{"doctor",
                                "Run",
                                "look at the machine: what it lacks to run the site, each with its remedy",
                                "Disk and its write time, clock, limits, permissions, ports, names of "
                                "receivers, certificates. Exit 1 when\n"
                                "something is an error.",
                                {},
                                kOptions,
                                kExamples,
                                run};
  return spec;
}

}  // namespace kiln::engine
