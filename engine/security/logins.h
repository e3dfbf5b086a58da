#pragma once
// Who is logged in to the admin API: sessions, failed logins, the one-time token of the first start
// (security.md §2 D2, D3). Sessions are kept in memory: a restart logs everybody off.

#include <map>
#include <optional>
#include <string>

#include "engine/base/clock.h"
#include "engine/base/http_message.h"
#include "engine/security/accounts.h"

namespace kiln::engine {

/// Who a request comes from.
struct Caller {
  enum class Via : std::uint8_t { nobody, socket, session, token };
  Via via = Via::nobody;
  std::string user;  ///< "local" for the socket
  std::string name, role;
  Rights rights;
  std::string from;     ///< peer address
  std::string session;  ///< its key in Logins; never shown
  std::string token;    ///< id of the API token
  std::string csrf;
  bool mfa = false, must_change_password = false, must_enrol = false, only_account = false;
  base::WallTime break_glass_until;

  bool is_known() const { return via != Via::nobody; }
};

struct LoginRules {
  std::int64_t idle_seconds = 900;
  bool require_mfa = false;
};

/// One thread at a time, but for what verifies a password: that runs elsewhere between begin_login() and
/// end_login().
class Logins {
 public:
  Logins(Accounts accounts, const base::Clock& clock, LoginRules rules);

  Accounts& accounts() { return accounts_; }
  const LoginRules& rules() const { return rules_; }

  /// Makes the token for the first account, valid for limits::kBootstrapSeconds; empty when there is an
  /// account.
  base::Result<std::string> make_bootstrap_token();

  /// By bearer token, else by session cookie; a Caller that is nobody when there is neither. Keeps the
  /// session alive, unless the page asked by itself (`X-Kiln-Background: 1`, or the stream of events). Error: login_needed for a token or cookie that is none (any more).
  base::Result<Caller> identify(const base::HttpRequest& head);
  /// Whether the session or token that a stream was opened with still stands and may look; does not keep the session alive.
  bool is_open(const Caller& caller);

  /// The hash to verify the password against: of the account, or nobody's. Error: login_locked with the
  /// seconds to wait as remedy; known and unknown names are counted alike.
  base::Result<std::string> begin_login(const std::string& user);
  struct Entered {
    bool code_needed = false;
    std::string cookie;  ///< the session's secret, for the client only
    Caller caller;
  };
  /// Errors: login_refused, the same for every reason.
  base::Result<Entered> end_login(const std::string& user, bool verified, const std::string& code);
  /// The first account, with all rights. Errors: login_refused, bad_value, already_exists.
  base::Result<Entered> set_up(const std::string& token, Account account);
  /// After begin_login(), of a password that was asked for again: a wrong one counts like a failed login. Error: login_locked.
  base::Status end_check(const std::string& user, bool verified);
  /// Whether the trail takes the record of a refused login, or set_up(). Of an account: all but what follows in a lock. Of names
  /// that nobody has: limits::kRefusalsTold of an address, then one a minute; strangers could fill it otherwise. What it holds
  /// then: how many before were left out.
  std::optional<std::uint64_t> tell_refusal(const std::string& user, const std::string& address, base::ErrorCode why);
  /// Whether set_up() may be tried now. Errors: already_exists, login_locked.
  base::Status check_set_up() const;
  /// The name that failures of set_up() are counted under.
  static constexpr const char* kSetUp = "the first account";
  /// Sessions with phi.view for a while.
  std::size_t open_break_glasses() const;
  void end_session(const std::string& session) { sessions_.erase(session); }
  /// Of an account whose rights or password were changed; `except` may be empty.
  void end_sessions(const std::string& user, const std::string& except);
  /// phi.view for a while. Nothing for a caller without session.
  base::WallTime break_glass(const std::string& session);
  /// Until when a name is locked; 0: it is not.
  base::WallTime locked_until(const std::string& user) const;
  void unlock(const std::string& user) { failures_.erase(user); }

 private:
  struct Session {
    std::string user, csrf;
    base::MonoTime began{0}, used{0};
    base::WallTime break_glass_until;
  };
  struct Failures {
    std::uint32_t count = 0;
    base::WallTime locked_until;
    bool told = false;  ///< that it is locked
  };
  struct Stranger {
    double allowance = 0;
    base::MonoTime seen{0};
  };
  bool take_refusal(const std::string& address);
  base::Result<Entered> enter(const Account& account);
  void count_failure(const std::string& user);
  Caller caller_of(const Account& account, const std::string& key, const Session& session) const;
  base::Error locked(const std::string& user) const;
  Session* find_session(const std::string& key);

  Accounts accounts_;
  const base::Clock* clock_;
  LoginRules rules_;
  std::map<std::string, Session> sessions_;  ///< by SHA-256 of the cookie, hexadecimal
  std::map<std::string, Failures> failures_;
  std::map<std::string, Stranger> strangers_;  ///< by quota_key()
  std::uint64_t untold_ = 0;                   ///< refusals that the trail did not take
  std::string bootstrap_hash_;
  base::MonoTime bootstrap_made_{0};
};

/// Name and attributes of the cookie; `secret` empty ends it.
std::string print_session_cookie(const std::string& secret, bool secure);
/// Value of that cookie in a Cookie field; empty when there is none.
std::string_view read_session_cookie(std::string_view field);

}  // namespace kiln::engine
