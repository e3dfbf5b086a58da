// Log in and off, the first account, one's own password and authenticator.

#include "engine/admin/message_json.h"
#include "engine/admin/route.h"
#include "engine/admin/service.h"
#include "engine/limits.h"
#include "engine/security/password.h"
#include "engine/version.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;
using base::Task;

std::string print_session(const Caller& caller, const LoginRules& rules) {
  base::JsonWriter json;
  json.begin_object().member("user", caller.user).member("name", caller.name).member("role", caller.role);
  json.key("rights").begin_array();
  for (const std::string_view right : caller.rights.names()) json.string(right);
  json.end_array();
  if (!caller.csrf.empty()) json.member("csrf", caller.csrf);
  json.key("idle_seconds").integer(rules.idle_seconds).key("mfa").boolean(caller.mfa);
  json.key("mfa_required").boolean(caller.must_enrol).key("only_account").boolean(caller.only_account);
  json.key("must_change_password").boolean(caller.must_change_password);
  if (caller.break_glass_until.micros != 0)
    json.member("break_glass_until", print_time(caller.break_glass_until));
  return json.member("version", kVersion).end_object().take();
}

Task<Result<Reply>> show(Call call) {
  struct Found {
    bool setup = false;
    LoginRules rules;
  };
  std::function<Found(Logins&, AuditLog&)> ask = [](Logins& logins, AuditLog&) {
    return Found{logins.accounts().all().empty(), logins.rules()};
  };
  auto asking = call.admin->with_accounts(std::move(ask));
  const Found found = co_await std::move(asking);
  if (call.caller.is_known()) co_return json_reply(print_session(call.caller, found.rules));
  base::JsonWriter json;
  json.begin_object().key("user").null().key("setup").boolean(found.setup).member("version", kVersion);
  co_return json_reply(json.end_object().take());
}

/// The answer to a login that succeeded, and its record.
Task<Result<Reply>> greet(Call call, Logins::Entered entered, std::string action) {
  if (entered.code_needed)
    co_return json_reply("{\"code_needed\":true,\"version\":\"" + std::string(kVersion) + "\"}");
  entered.caller.from = call.caller.from;
  auto recording = call.admin->record(entered.caller, std::move(action), "/session", "ok", {});
  const base::Status written = co_await std::move(recording);
  if (!written) co_return base::fail(written.error());
  std::function<LoginRules(Logins&, AuditLog&)> ask = [](Logins& logins, AuditLog&) {
    return logins.rules();
  };
  auto asking = call.admin->with_accounts(std::move(ask));
  const LoginRules rules = co_await std::move(asking);
  Reply out = json_reply(print_session(entered.caller, rules));
  out.headers.set("Set-Cookie", print_session_cookie(entered.cookie, call.secure));
  co_return out;
}

/// Not each: the trail is no place that strangers can fill.
Task<void> record_refusal(Call call, std::string user, base::Error why) {
  std::function<std::optional<std::uint64_t>(Logins&, AuditLog&)> ask = [user, from = call.request.peer, code = why.code](Logins& logins, AuditLog&) {
    return logins.tell_refusal(user, from, code);
  };
  auto asking = call.admin->with_accounts(std::move(ask));
  const std::optional<std::uint64_t> left_out = co_await std::move(asking);
  if (!left_out) co_return;
  std::string detail = why.info().code;
  if (*left_out > 0) detail += "; not recorded before this: " + std::to_string(*left_out) + " refusals of names that nobody has";
  Caller who = call.caller;
  who.user = std::move(user);
  auto recording = call.admin->record(std::move(who), "session.login", "/session", "refused", std::move(detail));
  co_await std::move(recording);
}

