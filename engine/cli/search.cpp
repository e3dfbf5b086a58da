// kiln search: finds messages in the journal, with or without a running engine.

#include <algorithm>

#include "engine/admin/message_json.h"
#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/command.h"
#include "engine/detail/admin_client.h"
#include "engine/detail/site_data.h"
#include "engine/journal/reader.h"

namespace kiln::engine {
namespace {

using base::Result;

/// The search result as JSON: of the engine, else read from the journal itself.
Result<std::string> search(const Arguments& arguments, const std::string& text, std::size_t limit) {
  auto answer = detail::ask_admin(arguments, "/messages?q=" + base::percent_encode(text) + "&limit=" + std::to_string(limit));
  if (answer || arguments.has("--server") || answer.error().code != base::ErrorCode::engine_unreachable) return answer;
  TRY(const Query query, parse_query_text(text, base::SystemClock().wall()));
  TRY(auto reader, detail::open_journal(arguments));
  SearchOptions options;
  options.limit = limit;
  TRY(const SearchAnswer found, reader.find(query, options));
  return print_search(found, true);
}

std::string pad(std::string_view text, std::size_t width) {
  std::string out(text.substr(0, width));
  out.append(width - out.size(), ' ');
  return out;
}

void print_table(base::JsonView messages, const Arguments& arguments) {
  print(
      "message   received                   channel         type              control id       state        "
      "destinations\n");
  for (const base::JsonView m : messages) {
    std::string destinations;
    for (const base::JsonView d : m["destinations"]) {
      const std::string_view name = d["destination"].text();
      destinations += (destinations.empty() ? "" : ", ") + std::string(name.substr(name.find('/') + 1)) +
                      " " + std::string(d["state"].text());
    }
    print(pad(m["id"].text(), 9) + " " + pad(detail::shown_time(m["received"].text(), arguments), 26) + " " + pad(m["channel"].text(), 15) +
          " " + pad(m["type"].text(), 17) + " " + pad(m["control_id"].text(), 16) + " " +
          pad(m["state"].text(), 12) + " " + destinations + "\n");
  }
}

int run(const Arguments& arguments) {
  std::string text;
  for (const std::string& term : arguments.all("QUERY")) text += (text.empty() ? "" : " ") + term;
  const auto limit = whole_number(arguments, "--limit", 50, 1, 1'000);
  if (!limit) return report(limit.error(), arguments);
  const auto found = search(arguments, text, static_cast<std::size_t>(*limit));
  if (!found) return report(found.error(), arguments);
  if (arguments.json()) {
    print(*found + "\n");
    return kExitOk;
  }
  const auto document = base::parse_json(*found);
  if (!document) return report(document.error(), arguments);
  const base::JsonView messages = document->root()["messages"];
  if (const base::JsonView to = document->root()["complete_to"]) {
    if (messages.size() > 0) print_table(messages, arguments);
    print("the time was up: messages before " + std::string(to.text()) + " were not looked at; add -msg:" + std::string(to.text()) +
          ".. to go on, or narrow the query (mrn:, id:, channel:, since:)\n");
    return messages.size() > 0 ? kExitOk : kExitRetry;
  }
  if (messages.size() == 0) {
    print("no message matches\n");
    return kExitFound;
  }
  print_table(messages, arguments);
  if (document->root()["next"])
    print("more: add -msg:" + std::string(document->root()["next"].text()) + ".. or raise --limit\n");
  return kExitOk;
}

constexpr ArgumentSpec kArguments[] = {
    {"QUERY", "terms with AND, OR, NOT and ( ); none: the newest messages", false, true}};
constexpr OptionSpec kOptions[] = {detail::kSiteOption,
                                   detail::kDataOption,
                                   detail::kServerOption,
                                   detail::kUtcOption,
                                   {"--limit", "N", "most messages shown (default 50, at most 1000)"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln search --site examples/quickstart", "the newest messages"},
    {"kiln search state:quarantined since:2h", "what was set aside in the last two hours"},
    {"kiln search 'type:ADT^A01' channel:adt_in id:MSG0001", "one message by its control id"},
    {"kiln search mrn:4711 'NOT state:sent' since:7d", "a patient's messages that did not arrive"},
    {"kiln search '(channel:lab_in OR channel:adt_in) pending>10m'", "what waits for long, of two channels"},
    {"kiln search dest:pas state:pending --json", "what waits for a destination, for a script"}};

}  // namespace

const CommandSpec& search_spec() {
  static const std::string details =
      std::string("Exit 1 when nothing matches. The query language:\n") + query_help();
  static const CommandSpec spec{"search",        "Messages", "find messages in the journal",
                                details.c_str(), kArguments, kOptions,
                                kExamples,       run};
  return spec;
}

}  // namespace kiln::engine
