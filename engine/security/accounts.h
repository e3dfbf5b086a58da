#pragma once
// Accounts and API tokens of the admin API, in a small database of their own (DATA/users.db). Passwords are
// kept as Argon2id, tokens as SHA-256; a TOTP secret must be kept as it is, so the file is the owner's only
// (0600).

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/base/result.h"
#include "engine/base/sql/sqlite.h"
#include "engine/security/roles.h"

namespace kiln::engine {

struct Account {
  std::string user;  ///< [a-z0-9._-], what one logs in with
  std::string name;  ///< of the person
  std::string role;  ///< of admin_roles()
  std::string password_hash;
  std::string totp_secret;      ///< empty: none begun
  bool totp_confirmed = false;  ///< asked for at each login
  std::uint64_t totp_step = 0;  ///< the last one taken
  bool phi_view = false, disabled = false;
  bool must_change_password = false;  ///< somebody else has set it
  base::WallTime created, last_login;

  /// The rights of the role, and phi.view when it is granted and the role allows it; none when disabled.
  Rights rights() const;
};

struct ApiToken {
  std::string id;          ///< public
  std::string name, hash;  ///< `hash`: SHA-256 of the token, hexadecimal
  std::string user;        ///< who made it
  Rights rights;
  base::WallTime created, expires;
};

/// Reads at once, writes through. One thread at a time.
class Accounts {
 public:
  /// Creates the file when it is not there. Errors: of the database.
  static base::Result<Accounts> open(base::Env& env, const std::string& path);

  const std::map<std::string, Account>& all() const { return accounts_; }
  /// nullptr when there is none.
  const Account* find(const std::string& user) const;
  /// Adds or replaces, durably. Errors: limit_exceeded, of the database.
  base::Status keep(Account account);
  base::Status remove(const std::string& user);

  /// What an account keeps for its console (JSON); empty: nothing. They may name patients, so they are not in
  /// the browser.
  base::Result<std::string> saved(const std::string& user);
  base::Status keep_saved(const std::string& user, const std::string& text);

  const std::map<std::string, ApiToken>& tokens() const { return tokens_; }
  /// By the SHA-256 of the token; nullptr when there is none.
  const ApiToken* find_token(const std::string& hash) const;
  base::Status keep(ApiToken token);
  base::Status remove_token(const std::string& id);

 private:
  base::Status read();
  base::Database database_;
  std::map<std::string, Account> accounts_;
  std::map<std::string, ApiToken> tokens_;  ///< by id
};

/// Whether it can be the name of an account: 1 to 64 of [a-z0-9._-], not "local". Error: bad_value.
base::Status check_user_name(std::string_view user);

}  // namespace kiln::engine
