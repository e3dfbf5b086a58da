// kiln why: where a message is and why, in plain words.

#include "engine/admin/why_facts.h"
#include "engine/base/env.h"
#include "engine/base/text.h"
#include "engine/command.h"
#include "engine/detail/admin_client.h"

namespace kiln::engine {
namespace {

using base::Result;

/// Of the engine, else told from the journal alone.
Result<std::string> ask(const Arguments& arguments) {
  const std::string id = arguments.text("ID");
  auto told = detail::ask_admin(arguments, "/messages/" + base::percent_encode(id) + "/why");
  if (told || told.error().code != base::ErrorCode::engine_unreachable || arguments.has("--server"))
    return told;
  char* end = nullptr;
  const MessageId number = std::strtoull(id.c_str(), &end, 10);
  if (end == id.c_str() || *end != '\0' || number == 0)
    return base::fail(base::ErrorCode::message_not_found, "this is no message number", {},
                      "`kiln search` lists them");
  TRY(auto reader, detail::open_journal(arguments));
  TRY(const WhyFacts facts, gather_why(reader, number, base::SystemClock().wall()));
  return print_why_json(number, explain_state(facts));
}

void print_answer(base::JsonView why, const Arguments& arguments) {
  print("message " + std::string(why["id"].text()) + ": " + std::string(why["state"].text()) + " since " +
        detail::shown_time(why["since"].text(), arguments) + "\n\n");
  for (const base::JsonView sentence : why["text"]) print("  " + std::string(sentence.text()) + "\n");
  print("\n  now:  " + std::string(why["doing"].text()) + "\n");
  if (why["next"]) print("  next: " + std::string(why["next"].text()) + "\n");
  for (const base::JsonView one : why["can"]) {
    print("  you:  " + std::string(one["text"].text()) + "\n");
    if (one["command"]) print("          " + std::string(one["command"].text()) + "\n");
  }
  if (!arguments.has("--steps")) return;
  print("\n");
  for (const base::JsonView step : why["steps"])
    print("  " + std::string(step["what"].text()) + ": " + std::string(step["text"].text()) +
          (step["place"] ? "  (" + std::string(step["place"].text()) + ")" : "") + "\n");
}

int run(const Arguments& arguments) {
  const auto told = ask(arguments);
  if (!told) return report(told.error(), arguments);
  if (arguments.json()) {
    print(*told + "\n");
    return kExitOk;
  }
  const auto document = base::parse_json(*told);
  if (!document) return report(document.error(), arguments);
  print_answer(document->root(), arguments);
  return kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"ID", "sequence number of the message"}};
constexpr OptionSpec kOptions[] = {
    detail::kSiteOption,
    detail::kDataOption,
    detail::kServerOption,
    detail::kUtcOption,
    {"--steps", nullptr, "also the whole path: listener, identity, map, each attempt"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln why 4711 --site examples/quickstart", "where it is, why, and what to do"},
    {"kiln why 4711 --steps", "every step of its path"}};

}  // namespace

const CommandSpec& why_spec() {
  static const CommandSpec spec{
      "why",
      "Messages",
      "say in plain words where a message is, why, and what to do",
      "Told from records only, without content of the message. Without a running engine it is told from\n"
      "the journal: what the queues do now is then not known.",
      kArguments,
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
