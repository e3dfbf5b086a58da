// kiln destination: what operators do to destinations of a running site.

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/command.h"
#include "engine/detail/admin_client.h"
#include "engine/detail/operator.h"

namespace kiln::engine {
namespace {

int run(const Arguments& arguments) {
  bool held = false;
  const std::string action = arguments.text("ACTION");
  if (action != "pause" && action != "resume" && action != "retry-now" && action != "skip")
    return report({base::ErrorCode::usage, "a destination cannot `" + action + "`", {}, "pause, resume, retry-now or skip"}, arguments);
  for (const std::string& name : arguments.all("NAME")) {
    const std::size_t slash = name.find('/');
    if (slash == std::string::npos)
      return report({base::ErrorCode::usage, "a destination is named CHANNEL/DESTINATION", name,
                     "kiln channel list names them"},
                    arguments);
    const std::string target = "/destinations/" + base::percent_encode(name.substr(0, slash)) + "/" +
                               base::percent_encode(name.substr(slash + 1)) + "/" +
                               base::percent_encode(arguments.text("ACTION"));
    const auto done = detail::ask_admin(arguments, "POST", target, detail::operator_body(arguments));
    if (!done) return report(done.error(), arguments);
    const auto document = base::parse_json(*done);
    if (!document) return report(document.error(), arguments);
    const base::JsonView root = document->root();
    if (arguments.json())
      print(*done + "\n");
    else if (root["skipped"])
      print(name + ": " + std::string(root["skipped"].text()) + " messages are in quarantine\n");
    else
      print(name + ": " + std::string(root["state"].text()) + "\n");
    held = held || root["held"].size() > 0;
    if (!arguments.json()) detail::print_held(root);
  }
  return held ? kExitFound : kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"ACTION", "pause, resume, retry-now or skip"},
                                       {"NAME", "CHANNEL/DESTINATION", true, true}};
constexpr OptionSpec kOptions[] = {
    detail::kSiteOption, detail::kDataOption, detail::kServerOption, {"--reason", "TEXT", "why; kept with the hold"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln destination pause adt_in/pas --reason \"maintenance until 18:00\"",
     "keep accepting, send nothing there"},
    {"kiln destination resume adt_in/pas", "go on, also after a block"},
    {"kiln destination retry-now adt_in/pas", "do not wait for the end of the back-off"},
    {"kiln destination skip adt_in/pas", "set the blocked message aside, so that those behind it go on; of a destination that the site does not have: all that wait"}};

}  // namespace

const CommandSpec& destination_spec() {
  static const CommandSpec spec{
      "destination",
      "Operate",
      "pause or resume a destination, or try it now",
      "A pause outlives a restart, until `resume`. Needs a running engine (exit 69 otherwise).",
      kArguments,
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
