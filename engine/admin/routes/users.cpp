// Accounts and API tokens.

#include "engine/admin/message_json.h"
#include "engine/admin/route.h"
#include "engine/admin/service.h"
#include "engine/base/text.h"
#include "engine/security/password.h"
#include "engine/security/random_key.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;
using base::Task;

Result<Reply> write_users(Logins& logins) {
  base::JsonWriter json;
  json.begin_object().key("users").begin_array();
  for (const auto& [user, account] : logins.accounts().all()) {
    json.begin_object().member("user", user).member("name", account.name).member("role", account.role);
    json.key("rights").begin_array();
    for (const std::string_view right : account.rights().names()) json.string(right);
    json.end_array().key("phi_view").boolean(account.phi_view).key("mfa").boolean(account.totp_confirmed);
    json.key("disabled").boolean(account.disabled).member("created", print_time(account.created));
    json.key("must_change_password").boolean(account.must_change_password);
    if (account.last_login.micros != 0) json.member("last_login", print_time(account.last_login));
    if (const auto until = logins.locked_until(user); until.micros != 0)
      json.member("locked_until", print_time(until));
    json.end_object();
  }
  return json_reply(json.end_array().end_object().take());
}

using Work = std::function<Result<Reply>(Logins&, AuditLog&)>;

Task<Result<Reply>> list_users(Call call) {
  Work work = [](Logins& logins, AuditLog&) { return write_users(logins); };
  auto working = call.admin->with_accounts(std::move(work));
  Result<Reply> reply = co_await std::move(working);
  co_return reply;
}

/// Somebody who can manage users must stay.
base::Status check_remaining(Logins& logins, const std::string& without) {
  for (const auto& [user, account] : logins.accounts().all())
    if (user != without && account.rights().has(AdminRight::admin)) return {};
  return base::fail(ErrorCode::not_as_it_was, "nobody else could manage accounts", {},
                    "give another account the role admin first");
}

/// Only who holds every right makes others who do.
base::Status check_role(const Caller& caller, const std::string& role) {
  if (find_role(role) == nullptr)
    return base::fail(ErrorCode::bad_value,
                      "the roles are viewer, operator, developer, auditor, admin and owner", "role");
  if (role == "owner" &&
      caller.rights.without(AdminRight::phi_view).bits() !=
          Rights::all().without(AdminRight::phi_view).bits())
    return base::fail(ErrorCode::right_missing, "only an owner makes owners");
  return {};
}

Task<Result<Reply>> add_user(Call call) {
  Account account;
  account.user = call.body()["user"].text();
  account.name = call.body()["name"].text();
  account.role = call.body()["role"].text();
  account.phi_view = call.body()["phi_view"].boolean();
  // Who sets somebody else's password knows it.
  account.must_change_password = call.caller.via != Caller::Via::socket || !call.body()["final"].boolean();
  account.created = call.admin->clock().wall();
  const std::string password(call.body()["password"].text());
  for (const base::Status& checked : {check_user_name(account.user), check_role(call.caller, account.role),
                                      check_password(password, account.user)})
    if (!checked) co_return base::fail(checked.error());
  auto hashing = call.admin->hash(password, {});
  Result<std::string> hash = co_await std::move(hashing);
  if (!hash) co_return base::fail(hash.error());
  account.password_hash = std::move(*hash);
  Work work = [account](Logins& logins, AuditLog&) -> Result<Reply> {
    if (logins.accounts().find(account.user) != nullptr)
      return base::fail(ErrorCode::already_exists, {}, account.user);
    TRY_VOID(logins.accounts().keep(account));
    return json_reply("{\"ok\":true}");
  };
  auto working = call.admin->with_accounts(std::move(work));
  Result<Reply> reply = co_await std::move(working);
  co_return reply;
}