Task<Result<Reply>> log_in(Call call) {
  const std::string user(call.body()["user"].text()), password(call.body()["password"].text()),
      code(call.body()["code"].text());
  if (user.size() > limits::kUserNameBytesMax || password.size() > 4 * limits::kPasswordBytesMax || code.size() > 16)
    co_return base::fail(ErrorCode::login_refused);
  std::function<Result<std::string>(Logins&, AuditLog&)> begin = [user](Logins& logins, AuditLog&) {
    return logins.begin_login(user);
  };
  auto beginning = call.admin->with_accounts(std::move(begin));
  const Result<std::string> hash = co_await std::move(beginning);
  Result<Logins::Entered> entered = base::fail(ErrorCode::login_refused);
  if (hash) {
    auto verifying = call.admin->verify(password, *hash, call.request.peer);
    const Result<bool> right = co_await std::move(verifying);
    if (!right) co_return base::fail(right.error());
    const bool verified = *right;
    std::function<Result<Logins::Entered>(Logins&, AuditLog&)> end =
        [user, verified, code](Logins& logins, AuditLog&) { return logins.end_login(user, verified, code); };
    auto ending = call.admin->with_accounts(std::move(end));
    entered = co_await std::move(ending);
  } else {
    entered = base::fail(hash.error());
  }
  if (!entered) {
    const base::Error why = entered.error();
    auto recording = record_refusal(call, user, why);
    co_await std::move(recording);
    co_return base::fail(why);
  }
  auto greeting = greet(std::move(call), std::move(*entered), "session.login");
  Result<Reply> reply = co_await std::move(greeting);
  co_return reply;
}

Task<Result<Reply>> set_up(Call call) {
  const std::string user(call.body()["user"].text()), password(call.body()["password"].text());
  const std::string token(call.body()["token"].text());
  const base::Status named = check_user_name(user);
  if (!named) co_return base::fail(named.error());
  const base::Status strong = check_password(password, user);
  if (!strong) co_return base::fail(strong.error());
  std::function<base::Status(Logins&, AuditLog&)> ask = [](Logins& logins, AuditLog&) { return logins.check_set_up(); };
  auto asking = call.admin->with_accounts(std::move(ask));
  const base::Status open = co_await std::move(asking);
  if (!open) {
    auto recording = record_refusal(call, Logins::kSetUp, open.error());
    co_await std::move(recording);
    co_return base::fail(open.error());
  }
  auto hashing = call.admin->hash(password, call.request.peer);
  Result<std::string> hash = co_await std::move(hashing);
  if (!hash) co_return base::fail(hash.error());
  Account account;
  account.user = user;
  account.name = call.body()["name"].text();
  account.password_hash = std::move(*hash);
  std::function<Result<Logins::Entered>(Logins&, AuditLog&)> make =
      [token, account](Logins& logins, AuditLog&) { return logins.set_up(token, account); };
  auto making = call.admin->with_accounts(std::move(make));
  Result<Logins::Entered> entered = co_await std::move(making);
  if (!entered) {
    const base::Error why = entered.error();
    AdminService::count_refusal();
    auto recording = record_refusal(call, Logins::kSetUp, why);
    co_await std::move(recording);
    co_return base::fail(why);
  }
  auto greeting = greet(std::move(call), std::move(*entered), "session.setup");
  Result<Reply> reply = co_await std::move(greeting);
  co_return reply;
}

Task<Result<Reply>> log_off(Call call) {
  std::function<bool(Logins&, AuditLog&)> end = [session = call.caller.session](Logins& logins, AuditLog&) {
    logins.end_session(session);
    return true;
  };
  auto ending = call.admin->with_accounts(std::move(end));
  co_await std::move(ending);
  Reply out = json_reply("{\"ok\":true}");
  out.headers.set("Set-Cookie", print_session_cookie({}, call.secure));
  co_return out;
}

/// Whether `password` is the caller's own. Only people have one.
Task<Result<bool>> is_own_password(Call call, std::string password) {
  if (call.caller.via != Caller::Via::session)
    co_return base::fail(ErrorCode::not_as_it_was, "only a session of an account has a password");
  std::function<Result<std::string>(Logins&, AuditLog&)> ask =
      [user = call.caller.user](Logins& logins, AuditLog&) { return logins.begin_login(user); };
  auto asking = call.admin->with_accounts(std::move(ask));
  const Result<std::string> hash = co_await std::move(asking);
  if (!hash) co_return base::fail(hash.error());
  auto verifying = call.admin->verify(std::move(password), *hash, call.request.peer);
  Result<bool> right = co_await std::move(verifying);
  if (!right) co_return right;
  const bool verified = *right;
  std::function<base::Status(Logins&, AuditLog&)> end = [user = call.caller.user, verified](Logins& logins, AuditLog&) {
    return logins.end_check(user, verified);
  };
  auto ending = call.admin->with_accounts(std::move(end));
  const base::Status counted = co_await std::move(ending);
  if (!counted) co_return base::fail(counted.error());
  co_return right;
}

