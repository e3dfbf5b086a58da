// kiln user: accounts of the console.

#include <termios.h>
#include <unistd.h>

#include <iostream>

#include "engine/base/text.h"
#include "engine/command.h"
#include "engine/detail/admin_client.h"
#include "engine/security/password.h"

namespace kiln::engine {
namespace {

using base::Result;

/// One line of standard input; unseen when that is a terminal.
Result<std::string> read_password(const char* prompt) {
  const bool terminal = ::isatty(STDIN_FILENO) == 1;
  termios old{};
  if (terminal) {
    std::fputs(prompt, stderr);
    ::tcgetattr(STDIN_FILENO, &old);
    termios quiet = old;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
  }
  std::string line;
  const bool got = static_cast<bool>(std::getline(std::cin, line));
  if (terminal) {
    ::tcsetattr(STDIN_FILENO, TCSANOW, &old);
    std::fputs("\n", stderr);
  }
  if (!got || line.empty())
    return base::fail(base::ErrorCode::usage, "no password was given on standard input");
  return line;
}

base::Error usage(std::string text) {
  return {base::ErrorCode::usage, std::move(text), {}, "`kiln user --help` shows what there is"};
}

Result<std::string> list(const Arguments& arguments) {
  TRY(const auto found, detail::ask_admin_json(arguments, "/users"));
  if (arguments.json()) return base::print_json(found.root()) + "\n";
  detail::Table table({"user", "name", "role", "sees content", "authenticator", "last login", "note"});
  for (const base::JsonView one : found.root()["users"]) {
    std::string note;
    if (one["disabled"].boolean()) note = "disabled";
    if (one["locked_until"])
      note += (note.empty() ? "" : ", ") + std::string("locked until ") +
              detail::shown_time(one["locked_until"].text(), arguments);
    if (one["must_change_password"].boolean())
      note += (note.empty() ? "" : ", ") + std::string("must change the password");
    table.add({std::string(one["user"].text()), std::string(one["name"].text()),
               std::string(one["role"].text()), one["phi_view"].boolean() ? "yes" : "no",
               one["mfa"].boolean() ? "yes" : "no",
               one["last_login"] ? detail::shown_time(one["last_login"].text(), arguments) : "never", note});
  }
  return table.rows() == 0 ? std::string("no account yet: `kiln user add NAME --role owner`\n")
                           : table.text();
}

Result<std::string> add(const Arguments& arguments, const std::string& user) {
  TRY(const std::string password, read_password("password: "));
  base::JsonWriter json;
  json.begin_object().member("user", user).member("name", arguments.text("--name", user));
  json.member("role", arguments.text("--role", "viewer"))
      .key("phi_view")
      .boolean(arguments.has("--phi-view"));
  json.member("password", password).key("final").boolean(arguments.has("--final")).end_object();
  TRY_VOID(detail::ask_admin(arguments, "POST", "/users", json.take()));
  return arguments.json() ? std::string("{\"ok\":true}\n") : "account " + user + " is there\n";
}

Result<std::string> change(const Arguments& arguments, const std::string& user) {
  base::JsonWriter json;
  json.begin_object();
  if (arguments.has("--name")) json.member("name", arguments.text("--name"));
  if (arguments.has("--role")) json.member("role", arguments.text("--role"));
  if (arguments.has("--phi-view")) json.key("phi_view").boolean(true);
  if (arguments.has("--no-phi-view")) json.key("phi_view").boolean(false);
  if (arguments.has("--disable")) json.key("disabled").boolean(true);
  if (arguments.has("--enable")) json.key("disabled").boolean(false);
  if (arguments.has("--unlock")) json.key("unlock").boolean(true);
  if (arguments.has("--reset-mfa")) json.key("reset_mfa").boolean(true);
  if (arguments.has("--password")) {
    TRY(const std::string password, read_password("new password: "));
    json.member("password", password);
  }
  TRY_VOID(detail::ask_admin(arguments, "PATCH", "/users/" + base::percent_encode(user),
                             json.end_object().take()));
  return arguments.json() ? std::string("{\"ok\":true}\n") : "account " + user + " is changed\n";
}

Result<std::string> remove(const Arguments& arguments, const std::string& user) {
  if (!arguments.has("--yes")) return base::fail(usage("removing an account needs --yes"));
  TRY_VOID(detail::ask_admin(arguments, "DELETE", "/users/" + base::percent_encode(user)));
  return arguments.json() ? std::string("{\"ok\":true}\n") : "account " + user + " and its tokens are gone\n";
}

Result<std::string> act(const Arguments& arguments) {
  const std::string action = arguments.text("ACTION"), user = arguments.text("NAME");
  if (action == "list") return list(arguments);
  if (action == "hash") {
    TRY(const std::string password, read_password("password: "));
    TRY_VOID(check_password(password, "admin"));
    TRY(const std::string hash, hash_password(password));
    return hash + "\n";
  }
  if (user.empty()) return base::fail(usage("which account?"));
  if (action == "add") return add(arguments, user);
  if (action == "change") return change(arguments, user);
  if (action == "remove") return remove(arguments, user);
  return base::fail(usage("there is no action `" + action + "`"));
}

int run(const Arguments& arguments) {
  const auto done = act(arguments);
  if (!done) return report(done.error(), arguments);
  print(*done);
  return kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"ACTION", "list, add, change, remove, hash"},
                                       {"NAME", "of the account", false}};
constexpr OptionSpec kOptions[] = {
    detail::kSiteOption,
    detail::kDataOption,
    detail::kServerOption,
    detail::kUtcOption,
    {"--name", "TEXT", "name of the person"},
    {"--role", "ROLE", "viewer, operator, developer, auditor, admin or owner"},
    {"--phi-view", nullptr, "may see content of messages"},
    {"--no-phi-view", nullptr, "change: may not"},
    {"--final", nullptr, "add: the password need not be changed at the first login"},
    {"--password", nullptr, "change: a new one, from standard input"},
    {"--disable", nullptr, "change: no login, tokens included"},
    {"--enable", nullptr, "change: login again"},
    {"--unlock", nullptr, "change: forget failed logins"},
    {"--reset-mfa", nullptr, "change: remove the authenticator"},
    {"--yes", nullptr, "remove: do not ask"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln user add ann --role owner --phi-view --name 'Ann B'",
     "the first account; the password is asked for"},
    {"kiln user change bob --role operator --unlock", "another role, and he may try again"},
    {"kiln user hash < password.txt > admin.hash", "for console { bootstrap file(\"…\") }"}};

}  // namespace

const CommandSpec& user_spec() {
  static const CommandSpec spec{
      "user",
      "Security",
      "accounts of the console and the admin API",
      "Asks the engine that runs on the site (its socket holds all rights). Passwords come from standard "
      "input:\n"
      "at a terminal they are asked for and not shown. Every change is in the audit trail.",
      kArguments,
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
