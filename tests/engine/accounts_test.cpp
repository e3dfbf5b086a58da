// Accounts, logins and one-time codes.

#include <catch2/catch.hpp>
#include <cstdlib>

#include "engine/base/text.h"
#include "engine/limits.h"
#include "engine/security/logins.h"
#include "engine/security/password.h"
#include "tests/support/temp_folder.h"

namespace kiln::engine {
namespace {

struct Fixture {
  test::TempFolder folder;
  base::ManualClock clock{base::WallTime{1'700'000'000'000'000}};
  std::string path = base::join_path(folder.path(), "users.db");
  Logins logins = make({});

  Logins make(LoginRules rules) {
    auto accounts = Accounts::open(base::system_env(), path);
    REQUIRE(accounts);
    return Logins(std::move(*accounts), clock, rules);
  }
  void add(const std::string& user, const std::string& role, const std::string& hash = "x") {
    Account account;
    account.user = user;
    account.role = role;
    account.password_hash = hash;
    REQUIRE(logins.accounts().keep(account));
  }
  std::string log_in(const std::string& user) {
    REQUIRE(logins.begin_login(user));
    const auto entered = logins.end_login(user, true, {});
    REQUIRE(entered);
    return entered->cookie;
  }
  base::Result<Caller> who(const std::string& cookie) {
    base::HttpRequest request;
    request.headers.set("Cookie", "other=1; kiln_session=" + cookie);
    return logins.identify(request);
  }
};

}  // namespace

TEST_CASE("a password is Argon2id, and only it verifies") {
  const auto hash = hash_password("correct horse battery");
  REQUIRE(hash);
  CHECK(hash->starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
  CHECK(verify_password("correct horse battery", *hash));
  CHECK(!verify_password("correct horse batterY", *hash));
  CHECK(!verify_password("", *hash));
  CHECK(!verify_password("x", "not a hash"));
  // The same parameters, so the same work, for a name that nobody has.
  CHECK(nobodys_hash().substr(0, 31) == hash->substr(0, 31));
  CHECK(!verify_password("", nobodys_hash()));
  CHECK(!check_password("short", "ann"));
  CHECK(!check_password("aaaaaaaaaaaaaaaa", "ann"));
  CHECK(!check_password("my-name-is-ann-b", "ann"));
  CHECK(!check_password(std::string(300, 'x'), "ann"));
  CHECK(check_password("a long enough one", "bob"));
}

TEST_CASE("one-time codes are those of RFC 6238") {
  // Appendix B: the secret is "12345678901234567890", codes there have 8 digits; these are their last 6.
  const std::string secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
  const std::pair<std::int64_t, const char*> vectors[] = {{59, "287082"},
                                                          {1'111'111'109, "081804"},
                                                          {1'111'111'111, "050471"},
                                                          {1'234'567'890, "005924"},
                                                          {2'000'000'000, "279037"},
                                                          {20'000'000'000, "353130"}};
  for (const auto& [seconds, code] : vectors) {
    CHECK(totp_code(secret, static_cast<std::uint64_t>(seconds / 30)) == code);
    const auto step = find_totp_step(secret, code, seconds, 0);
    CHECK(step == static_cast<std::uint64_t>(seconds / 30));
    CHECK(find_totp_step(secret, code, seconds + 30, 0) == step);
    CHECK(find_totp_step(secret, code, seconds + 90, 0) == 0);
    CHECK(find_totp_step(secret, code, seconds, step) == 0);  // taken once
  }
  CHECK(totp_code("not base32!", 1).empty());
  const auto made = new_totp_secret();
  REQUIRE(made);
  CHECK(made->size() == 32);
  CHECK(totp_code(*made, 1).size() == 6);
}

TEST_CASE("the first account needs the one-time token, once, within 15 minutes") {
  Fixture f;
  const auto token = f.logins.make_bootstrap_token();
  REQUIRE(token);
  Account ann;
  ann.user = "ann";
  CHECK(f.logins.set_up("wrong", ann).error().code == base::ErrorCode::login_refused);
  const auto entered = f.logins.set_up(*token, ann);
  REQUIRE(entered);
  CHECK(entered->caller.rights.bits() == f.who(entered->cookie)->rights.bits());
  for (const AdminRight right : grantable_rights()) CHECK(entered->caller.rights.has(right));
  CHECK(f.logins.set_up(*token, ann).error().code == base::ErrorCode::already_exists);
  CHECK(f.logins.make_bootstrap_token()->empty());

  Fixture late;
  const auto old = late.logins.make_bootstrap_token();
  late.clock.advance(std::chrono::seconds(limits::kBootstrapSeconds + 1));
  CHECK(late.logins.set_up(*old, ann).error().code == base::ErrorCode::login_refused);
}

TEST_CASE("wrong logins lock a name, known or not, and alike") {
  Fixture f;
  f.add("ann", "viewer");
  for (const std::string user : {"ann", "nobody"}) {
    INFO(user);
    int refused = 0;
    for (int i = 0; i < 10; ++i) {
      if (!f.logins.begin_login(user)) continue;
      CHECK(f.logins.end_login(user, false, {}).error().code == base::ErrorCode::login_refused);
      ++refused;
    }
    CHECK(refused == 5);
    const auto locked = f.logins.begin_login(user);
    REQUIRE(!locked);
    CHECK(locked.error().code == base::ErrorCode::login_locked);
    CHECK(!locked.error().remedy.empty());
    f.clock.advance(std::chrono::seconds(2));
    CHECK(f.logins.begin_login(user));
    CHECK(!f.logins.end_login(user, false, {}));
    f.clock.advance(std::chrono::milliseconds(1'500));
    CHECK(!f.logins.begin_login(user));  // the wait has doubled
    f.clock.advance(std::chrono::seconds(2));
  }
  CHECK(f.logins.begin_login("ann"));
  CHECK(f.logins.end_login("ann", true, {}));
  CHECK(f.logins.locked_until("ann").micros == 0);
}

TEST_CASE("a session ends when it is idle, old, its account is disabled, or logged off") {
  Fixture f;
  f.add("ann", "operator");
  const std::string cookie = f.log_in("ann");
  CHECK(f.who(cookie)->user == "ann");
  CHECK(f.who(cookie)->csrf.size() == 64);
  CHECK(f.who("00").error().code == base::ErrorCode::login_needed);
  for (int i = 0; i < 5; ++i) {
    f.clock.advance(std::chrono::minutes(10));
    CHECK(f.who(cookie));
  }
  f.clock.advance(std::chrono::minutes(15));
  CHECK(!f.who(cookie));
  const std::string second = f.log_in("ann");
  for (int i = 0; i < 80; ++i) {
    f.clock.advance(std::chrono::minutes(10));
    (void)f.who(second);
  }
  CHECK(!f.who(second));
  const std::string third = f.log_in("ann");
  Account account = *f.logins.accounts().find("ann");
  account.disabled = true;
  REQUIRE(f.logins.accounts().keep(account));
  CHECK(!f.who(third));
  account.disabled = false;
  REQUIRE(f.logins.accounts().keep(account));
  const std::string fourth = f.log_in("ann");
  f.logins.end_session(f.who(fourth)->session);
  CHECK(!f.who(fourth));
}

TEST_CASE("what a page asks by itself keeps no session alive") {
  Fixture f;
  f.add("ann", "operator");
  const auto asks = [&](const std::string& cookie, const std::string& path, bool by_itself) {
    base::HttpRequest request;
    request.target = path;
    request.headers.set("Cookie", "kiln_session=" + cookie);
    if (by_itself) request.headers.set("X-Kiln-Background", "1");
    return f.logins.identify(request).has_value();
  };
  for (const auto& [path, by_itself] : {std::pair("/api/v1/status", true), std::pair("/api/v1/events", false)}) {
    INFO(path);
    const std::string cookie = f.log_in("ann");
    for (int i = 0; i < 14; ++i) {
      f.clock.advance(std::chrono::minutes(1));
      CHECK(asks(cookie, path, by_itself));
    }
    f.clock.advance(std::chrono::minutes(1));
    CHECK_FALSE(asks(cookie, path, by_itself));
  }
  const std::string cookie = f.log_in("ann");
  for (int i = 0; i < 20; ++i) {
    f.clock.advance(std::chrono::minutes(1));
    CHECK(asks(cookie, "/api/v1/status", false));
  }
}

TEST_CASE("a stream ends with the session or token that opened it") {
  Fixture f;
  f.add("ann", "operator");
  const Caller by_session = *f.who(f.log_in("ann"));
  ApiToken token;
  token.id = "7";
  token.user = "ann";
  token.hash = base::sha256_hex("kiln_x");
  token.rights = Rights::all();
  token.expires = {f.clock.wall().micros + 600'000'000};
  REQUIRE(f.logins.accounts().keep(token));
  base::HttpRequest request;
  request.headers.set("Authorization", "Bearer kiln_x");
  const Caller by_token = *f.logins.identify(request);
  CHECK(f.logins.is_open(by_session));
  CHECK(f.logins.is_open(by_token));
  REQUIRE(f.logins.accounts().remove_token("7"));
  CHECK_FALSE(f.logins.is_open(by_token));
  REQUIRE(f.logins.accounts().keep(token));
  CHECK(f.logins.is_open(by_token));
  f.clock.advance(std::chrono::minutes(10));
  CHECK_FALSE(f.logins.is_open(by_token));
  REQUIRE(f.logins.accounts().remove_token("7"));
  token.expires = {f.clock.wall().micros + 600'000'000};
  REQUIRE(f.logins.accounts().keep(token));
  Account ann = *f.logins.accounts().find("ann");
  ann.disabled = true;
  REQUIRE(f.logins.accounts().keep(ann));
  CHECK_FALSE(f.logins.is_open(by_token));
  CHECK_FALSE(f.logins.is_open(by_session));
}

TEST_CASE("a wrong password that is asked for again counts like a login") {
  Fixture f;
  f.add("ann", "operator");
  for (int i = 0; i < 5; ++i) {
    REQUIRE(f.logins.begin_login("ann"));
    CHECK(f.logins.end_check("ann", true));
  }
  CHECK(f.logins.locked_until("ann").micros == 0);
  for (int i = 0; i < 5; ++i) {
    REQUIRE(f.logins.begin_login("ann"));
    CHECK(f.logins.end_check("ann", false));
  }
  CHECK(f.logins.begin_login("ann").error().code == base::ErrorCode::login_locked);
  CHECK(f.logins.end_check("ann", true).error().code == base::ErrorCode::login_locked);
}

TEST_CASE("of a lock one refusal is new") {
  Fixture f;
  f.add("ann", "operator");
  for (const std::string user : {"eve", "ann"})
    for (int lock = 0; lock < 3; ++lock) {
      while (f.logins.begin_login(user)) (void)f.logins.end_login(user, false, {});
      CHECK(f.logins.tell_refusal(user, "10.0.0.1:1", base::ErrorCode::login_locked));
      CHECK_FALSE(f.logins.tell_refusal(user, "10.0.0.1:1", base::ErrorCode::login_locked));
      CHECK_FALSE(f.logins.tell_refusal(user, "10.0.0.1:1", base::ErrorCode::login_locked));
      f.clock.advance(std::chrono::seconds(1000));
    }
}

TEST_CASE("strangers cannot fill the audit trail") {
  Fixture f;
  f.add("ann", "operator");
  const auto refused = base::ErrorCode::login_refused;
  const auto told = [&](int tries, const std::string& from) {
    int out = 0;
    for (int i = 0; i < tries; ++i) out += f.logins.tell_refusal("guess-" + std::to_string(i), from, refused).has_value() ? 1 : 0;
    return out;
  };
  // Ever other names of one house; a second house is told apart.
  CHECK(told(1'000, "[2001:db8:1:2::7]:4000") == limits::kRefusalsTold);
  CHECK(told(1'000, "[2001:db8:1:2:ffff::1]:4000") == 0);
  CHECK(f.logins.tell_refusal("eve", "10.0.0.2:4000", refused) == std::uint64_t{1'980});  // and it says what was left out
  CHECK(told(5, "10.0.0.2:4000") == 5);
  // Once there is an account, who asks for the first one is a stranger, too.
  CHECK(f.logins.check_set_up().error().code == base::ErrorCode::already_exists);
  CHECK_FALSE(f.logins.tell_refusal(Logins::kSetUp, "[2001:db8:1:2::7]:4000", base::ErrorCode::already_exists));
  // An account's are all told, whatever else comes from there.
  for (int i = 0; i < 50; ++i) CHECK(f.logins.tell_refusal("ann", "[2001:db8:1:2::7]:4000", refused) == std::uint64_t{0});
  // Later one a minute, and it says how many were left out since.
  f.clock.advance(std::chrono::seconds(60));
  CHECK(f.logins.tell_refusal("eve", "[2001:db8:1:2::7]:4000", refused) == std::uint64_t{1});
  CHECK_FALSE(f.logins.tell_refusal("eve", "[2001:db8:1:2::7]:4000", refused));
  // A flood from ever other addresses is bounded as a whole.
  int all = 0;
  for (int i = 0; i < 5'000; ++i) all += told(1, "10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ":1");
  CHECK(all <= static_cast<int>(limits::kStrangersRemembered) + limits::kRefusalsTold);
}

TEST_CASE("break-glass shows content for half an hour") {
  Fixture f;
  f.add("ann", "viewer");
  const std::string cookie = f.log_in("ann");
  CHECK(!f.who(cookie)->rights.has(AdminRight::phi_view));
  CHECK(f.logins.break_glass(f.who(cookie)->session).micros > f.clock.wall().micros);
  CHECK(f.who(cookie)->rights.has(AdminRight::phi_view));
  CHECK(f.logins.open_break_glasses() == 1);
  for (int i = 0; i < 3; ++i) {
    f.clock.advance(std::chrono::minutes(10));
    (void)f.who(cookie);
  }
  f.clock.advance(std::chrono::seconds(1));
  CHECK(!f.who(cookie)->rights.has(AdminRight::phi_view));
  CHECK(f.logins.open_break_glasses() == 0);
}

TEST_CASE("an authenticator is asked for, its codes are taken once") {
  Fixture f;
  Account ann;
  ann.user = "ann";
  ann.role = "viewer";
  ann.totp_secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
  ann.totp_confirmed = true;
  REQUIRE(f.logins.accounts().keep(ann));
  const auto asked = f.logins.end_login("ann", true, {});
  REQUIRE(asked);
  CHECK(asked->code_needed);
  CHECK(asked->cookie.empty());
  const std::string code =
      totp_code(ann.totp_secret, static_cast<std::uint64_t>(f.clock.wall().micros / 30'000'000));
  CHECK(!f.logins.end_login("ann", true, "000000"));
  CHECK(!f.logins.end_login("ann", false, code));
  CHECK(f.logins.end_login("ann", true, code));
  CHECK(!f.logins.end_login("ann", true, code));
}

TEST_CASE("who must enrol or change the password may do nothing else") {
  Fixture f;
  f.logins = f.make({900, true});
  f.add("ann", "operator");
  f.add("vic", "viewer");
  CHECK(f.who(f.log_in("ann"))->rights.bits() == 0);
  CHECK(f.who(f.log_in("ann"))->must_enrol);
  CHECK(f.who(f.log_in("vic"))->rights.has(AdminRight::view));
  Account vic = *f.logins.accounts().find("vic");
  vic.must_change_password = true;
  REQUIRE(f.logins.accounts().keep(vic));
  CHECK(f.who(f.log_in("vic"))->rights.bits() == 0);
}

TEST_CASE("API tokens are hashed, expire, and never may more than their account") {
  Fixture f;
  f.add("ann", "operator");
  ApiToken token;
  token.id = "1";
  token.user = "ann";
  token.hash = base::sha256_hex("kiln_secret");
  token.rights = Rights::all();
  token.expires = {f.clock.wall().micros + 60'000'000};
  REQUIRE(f.logins.accounts().keep(token));
  base::HttpRequest request;
  request.headers.set("Authorization", "Bearer kiln_secret");
  CHECK(f.logins.identify(request)->rights.bits() == find_role("operator")->rights.bits());
  f.clock.advance(std::chrono::seconds(61));
  CHECK(f.logins.identify(request).error().code == base::ErrorCode::login_needed);
  request.headers.set("Authorization", "Bearer kiln_other");
  CHECK(!f.logins.identify(request));
  const auto file = base::system_env().read_file(f.path, 1u << 20);
  REQUIRE(file);
  CHECK(file->find("kiln_secret") == std::string::npos);
  REQUIRE(f.logins.accounts().remove("ann"));
  CHECK(f.logins.accounts().tokens().empty());
}

TEST_CASE("accounts are there again after a restart, sessions are not") {
  Fixture f;
  f.add("ann", "developer", "hash");
  const std::string cookie = f.log_in("ann");
  f.logins = f.make({});
  REQUIRE(f.logins.accounts().find("ann") != nullptr);
  CHECK(f.logins.accounts().find("ann")->role == "developer");
  CHECK(f.logins.accounts().find("ann")->password_hash == "hash");
  CHECK(f.logins.accounts().find("ann")->last_login == f.clock.wall());
  CHECK(!f.who(cookie));
  for (const char* name : {"", "Ann", "a b", "local", "x/y", "<b>"}) CHECK(!check_user_name(name));
}

TEST_CASE("the cookie is for this server only") {
  CHECK(print_session_cookie("s", true) == "kiln_session=s; Path=/; HttpOnly; SameSite=Strict; Secure");
  CHECK(print_session_cookie("", false).find("Max-Age=0") != std::string::npos);
  CHECK(read_session_cookie("a=b;kiln_session=x; kiln_sessions=y") == "x");
  CHECK(read_session_cookie("xkiln_session=x").empty());
}

namespace {
Fixture* login_fixture = nullptr;
}

/// What a login does until its answer is known; tests/e2e/login_work.sh counts the instructions in it.
extern "C" [[gnu::noinline]] bool kiln_one_login(const char* name, const char* password) {
  const auto hash = login_fixture->logins.begin_login(name);
  if (!hash) return false;
  const bool verified = verify_password(password, *hash);
  return login_fixture->logins.end_login(name, verified, {}).has_value();
}

TEST_CASE("one login, for who counts its work", "[.][login-work]") {
  const char* const name = std::getenv("KILN_LOGIN_NAME");
  const char* const password = std::getenv("KILN_LOGIN_PASSWORD");
  REQUIRE(name != nullptr);
  REQUIRE(password != nullptr);
  Fixture f;
  const auto hash = hash_password("the right passphrase");
  REQUIRE(hash);
  f.add("ann", "viewer", *hash);
  f.add("eve", "viewer", *hash);
  Account eve = *f.logins.accounts().find("eve");
  eve.disabled = true;
  REQUIRE(f.logins.accounts().keep(eve));
  (void)nobodys_hash();  // made once a process, by the first who asks
  login_fixture = &f;
  CHECK(kiln_one_login(name, password) == (std::string(password) == "the right passphrase"));
  login_fixture = nullptr;
}

}  // namespace kiln::engine
