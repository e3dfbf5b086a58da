// kiln resume: lets a blocked destination, or the frozen links of a channel, go on.

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/command.h"
#include "engine/detail/admin_client.h"

namespace kiln::engine {
namespace {

base::Result<std::string> resume(const Arguments& arguments, const std::string& name) {
  const std::size_t slash = name.find('/');
  return detail::ask_admin(arguments, "POST",
                           slash == std::string::npos ? "/channels/" + base::percent_encode(name) + "/resume"
                                                      : "/destinations/" + base::percent_encode(name.substr(0, slash)) + "/" +
                                                            base::percent_encode(name.substr(slash + 1)) + "/resume");
}

int run(const Arguments& arguments) {
  bool held = false;
  for (const std::string& name : arguments.all("NAME")) {
    const auto done = resume(arguments, name);
    if (!done) return report(done.error(), arguments);
    const auto document = base::parse_json(*done);
    if (!document) return report(document.error(), arguments);
    held = held || document->root()["held"].size() > 0;
    if (arguments.json()) {
      print(*done + "\n");
      continue;
    }
    const std::string_view links = document->root()["resumed"].text();
    if (name.find('/') != std::string::npos)
      print(name + ": the next message is tried now\n");
    else
      print(links == "0"
                ? name + ": no link was frozen\n"
                : name + ": " + std::string(links) + " frozen links go on with the next number that comes\n");
    detail::print_held(document->root());
  }
  return held ? kExitFound : kExitOk;
}

constexpr ArgumentSpec kArguments[] = {
    {"NAME", "CHANNEL/DESTINATION: a destination that is blocked; CHANNEL: its frozen numbered links", true,
     true}};
constexpr OptionSpec kOptions[] = {detail::kSiteOption, detail::kDataOption, detail::kServerOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln resume adt_in/pas --site examples/quickstart",
     "try the first waiting message of a destination now"},
    {"kiln resume lab_in", "after a gap in MSH-13: take the next number, whatever it is"}};

}  // namespace

const CommandSpec& resume_spec() {
  static const CommandSpec spec{"resume",
                                "Messages",
                                "let a blocked destination or a frozen numbered link go on",
                                "Look first why it stopped: `kiln search state:pending dest:NAME`, or the "
                                "refused messages of the link with\n"
                                "`kiln search state:rejected`. Exit 69 when no engine runs.",
                                kArguments,
                                kOptions,
                                kExamples,
                                run};
  return spec;
}

}  // namespace kiln::engine
