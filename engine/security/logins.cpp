#include "engine/security/logins.h"

#include <algorithm>

#include "engine/base/text.h"
#include "engine/limits.h"
#include "engine/security/client_address.h"
#include "engine/security/password.h"
#include "engine/security/random_key.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;

constexpr std::size_t kSecretBytes = 32;
constexpr std::uint32_t kFailuresFree = 5;     ///< wrong passwords without any wait
constexpr std::int64_t kLockSecondsMax = 900;  ///< doubles from 1 s with each failure after that
constexpr std::string_view kCookie = "kiln_session";

std::int64_t seconds_between(base::MonoTime from, base::MonoTime to) {
  return std::chrono::duration_cast<std::chrono::seconds>(to - from).count();
}

base::WallTime after_seconds(base::WallTime time, std::int64_t seconds) {
  return {time.micros + seconds * 1'000'000};
}

}  // namespace

Logins::Logins(Accounts accounts, const base::Clock& clock, LoginRules rules)
    : accounts_(std::move(accounts)), clock_(&clock), rules_(rules) {}

Result<std::string> Logins::make_bootstrap_token() {
  if (!accounts_.all().empty()) return std::string();
  TRY(const std::string key, random_key(kSecretBytes / 2));
  std::string token = base::hex(key);
  bootstrap_hash_ = base::sha256_hex(token);
  bootstrap_made_ = clock_->mono();
  return token;
}

Logins::Session* Logins::find_session(const std::string& key) {
  const auto found = sessions_.find(key);
  if (found == sessions_.end()) return nullptr;
  const base::MonoTime now = clock_->mono();
  const bool ended = seconds_between(found->second.used, now) >= rules_.idle_seconds ||
                     seconds_between(found->second.began, now) >= limits::kSessionSecondsMax;
  const Account* account = accounts_.find(found->second.user);
  if (!ended && account != nullptr && !account->disabled) return &found->second;
  sessions_.erase(found);
  return nullptr;
}

bool Logins::is_open(const Caller& caller) {
  if (caller.via == Caller::Via::socket) return true;
  if (caller.via == Caller::Via::session) {
    const Session* session = find_session(caller.session);
    return session != nullptr && accounts_.find(session->user)->rights().has(AdminRight::view);
  }
  const auto token = accounts_.tokens().find(caller.token);
  if (token == accounts_.tokens().end() || token->second.expires <= clock_->wall()) return false;
  const Account* account = accounts_.find(token->second.user);
  return account != nullptr && token->second.rights.both(account->rights()).has(AdminRight::view);
}

std::size_t Logins::open_break_glasses() const {
  const base::WallTime now = clock_->wall();
  return static_cast<std::size_t>(
      std::count_if(sessions_.begin(), sessions_.end(), [&](const auto& one) { return one.second.break_glass_until > now; }));
}

Caller Logins::caller_of(const Account& account, const std::string& key, const Session& session) const {
  Caller out;
  out.via = Caller::Via::session;
  out.user = account.user;
  out.name = account.name;
  out.role = account.role;
  out.session = key;
  out.csrf = session.csrf;
  out.mfa = account.totp_confirmed;
  out.must_change_password = account.must_change_password;
  out.must_enrol = rules_.require_mfa && !account.totp_confirmed && account.role != "viewer";
  out.only_account = accounts_.all().size() == 1;
  // Until that is done, only what `login` allows.
  if (!out.must_change_password && !out.must_enrol) out.rights = account.rights();
  out.break_glass_until = session.break_glass_until;
  if (out.rights.has(AdminRight::view) && session.break_glass_until > clock_->wall())
    out.rights = out.rights.with(AdminRight::phi_view);
  return out;
}

