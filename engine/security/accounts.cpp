#include "engine/security/accounts.h"

#include <algorithm>

#include "engine/base/text.h"
#include "engine/limits.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;
using base::Status;

constexpr const char* kSchema = R"sql(
create table if not exists account(
  user text primary key, name text not null, role text not null, password text not null, totp text not null,
  totp_confirmed integer not null, totp_step integer not null, phi_view integer not null, disabled integer not null,
  must_change integer not null, created integer not null, last_login integer not null) without rowid;
create table if not exists token(
  id text primary key, name text not null, hash text not null unique, user text not null, rights integer not null,
  created integer not null, expires integer not null) without rowid;
create table if not exists saved(user text primary key, text text not null) without rowid;
)sql";

}  // namespace

Rights Account::rights() const {
  const AdminRole* found = find_role(role);
  if (disabled || found == nullptr) return {};
  return phi_view && found->may_view_phi ? found->rights.with(AdminRight::phi_view) : found->rights;
}

Result<Accounts> Accounts::open(base::Env& env, const std::string& path) {
  base::DatabaseOptions options;
  options.path = path;
  options.page_size = 4096;
  options.cache_kib = 256;
  options.vfs = env.sqlite_vfs();
  Accounts out;
  const bool is_new = !env.exists(path);
  TRY(out.database_, base::Database::open(options));
  TRY_VOID(out.database_.exec(kSchema));
  if (is_new) TRY_VOID(env.sync_folder(std::string(base::folder_of(path))));
  TRY_VOID(out.read());
  return out;
}

Status Accounts::read() {
  TRY(auto rows,
      database_.prepare(
          "select user, name, role, password, totp, totp_confirmed, totp_step, phi_view, disabled, "
          "must_change, created, last_login from account"));
  for (;;) {
    TRY(const bool more, rows.step());
    if (!more) break;
    Account one;
    one.user = rows.text(0);
    one.name = rows.text(1);
    one.role = rows.text(2);
    one.password_hash = rows.text(3);
    one.totp_secret = rows.text(4);
    one.totp_confirmed = rows.integer(5) != 0;
    one.totp_step = static_cast<std::uint64_t>(rows.integer(6));
    one.phi_view = rows.integer(7) != 0;
    one.disabled = rows.integer(8) != 0;
    one.must_change_password = rows.integer(9) != 0;
    one.created.micros = rows.integer(10);
    one.last_login.micros = rows.integer(11);
    std::string key = one.user;
    accounts_.emplace(std::move(key), std::move(one));
  }
  TRY(auto tokens, database_.prepare("select id, name, hash, user, rights, created, expires from token"));
  for (;;) {
    TRY(const bool more, tokens.step());
    if (!more) break;
    ApiToken one;
    one.id = tokens.text(0);
    one.name = tokens.text(1);
    one.hash = tokens.text(2);
    one.user = tokens.text(3);
    one.rights = Rights::of_bits(static_cast<std::uint32_t>(tokens.integer(4)));
    one.created.micros = tokens.integer(5);
    one.expires.micros = tokens.integer(6);
    std::string key = one.id;
    tokens_.emplace(std::move(key), std::move(one));
  }
  return {};
}

const Account* Accounts::find(const std::string& user) const {
  const auto found = accounts_.find(user);
  return found == accounts_.end() ? nullptr : &found->second;
}

