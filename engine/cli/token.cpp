// kiln token: API tokens.

#include "engine/base/text.h"
#include "engine/command.h"
#include "engine/detail/admin_client.h"

namespace kiln::engine {
namespace {

using base::Result;

base::Error usage(std::string text) {
  return {base::ErrorCode::usage, std::move(text), {}, "`kiln token --help` shows what there is"};
}

Result<std::string> list(const Arguments& arguments) {
  TRY(const auto found, detail::ask_admin_json(arguments, "/tokens"));
  if (arguments.json()) return base::print_json(found.root()) + "\n";
  detail::Table table({"id", "name", "account", "rights", "expires"});
  for (const base::JsonView one : found.root()["tokens"]) {
    std::string rights;
    for (const base::JsonView right : one["rights"])
      rights += (rights.empty() ? "" : " ") + std::string(right.text());
    table.add({std::string(one["id"].text()), std::string(one["name"].text()),
               std::string(one["user"].text()), rights,
               detail::shown_time(one["expires"].text(), arguments)});
  }
  return table.rows() == 0 ? std::string("no token\n") : table.text();
}

Result<std::string> add(const Arguments& arguments) {
  base::JsonWriter json;
  json.begin_object().member("name", arguments.text("NAME")).member("user", arguments.text("--user"));
  json.key("rights").begin_array();
  for (const std::string& right : arguments.all("--right")) json.string(right);
  json.end_array()
      .key("days")
      .integer(std::strtoll(arguments.text("--days", "90").c_str(), nullptr, 10))
      .end_object();
  TRY(const std::string made, detail::ask_admin(arguments, "POST", "/tokens", json.take()));
  if (arguments.json()) return made + "\n";
  TRY(const auto document, base::parse_json(made));
  std::fprintf(stderr, "token %s, shown only now; until %s\n",
               std::string(document.root()["id"].text()).c_str(),
               detail::shown_time(document.root()["expires"].text(), arguments).c_str());
  return std::string(document.root()["token"].text()) + "\n";
}

Result<std::string> act(const Arguments& arguments) {
  const std::string action = arguments.text("ACTION"), name = arguments.text("NAME");
  if (action == "list") return list(arguments);
  if (name.empty()) return base::fail(usage("which token?"));
  if (action == "add") return add(arguments);
  if (action != "remove") return base::fail(usage("there is no action `" + action + "`"));
  TRY_VOID(detail::ask_admin(arguments, "DELETE", "/tokens/" + base::percent_encode(name)));
  return arguments.json() ? std::string("{\"ok\":true}\n") : "token " + name + " is no longer valid\n";
}

int run(const Arguments& arguments) {
  const auto done = act(arguments);
  if (!done) return report(done.error(), arguments);
  print(*done);
  return kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"ACTION", "list, add, remove"},
                                       {"NAME", "add: what it is for; remove: its id", false}};
constexpr OptionSpec kOptions[] = {
    detail::kSiteOption,
    detail::kDataOption,
    detail::kServerOption,
    detail::kUtcOption,
    {"--user", "USER", "add: the account it belongs to; it never may more than that"},
    {"--right", "RIGHT", "add: view, phi.view, operate, replay, configure, audit, admin (repeatable)", false,
     true},
    {"--days", "N", "add: valid for so long (90; at most 366)"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln token add prometheus --user ann --right view", "for a script; printed once"},
    {"kiln token remove 5f0c1a2b3c4d", "no longer valid, at once"}};

}  // namespace

const CommandSpec& token_spec() {
  static const CommandSpec spec{
      "token",
      "Security",
      "API tokens of accounts",
      "A token is shown once and kept as a hash. Use it as `Authorization: Bearer …` or in $KILN_TOKEN.",
      kArguments,
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