Result<Caller> Logins::identify(const base::HttpRequest& head) {
  const std::string_view authorization = head.headers.get("authorization");
  constexpr std::string_view kBearer = "Bearer ";
  if (authorization.starts_with(kBearer)) {
    const ApiToken* token = accounts_.find_token(base::sha256_hex(authorization.substr(kBearer.size())));
    const Account* account = token == nullptr ? nullptr : accounts_.find(token->user);
    if (account == nullptr || account->disabled || token->expires <= clock_->wall())
      return base::fail(ErrorCode::login_needed, "the API token is not valid, or has expired");
    Caller out;
    out.via = Caller::Via::token;
    out.user = account->user;
    out.name = token->name;
    out.token = token->id;
    out.role = account->role;
    // Never more than its maker may today.
    out.rights = token->rights.both(account->rights());
    return out;
  }
  const std::string_view cookie = read_session_cookie(head.headers.get("cookie"));
  if (cookie.empty()) return Caller();
  const std::string key = base::sha256_hex(cookie);
  Session* session = find_session(key);
  if (session == nullptr) return base::fail(ErrorCode::login_needed, "the session has ended");
  const bool by_itself = head.headers.has("x-kiln-background") || head.path() == "/api/v1/events";
  if (!by_itself) session->used = clock_->mono();
  return caller_of(*accounts_.find(session->user), key, *session);
}

base::WallTime Logins::locked_until(const std::string& user) const {
  const auto found = failures_.find(user);
  return found != failures_.end() && found->second.locked_until > clock_->wall() ? found->second.locked_until
                                                                                 : base::WallTime();
}

base::Error Logins::locked(const std::string& user) const {
  const std::int64_t seconds = (locked_until(user).micros - clock_->wall().micros) / 1'000'000 + 1;
  return {ErrorCode::login_locked, {}, {}, std::to_string(seconds)};
}

/// A bucket of limits::kRefusalsTold that gets one more a minute.
bool Logins::take_refusal(const std::string& address) {
  constexpr double kASecond = 1.0 / 60;
  constexpr auto kMost = static_cast<double>(limits::kRefusalsTold);
  const base::MonoTime now = clock_->mono();
  if (strangers_.size() >= limits::kStrangersRemembered && !strangers_.contains(address)) {
    constexpr std::chrono::seconds kFull(static_cast<std::int64_t>(kMost / kASecond));
    std::erase_if(strangers_, [&](const auto& one) { return now - one.second.seen > kFull; });
  }
  // A flood from ever other addresses shares one bucket.
  const bool crowded = strangers_.size() >= limits::kStrangersRemembered && !strangers_.contains(address);
  const auto [found, is_new] = strangers_.try_emplace(crowded ? std::string() : address);
  Stranger& one = found->second;
  const double passed = std::chrono::duration<double>(now - one.seen).count();
  one.allowance = is_new ? kMost : std::min(kMost, one.allowance + passed * kASecond);
  one.seen = now;
  if (one.allowance < 1) return false;
  one.allowance -= 1;
  return true;
}

std::optional<std::uint64_t> Logins::tell_refusal(const std::string& user, const std::string& address, ErrorCode why) {
  if (why == ErrorCode::login_locked) {
    const auto found = failures_.find(user);
    if (found != failures_.end() && std::exchange(found->second.told, true)) return std::nullopt;
  }
  if (accounts_.find(user) != nullptr) return 0;
  if (take_refusal(quota_key(address))) return std::exchange(untold_, 0);
  ++untold_;
  return std::nullopt;
}

base::Status Logins::check_set_up() const {
  if (!accounts_.all().empty()) return base::fail(ErrorCode::already_exists, "there is an account already; log in");
  if (locked_until(kSetUp).micros != 0) return base::fail(locked(kSetUp));
  return {};
}

base::Status Logins::end_check(const std::string& user, bool verified) {
  if (locked_until(user).micros != 0) return base::fail(locked(user));
  if (!verified) count_failure(user);
  return {};
}

Result<std::string> Logins::begin_login(const std::string& user) {
  if (locked_until(user).micros != 0) return base::fail(locked(user));
  const Account* account = accounts_.find(user);
  return account == nullptr || account->disabled ? nobodys_hash() : account->password_hash;
}

void Logins::count_failure(const std::string& user) {
  if (failures_.size() >= limits::kLoginNamesRememberedMax && !failures_.contains(user)) {
    // Names that nobody has go first; a flood of them must not clear the count of an account.
    std::erase_if(failures_, [this](const auto& one) { return accounts_.find(one.first) == nullptr; });
  }
  Failures& failures = failures_[user];
  if (++failures.count < kFailuresFree) return;
  failures.told = false;
  const std::uint32_t doublings = std::min<std::uint32_t>(failures.count - kFailuresFree, 20);
  failures.locked_until =
      after_seconds(clock_->wall(), std::min<std::int64_t>(std::int64_t{1} << doublings, kLockSecondsMax));
}