Status Accounts::keep(Account account) {
  if (!accounts_.contains(account.user) && accounts_.size() >= limits::kAccountsMax)
    return base::fail(ErrorCode::limit_exceeded,
                      "no more than " + std::to_string(limits::kAccountsMax) + " accounts");
  TRY(auto write, database_.prepare("insert or replace into account values(?,?,?,?,?,?,?,?,?,?,?,?)"));
  write.bind(1, account.user).bind(2, account.name).bind(3, account.role).bind(4, account.password_hash);
  write.bind(5, account.totp_secret).bind(6, std::int64_t{account.totp_confirmed});
  write.bind(7, static_cast<std::int64_t>(account.totp_step)).bind(8, std::int64_t{account.phi_view});
  write.bind(9, std::int64_t{account.disabled}).bind(10, std::int64_t{account.must_change_password});
  write.bind(11, account.created.micros).bind(12, account.last_login.micros);
  TRY_VOID(database_.begin());
  const Status written = write.run();
  if (!written) return database_.rollback(), written;
  TRY_VOID(database_.commit());
  std::string key = account.user;
  accounts_.insert_or_assign(std::move(key), std::move(account));
  return {};
}

Status Accounts::remove(const std::string& user) {
  if (!accounts_.contains(user))
    return base::fail(ErrorCode::no_such_thing, "there is no account of that name");
  TRY(auto write, database_.prepare("delete from account where user = ?"));
  TRY(auto theirs, database_.prepare("delete from token where user = ?"));
  TRY(auto saved, database_.prepare("delete from saved where user = ?"));
  TRY_VOID(database_.begin());
  for (base::Statement* one : {&write, &theirs, &saved})
    if (const Status written = one->bind(1, user).run(); !written) return database_.rollback(), written;
  TRY_VOID(database_.commit());
  accounts_.erase(user);
  std::erase_if(tokens_, [&user](const auto& one) { return one.second.user == user; });
  return {};
}

Result<std::string> Accounts::saved(const std::string& user) {
  TRY(auto row, database_.prepare("select text from saved where user = ?"));
  TRY(const bool any, row.bind(1, user).step());
  return any ? std::string(row.text(0)) : std::string();
}

Status Accounts::keep_saved(const std::string& user, const std::string& text) {
  TRY(auto write, database_.prepare("insert or replace into saved values(?, ?)"));
  TRY_VOID(database_.begin());
  const Status written = write.bind(1, user).bind(2, text).run();
  if (!written) return database_.rollback(), written;
  return database_.commit();
}

const ApiToken* Accounts::find_token(const std::string& hash) const {
  const auto found =
      std::ranges::find_if(tokens_, [&hash](const auto& one) { return one.second.hash == hash; });
  return found == tokens_.end() ? nullptr : &found->second;
}

Status Accounts::keep(ApiToken token) {
  if (tokens_.size() >= limits::kApiTokensMax)
    return base::fail(ErrorCode::limit_exceeded,
                      "no more than " + std::to_string(limits::kApiTokensMax) + " API tokens");
  TRY(auto write, database_.prepare("insert into token values(?,?,?,?,?,?,?)"));
  write.bind(1, token.id).bind(2, token.name).bind(3, token.hash).bind(4, token.user);
  write.bind(5, static_cast<std::int64_t>(token.rights.bits()))
      .bind(6, token.created.micros)
      .bind(7, token.expires.micros);
  TRY_VOID(database_.begin());
  const Status written = write.run();
  if (!written) return database_.rollback(), written;
  TRY_VOID(database_.commit());
  std::string key = token.id;
  tokens_.emplace(std::move(key), std::move(token));
  return {};
}

Status Accounts::remove_token(const std::string& id) {
  if (!tokens_.contains(id)) return base::fail(ErrorCode::no_such_thing, "there is no API token of that id");
  TRY(auto write, database_.prepare("delete from token where id = ?"));
  TRY_VOID(database_.begin());
  const Status written = write.bind(1, id).run();
  if (!written) return database_.rollback(), written;
  TRY_VOID(database_.commit());
  tokens_.erase(id);
  return {};
}

Status check_user_name(std::string_view user) {
  const bool fits =
      !user.empty() && user.size() <= 64 && user != "local" && std::ranges::all_of(user, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
      });
  if (fits) return {};
  return base::fail(ErrorCode::bad_value, "the name of an account is 1 to 64 of a-z 0-9 . _ -", "user");
}

}  // namespace kiln::engine