using Change = std::function<base::Status(Account&)>;

/// Changes the caller's own account, durably.
Task<Result<Reply>> change_own(Call call, Change change, bool ends_others) {
  std::function<base::Status(Logins&, AuditLog&)> work = [caller = call.caller, change = std::move(change),
                                                          ends_others](Logins& logins,
                                                                       AuditLog&) -> base::Status {
    const Account* account = logins.accounts().find(caller.user);
    if (account == nullptr) return base::fail(ErrorCode::not_as_it_was, "only an account has this");
    Account changed = *account;
    TRY_VOID(change(changed));
    TRY_VOID(logins.accounts().keep(std::move(changed)));
    if (ends_others) logins.end_sessions(caller.user, caller.session);
    return {};
  };
  auto working = call.admin->with_accounts(std::move(work));
  const base::Status done = co_await std::move(working);
  if (!done) co_return base::fail(done.error());
  co_return json_reply("{\"ok\":true}");
}

Task<Result<Reply>> change_password(Call call) {
  const std::string wanted(call.body()["new"].text());
  const base::Status strong = check_password(wanted, call.caller.user);
  if (!strong) co_return base::fail(strong.error());
  auto asking = is_own_password(call, std::string(call.body()["old"].text()));
  const Result<bool> right = co_await std::move(asking);
  if (!right) co_return base::fail(right.error());
  if (!*right) co_return base::fail(ErrorCode::login_refused, "the old password is wrong");
  auto hashing = call.admin->hash(wanted, call.request.peer);
  Result<std::string> hash = co_await std::move(hashing);
  if (!hash) co_return base::fail(hash.error());
  Change change = [hash = std::move(*hash)](Account& account) -> base::Status {
    account.password_hash = hash;
    account.must_change_password = false;
    return {};
  };
  auto changing = change_own(std::move(call), std::move(change), true);
  Result<Reply> reply = co_await std::move(changing);
  co_return reply;
}

Task<Result<Reply>> begin_totp(Call call) {
  const Result<std::string> secret = new_totp_secret();
  if (!secret) co_return base::fail(secret.error());
  Change change = [secret = *secret](Account& account) -> base::Status {
    if (account.totp_confirmed)
      return base::fail(ErrorCode::not_as_it_was, "an authenticator is enrolled", {}, "remove it first");
    account.totp_secret = secret;
    account.totp_step = 0;
    return {};
  };
  const std::string user = call.caller.user;
  auto changing = change_own(std::move(call), std::move(change), false);
  Result<Reply> reply = co_await std::move(changing);
  if (!reply) co_return reply;
  base::JsonWriter json;
  json.begin_object().member("secret", *secret).member("uri", totp_uri(*secret, user)).end_object();
  co_return json_reply(json.take());
}

Task<Result<Reply>> confirm_totp(Call call) {
  const std::string code(call.body()["code"].text());
  const std::int64_t now = call.admin->clock().wall().micros / 1'000'000;
  Change change = [code, now](Account& account) -> base::Status {
    if (account.totp_secret.empty() || account.totp_confirmed)
      return base::fail(ErrorCode::not_as_it_was, "no authenticator is being enrolled");
    account.totp_step = find_totp_step(account.totp_secret, code, now, account.totp_step);
    if (account.totp_step == 0)
      return base::fail(ErrorCode::login_refused, "the code is wrong", {},
                        "is the clock of the phone right?");
    account.totp_confirmed = true;
    return {};
  };
  auto changing = change_own(std::move(call), std::move(change), true);
  Result<Reply> reply = co_await std::move(changing);
  co_return reply;
}

Task<Result<Reply>> remove_totp(Call call) {
  auto asking = is_own_password(call, std::string(call.body()["password"].text()));
  const Result<bool> right = co_await std::move(asking);
  if (!right) co_return base::fail(right.error());
  if (!*right) co_return base::fail(ErrorCode::login_refused, "the password is wrong");
  Change change = [](Account& account) -> base::Status {
    account.totp_secret.clear();
    account.totp_confirmed = false;
    return {};
  };
  auto changing = change_own(std::move(call), std::move(change), true);
  Result<Reply> reply = co_await std::move(changing);
  co_return reply;
}

