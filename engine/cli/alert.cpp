// kiln alert: what fires, and whether a note would arrive.

#include "engine/base/env.h"
#include "engine/base/json.h"
#include "engine/command.h"
#include "engine/detail/site_data.h"

namespace kiln::engine {
namespace {

base::Result<std::string> ask(const Arguments& arguments, const char* method, const char* target) {
  TRY(const std::string data, detail::data_folder(arguments));
  base::HttpRequest request;
  request.method = method;
  request.target = target;
  TRY(auto response, detail::control_request(data, request));
  TRY_VOID(detail::control_status(response));
  return std::move(response.body);
}

void print_alerts(base::JsonView root) {
  for (const base::JsonView alert : root["alerts"]) {
    std::string line = std::string(alert["level"].text()) + "  " + std::string(alert["id"].text()) + "  since " +
                       std::string(alert["since"].text()) + ": " + std::string(alert["text"].text());
    if (alert["state"].text() == "ending") line += " (ending)";
    if (alert["silent_until"]) line += " (silent until " + std::string(alert["silent_until"].text()) + ")";
    print(line + "\n      " + std::string(alert["remedy"].text()) + "\n");
  }
  if (root["alerts"].size() == 0) print("no alert fires\n");
}

int run(const Arguments& arguments) {
  const std::string action = arguments.text("ACTION", "list");
  if (action != "list" && action != "test")
    return report(base::Error{base::ErrorCode::usage, "unknown action " + action, {}, "list or test"}, arguments);
  const bool test = action == "test";
  const auto answer = test ? ask(arguments, "POST", "/api/v1/alerts/test") : ask(arguments, "GET", "/api/v1/alerts");
  if (!answer) return report(answer.error(), arguments);
  const auto document = base::parse_json(*answer);
  if (!document) return report(document.error(), arguments);
  const std::string routes(test ? document->root()["routes"].text() : std::string_view());
  const bool found = test ? routes == "0" : document->root()["alerts"].size() > 0;
  if (arguments.json()) {
    print(*answer + "\n");
    return found ? kExitFound : kExitOk;
  }
  if (!test) {
    print_alerts(document->root());
    return found ? kExitFound : kExitOk;
  }
  if (routes == "0") {
    print("the site has no `notify` block: alerts are shown, and sent to nobody\n");
    return kExitFound;
  }
  print("a test note is on its way by " + routes + " routes; the log tells (alert-not-sent) when one does not take it\n");
  return kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"ACTION", "list (what fires now) or test (one note through every route)", false}};
constexpr OptionSpec kOptions[] = {detail::kSiteOption, detail::kDataOption};
constexpr ExampleSpec kExamples[] = {{"kiln alert", "what fires now, since when, what to do"},
                                     {"kiln alert test --site examples/quickstart", "whether notes arrive"}};

}  // namespace

const CommandSpec& alert_spec() {
  static const CommandSpec spec{"alert",
                                "Run",
                                "list alerts that fire, or send a test note",
                                "Exit 1 when an alert fires, or when there is no route to test. Rules and routes are the blocks `alert` and "
                                "`notify` of kiln.conf.",
                                kArguments,
                                kOptions,
                                kExamples,
                                run};
  return spec;
}

}  // namespace kiln::engine