Result<Reply> change_account(Logins& logins, const Call& call, const std::string& hash) {
  const std::string user(call.value("user"));
  const base::JsonView body = call.body();
  const Account* found = logins.accounts().find(user);
  if (found == nullptr) return base::fail(ErrorCode::no_such_thing, "there is no account of that name", user);
  if (user == call.caller.user && (!hash.empty() || body["reset_mfa"].boolean()))
    return base::fail(ErrorCode::not_as_it_was, "one's own password and authenticator are changed with the old password", {},
                      "POST /session/password, DELETE /session/totp");
  if (found->role == "owner" && user != call.caller.user) TRY_VOID(check_role(call.caller, "owner"));
  Account account = *found;
  if (body["name"]) account.name = body["name"].text();
  if (body["role"]) {
    account.role = body["role"].text();
    TRY_VOID(check_role(call.caller, account.role));
  }
  if (body["phi_view"]) account.phi_view = body["phi_view"].boolean();
  if (body["disabled"]) account.disabled = body["disabled"].boolean();
  if (body["reset_mfa"].boolean()) account.totp_secret.clear(), account.totp_confirmed = false;
  if (!hash.empty()) account.password_hash = hash, account.must_change_password = true;
  if (!account.rights().has(AdminRight::admin)) TRY_VOID(check_remaining(logins, user));
  const bool weaker =
      account.role != found->role || account.phi_view != found->phi_view || account.disabled || !hash.empty();
  TRY_VOID(logins.accounts().keep(account));
  if (body["unlock"].boolean()) logins.unlock(user);
  if (weaker) logins.end_sessions(user, user == call.caller.user ? call.caller.session : std::string());
  return json_reply("{\"ok\":true}");
}

Task<Result<Reply>> change_user(Call call) {
  std::string hash;
  if (call.body()["password"]) {
    const std::string password(call.body()["password"].text());
    const base::Status strong = check_password(password, call.value("user"));
    if (!strong) co_return base::fail(strong.error());
    auto hashing = call.admin->hash(password, {});
    Result<std::string> hashed = co_await std::move(hashing);
    if (!hashed) co_return base::fail(hashed.error());
    hash = std::move(*hashed);
  }
  AdminService* admin = call.admin;
  Work work = [call = std::move(call), hash](Logins& logins, AuditLog&) {
    return change_account(logins, call, hash);
  };
  auto working = admin->with_accounts(std::move(work));
  Result<Reply> reply = co_await std::move(working);
  co_return reply;
}

Task<Result<Reply>> remove_user(Call call) {
  AdminService* admin = call.admin;
  Work work = [call = std::move(call)](Logins& logins, AuditLog&) -> Result<Reply> {
    const std::string user(call.value("user"));
    const Account* found = logins.accounts().find(user);
    if (found == nullptr)
      return base::fail(ErrorCode::no_such_thing, "there is no account of that name", user);
    if (found->role == "owner") TRY_VOID(check_role(call.caller, "owner"));
    TRY_VOID(check_remaining(logins, user));
    TRY_VOID(logins.accounts().remove(user));
    logins.end_sessions(user, {});
    return json_reply("{\"ok\":true}");
  };
  auto working = admin->with_accounts(std::move(work));
  Result<Reply> reply = co_await std::move(working);
  co_return reply;
}

Task<Result<Reply>> list_tokens(Call call) {
  Work work = [](Logins& logins, AuditLog&) -> Result<Reply> {
    base::JsonWriter json;
    json.begin_object().key("tokens").begin_array();
    for (const auto& [id, token] : logins.accounts().tokens()) {
      json.begin_object().member("id", id).member("name", token.name).member("user", token.user);
      json.key("rights").begin_array();
      for (const std::string_view right : token.rights.names()) json.string(right);
      json.end_array()
          .member("created", print_time(token.created))
          .member("expires", print_time(token.expires))
          .end_object();
    }
    return json_reply(json.end_array().end_object().take());
  };
  auto working = call.admin->with_accounts(std::move(work));
  Result<Reply> reply = co_await std::move(working);
  co_return reply;
}

Result<Reply> make_token(Logins& logins, const Call& call) {
  constexpr std::size_t kIdBytes = 6, kSecretBytes = 24;
  constexpr std::int64_t kDaysMax = 366, kDayMicros = 86'400'000'000;
  const base::JsonView body = call.body();
  ApiToken token;
  TRY(token.name, call.text("name"));
  // The socket is no account: it makes tokens for one.
  token.user = call.caller.via == Caller::Via::socket ? std::string(body["user"].text()) : call.caller.user;
  const Account* account = logins.accounts().find(token.user);
  if (account == nullptr)
    return base::fail(ErrorCode::no_such_thing, "a token belongs to an account", "user",
                      "name one: --user NAME");
  for (const base::JsonView one : body["rights"]) {
    const AdminRight right = find_right(one.text());
    if (right == AdminRight::anybody)
      return base::fail(ErrorCode::bad_value, "there is no such right", "rights");
    // Nor more than whoever asks: a token for one thing must not make one for everything.
    if (!account->rights().has(right) || (call.caller.via != Caller::Via::socket && !call.caller.rights.has(right)))
      return base::fail(ErrorCode::right_missing, "the account itself does not have this right",
                        name_of(right));
    token.rights = token.rights.with(right);
  }
  if (token.rights.bits() == 0) return base::fail(ErrorCode::bad_value, "a token needs a right", "rights");
  const std::string days_text(body["days"].text());
  const std::int64_t days = days_text.empty() ? 90 : std::strtoll(days_text.c_str(), nullptr, 10);
  if (days < 1 || days > kDaysMax) return base::fail(ErrorCode::bad_value, "1 to 366 days", "days");
  TRY(const std::string id, random_key(kIdBytes));
  TRY(const std::string secret, random_key(kSecretBytes));
  token.id = base::hex(id);
  const std::string shown = "kiln_" + base::hex(secret);
  token.hash = base::sha256_hex(shown);
  token.created = call.admin->clock().wall();
  token.expires = {token.created.micros + days * kDayMicros};
  base::JsonWriter json;
  json.begin_object()
      .member("id", token.id)
      .member("token", shown)
      .member("expires", print_time(token.expires))
      .end_object();
  TRY_VOID(logins.accounts().keep(std::move(token)));
  return json_reply(json.take());
}