Task<Result<Reply>> break_glass(Call call) {
  const Result<std::string> reason = call.text("reason");
  if (!reason) co_return base::fail(reason.error());
  if (call.caller.via != Caller::Via::session)
    co_return base::fail(ErrorCode::not_as_it_was, "only a session can do this");
  std::function<base::WallTime(Logins&, AuditLog&)> work =
      [session = call.caller.session](Logins& logins, AuditLog&) { return logins.break_glass(session); };
  auto working = call.admin->with_accounts(std::move(work));
  const base::WallTime until = co_await std::move(working);
  call.admin->collect_accounts();
  co_return json_reply("{\"until\":\"" + print_time(until) + "\"}");
}

constexpr ErrorCode kLogin[] = {ErrorCode::login_refused, ErrorCode::login_locked,
                                ErrorCode::too_many_clients};
constexpr ErrorCode kSetUp[] = {ErrorCode::login_refused, ErrorCode::login_locked, ErrorCode::password_weak,
                                ErrorCode::already_exists};
constexpr ErrorCode kOwn[] = {ErrorCode::login_refused, ErrorCode::login_locked, ErrorCode::password_weak, ErrorCode::not_as_it_was};

constexpr RouteSpec kRoutes[] = {
    {.method = "GET",
     .path = "/session",
     .right = AdminRight::anybody,
     .summary = "who I am; user null: log in",
     .answer = "@Session",
     .task = show},
    {.method = "POST",
     .path = "/setup",
     .right = AdminRight::anybody,
     .summary = "the first account, with the one-time token that `kiln run` printed",
     .body = "{token: string, user: string, name?: string, password: string}",
     .answer = "@Session",
     .errors = kSetUp,
     .task = set_up},
    {.method = "POST",
     .path = "/session",
     .right = AdminRight::anybody,
     .summary = "log in; code_needed: send the code of the authenticator as well",
     .body = "{user: string, password: string, code?: string}",
     .answer = "@Session",
     .errors = kLogin,
     .task = log_in},
    {.method = "DELETE",
     .path = "/session",
     .right = AdminRight::login,
     .summary = "log off",
     .answer = "@Ok",
     .recorded = Recorded::after,
     .action = "session.logoff",
     .task = log_off},
    {.method = "POST",
     .path = "/session/password",
     .right = AdminRight::login,
     .summary = "another password; ends one's other sessions",
     .body = "{old: string, new: string}",
     .answer = "@Ok",
     .errors = kOwn,
     .recorded = Recorded::after,
     .action = "session.password",
     .task = change_password},
    {.method = "POST",
     .path = "/session/totp",
     .right = AdminRight::login,
     .summary = "begin to enrol an authenticator (RFC 6238)",
     .answer = "{secret: string, uri: string}",
     .errors = kOwn,
     .recorded = Recorded::after,
     .action = "session.totp",
     .task = begin_totp},
    {.method = "PUT",
     .path = "/session/totp",
     .right = AdminRight::login,
     .summary = "its first code: from now on each login needs one",
     .body = "{code: string}",
     .answer = "@Ok",
     .errors = kOwn,
     .recorded = Recorded::after,
     .action = "session.totp.confirm",
     .task = confirm_totp},
    {.method = "DELETE",
     .path = "/session/totp",
     .right = AdminRight::login,
     .summary = "remove the authenticator",
     .body = "{password: string}",
     .answer = "@Ok",
     .errors = kOwn,
     .recorded = Recorded::after,
     .action = "session.totp.remove",
     .task = remove_totp},
    {.method = "POST",
     .path = "/session/break-glass",
     .right = AdminRight::view,
     .summary = "see content of messages for 30 minutes, with a reason",
     .body = "{reason: string}",
     .answer = "{until: time}",
     .errors = kOwn,
     .recorded = Recorded::before,
     .action = "session.break-glass",
     .task = break_glass},
};

}  // namespace

const RouteGroup& session_routes() {
  static const RouteGroup group{"session", "log in and off", kRoutes};
  return group;
}

}  // namespace kiln::engine