Result<Logins::Entered> Logins::end_login(const std::string& user, bool verified, const std::string& code) {
  // Others that were begun at the same time may have failed since.
  if (locked_until(user).micros != 0) return base::fail(locked(user));
  const Account* account = accounts_.find(user);
  if (account == nullptr || account->disabled || !verified) {
    count_failure(user);
    return base::fail(ErrorCode::login_refused);
  }
  Account changed = *account;
  if (account->totp_confirmed) {
    if (code.empty()) return Entered{true, {}, {}};
    changed.totp_step =
        find_totp_step(account->totp_secret, code, clock_->wall().micros / 1'000'000, account->totp_step);
    if (changed.totp_step == 0) {
      count_failure(user);
      return base::fail(ErrorCode::login_refused);
    }
  }
  failures_.erase(user);
  changed.last_login = clock_->wall();
  TRY_VOID(accounts_.keep(changed));
  return enter(changed);
}

Result<Logins::Entered> Logins::set_up(const std::string& token, Account account) {
  const bool in_time = !bootstrap_hash_.empty() &&
                       seconds_between(bootstrap_made_, clock_->mono()) < limits::kBootstrapSeconds;
  TRY_VOID(check_set_up());
  if (!in_time || !equals_in_constant_time(bootstrap_hash_, base::sha256_hex(token))) {
    count_failure(kSetUp);
    return base::fail(ErrorCode::login_refused, "the one-time token is wrong or older than 15 minutes", {},
                      "`kiln run` prints a new one at each start; or `kiln user add` on this machine");
  }
  TRY_VOID(check_user_name(account.user));
  account.role = "owner";
  account.phi_view = true;
  account.created = account.last_login = clock_->wall();
  TRY_VOID(accounts_.keep(account));
  bootstrap_hash_.clear();
  return enter(account);
}

Result<Logins::Entered> Logins::enter(const Account& account) {
  std::erase_if(sessions_, [this](const auto& one) {
    return seconds_between(one.second.used, clock_->mono()) >= rules_.idle_seconds;
  });
  const auto oldest_of = [this](const std::string* user) {
    auto oldest = sessions_.end();
    std::size_t count = 0;
    for (auto at = sessions_.begin(); at != sessions_.end(); ++at) {
      if (user != nullptr && at->second.user != *user) continue;
      ++count;
      if (oldest == sessions_.end() || at->second.used < oldest->second.used) oldest = at;
    }
    return std::pair(oldest, count);
  };
  if (const auto [oldest, count] = oldest_of(&account.user); count >= limits::kSessionsPerUserMax)
    sessions_.erase(oldest);
  if (const auto [oldest, count] = oldest_of(nullptr); count >= limits::kSessionsMax) sessions_.erase(oldest);
  TRY(const std::string secret, random_key(kSecretBytes));
  TRY(const std::string csrf, random_key(kSecretBytes));
  Entered out;
  out.cookie = base::hex(secret);
  Session session;
  session.user = account.user;
  session.csrf = base::hex(csrf);
  session.began = session.used = clock_->mono();
  const std::string key = base::sha256_hex(out.cookie);
  out.caller = caller_of(account, key, session);
  sessions_[key] = std::move(session);
  return out;
}

void Logins::end_sessions(const std::string& user, const std::string& except) {
  std::erase_if(sessions_, [&](const auto& one) { return one.second.user == user && one.first != except; });
}

base::WallTime Logins::break_glass(const std::string& session) {
  Session* found = find_session(session);
  if (found == nullptr) return {};
  found->break_glass_until = after_seconds(clock_->wall(), limits::kBreakGlassSeconds);
  return found->break_glass_until;
}

std::string print_session_cookie(const std::string& secret, bool secure) {
  std::string out = std::string(kCookie) + "=" + secret + "; Path=/; HttpOnly; SameSite=Strict";
  if (secure) out += "; Secure";
  if (secret.empty()) out += "; Max-Age=0";
  return out;
}

std::string_view read_session_cookie(std::string_view field) {
  for (std::string_view part : base::split(field, ';')) {
    part = base::trim(part);
    if (part.starts_with(kCookie) && part.size() > kCookie.size() && part[kCookie.size()] == '=')
      return part.substr(kCookie.size() + 1);
  }
  return {};
}

}  // namespace kiln::engine