Task<Result<Reply>> add_token(Call call) {
  AdminService* admin = call.admin;
  Work work = [call = std::move(call)](Logins& logins, AuditLog&) { return make_token(logins, call); };
  auto working = admin->with_accounts(std::move(work));
  Result<Reply> reply = co_await std::move(working);
  co_return reply;
}

Task<Result<Reply>> remove_token(Call call) {
  Work work = [id = std::string(call.value("id"))](Logins& logins, AuditLog&) -> Result<Reply> {
    TRY_VOID(logins.accounts().remove_token(id));
    return json_reply("{\"ok\":true}");
  };
  auto working = call.admin->with_accounts(std::move(work));
  Result<Reply> reply = co_await std::move(working);
  co_return reply;
}

constexpr ErrorCode kErrors[] = {ErrorCode::no_such_thing, ErrorCode::already_exists,
                                 ErrorCode::password_weak, ErrorCode::not_as_it_was,
                                 ErrorCode::limit_exceeded};

constexpr RouteSpec kRoutes[] = {
    {.method = "GET",
     .path = "/users",
     .right = AdminRight::admin,
     .summary = "every account",
     .answer = "{users: [@Account]}",
     .task = list_users},
    {.method = "POST",
     .path = "/users",
     .right = AdminRight::admin,
     .summary = "a new account; its password must be changed at the first login",
     .body =
         "{user: string, name?: string, role: string, phi_view?: boolean, password: string, final?: boolean}",
     .answer = "@Ok",
     .errors = kErrors,
     .recorded = Recorded::after,
     .action = "user.add",
     .task = add_user},
    {.method = "PATCH",
     .path = "/users/{user}",
     .right = AdminRight::admin,
     .summary = "change an account; ends its sessions when it may less than before",
     .body = "{name?: string, role?: string, phi_view?: boolean, disabled?: boolean, password?: string, "
             "unlock?: boolean, "
             "reset_mfa?: boolean}",
     .answer = "@Ok",
     .errors = kErrors,
     .recorded = Recorded::after,
     .action = "user.change",
     .task = change_user},
    {.method = "DELETE",
     .path = "/users/{user}",
     .right = AdminRight::admin,
     .summary = "remove an account and its tokens",
     .answer = "@Ok",
     .errors = kErrors,
     .recorded = Recorded::after,
     .action = "user.remove",
     .task = remove_user},
    {.method = "GET",
     .path = "/tokens",
     .right = AdminRight::admin,
     .summary = "every API token",
     .answer = "{tokens: [@Token]}",
     .task = list_tokens},
    {.method = "POST",
     .path = "/tokens",
     .right = AdminRight::admin,
     .summary = "a new API token; it is shown once",
     .body = "{name: string, rights: [string], days?: integer, user?: string}",
     .answer = "{id: string, token: string, expires: time}",
     .errors = kErrors,
     .recorded = Recorded::after,
     .action = "token.add",
     .task = add_token},
    {.method = "DELETE",
     .path = "/tokens/{id}",
     .right = AdminRight::admin,
     .summary = "an API token is no longer valid",
     .answer = "@Ok",
     .errors = kErrors,
     .recorded = Recorded::after,
     .action = "token.remove",
     .task = remove_token},
};

}  // namespace

const RouteGroup& users_routes() {
  static const RouteGroup group{"users", "accounts and API tokens", kRoutes};
  return group;
}

}  // namespace kiln::engine
