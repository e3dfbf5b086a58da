#include "engine/security/site_access.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "engine/base/limits.h"
#include "engine/base/text.h"

namespace kiln::engine {

using base::ErrorCode;
using base::fail;
using channels::Options;
using channels::OptionValue;

namespace {

constexpr AccessRule kRules[] = {
    {"capabilities", Right::nothing},
    {"transaction", Right::login},
    {"read", Right::read},
    {"vread", Right::read},
    {"history", Right::read},
    {"search", Right::read},
    {"create", Right::write},
    {"update", Right::write},
    {"patch", Right::write},
    {"delete", Right::write},
    {"conditional-update", Right::write},
    {"conditional-patch", Right::write},
    {"conditional-delete", Right::write},
};

constexpr std::string_view kHashed = "sha256:";

Right right_of(std::string_view interaction, bool& known) {
  known = true;
  for (const AccessRule& rule : kRules)
    if (rule.interaction == interaction) return rule.right;
  if (interaction.starts_with('$')) return Right::operation;
  known = false;
  return Right::login;
}

bool holds(const std::set<std::string, std::less<>>& set, std::string_view name) {
  return set.contains("*") || set.contains(name);
}

void add_words(std::set<std::string, std::less<>>& set, std::string_view text) {
  for (const std::string_view word : base::split(text, ' '))
    if (!word.empty()) set.emplace(word);
}

void merge(Role& into, const Role& from) {
  into.read.insert(from.read.begin(), from.read.end());
  into.write.insert(from.write.begin(), from.write.end());
  into.operations.insert(from.operations.begin(), from.operations.end());
}

bool same_bytes(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

tl::unexpected<base::Error> wrong(const std::string& user, const char* why) {
  return fail(ErrorCode::channel_option, "user " + user + ": " + why, "fhir { access { … } }");
}

/// A token as it is kept; "sha256:HEX" keeps the token itself out of the configuration.
base::Result<std::string> hash_of(const std::string& user, std::string_view token) {
  if (token.starts_with(kHashed)) {
    std::string hash;
    if (token.size() == kHashed.size() + 64)
      for (std::size_t i = kHashed.size(); i + 1 < token.size(); i += 2) {
        const auto digit = [](char c) {
          return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        };
        const int high = digit(token[i]), low = digit(token[i + 1]);
        if (high < 0 || low < 0) break;
        hash.push_back(static_cast<char>(high * 16 + low));
      }
    if (hash.size() != 32) return wrong(user, "sha256: needs 64 digits of 0-9 a-f");
    return hash;
  }
  if (token.size() < base::limits::kAccessTokenBytesMin)
    return wrong(user, "the token is shorter than 16 characters");
  if (token.size() > base::limits::kAccessTokenBytesMax) return wrong(user, "the token is too long");
  return base::sha256(token);
}

}  // namespace

std::span<const AccessRule> access_rules() {
  return kRules;
}

const Role* standard_role(std::string_view name) {
  static const std::set<std::string, std::less<>> all = {"*"};
  static const std::set<std::string, std::less<>> questions = {"$expand",     "$lookup",   "$validate-code",
                                                               "$translate",  "$validate", "$meta", "$subsumes",
                                                               "$everything", "$match",    "$convert"};
  static const std::set<std::string, std::less<>> changes = [] {
    auto list = questions;
    list.insert({"$meta-add", "$meta-delete"});
    return list;
  }();
  static const std::map<std::string, Role, std::less<>> roles = {
      {"reader", {all, {}, questions}}, {"writer", {all, all, changes}}, {"admin", {all, all, all}}};
  const auto found = roles.find(name);
  return found == roles.end() ? nullptr : &found->second;
}

base::Result<SiteAccess> SiteAccess::read(const Options& access, bool audited) {
  SiteAccess out;
  out.audited_ = audited;
  std::map<std::string, Role, std::less<>> own;
  if (const auto* roles = access.all("role"))
    for (const OptionValue& role : *roles) {
      Role& rights = own[role.text];
      add_words(rights.read, role.block.front().text("read"));
      add_words(rights.write, role.block.front().text("write"));
      add_words(rights.operations, role.block.front().text("operations"));
    }
  const auto* users = access.all("user");
  if (!users) return out;
  if (users->size() > base::limits::kAccessTokensMax)
    return fail(ErrorCode::limit_exceeded, "too many users");
  for (const OptionValue& one : *users) {
    const Options& options = one.block.front();
    User user;
    user.name = one.text;
    user.certificate = options.text("certificate");
    if (options.has("token")) {
      TRY(user.token_hash, hash_of(user.name, options.text("token")));
    }
    if (user.token_hash.empty() && user.certificate.empty())
      return wrong(user.name, "has no token and no certificate");
    for (const User& other : out.users_) {
      if (other.name == user.name) return wrong(user.name, "is there twice");
      if (!user.token_hash.empty() && other.token_hash == user.token_hash)
        return wrong(user.name, "has the token of another user");
      if (!user.certificate.empty() && other.certificate == user.certificate)
        return wrong(user.name, "has the certificate of another user");
    }
    for (const OptionValue& role : *options.all("role")) {
      const auto found = own.find(role.text);
      const Role* rights = found != own.end() ? &found->second : standard_role(role.text);
      if (!rights) return wrong(user.name, "has a role that does not exist");
      merge(user.rights, *rights);
    }
    out.users_.push_back(std::move(user));
  }
  out.loopback_open_ = access.text("loopback") == "open";
  return out;
}

base::Result<fhir::Principal> SiteAccess::identify(const base::HttpRequest& request,
                                                   std::string_view certificate) const {
  fhir::Principal principal;
  principal.loopback = is_loopback(request.peer);
  const std::string_view header = request.headers.get("Authorization");
  if (!header.empty() && has_users()) {
    constexpr std::string_view kBearer = "bearer ";
    if (header.size() <= kBearer.size() ||
        header.size() > base::limits::kAccessTokenBytesMax + kBearer.size() ||
        !base::equals_ignore_case(header.substr(0, kBearer.size()), kBearer))
      return fail(ErrorCode::fhir_login);
    const std::string hash = base::sha256(base::trim(header.substr(kBearer.size())));
    const User* found = nullptr;
    for (const User& user : users_)  // all of them, whoever it is
      if (same_bytes(hash, user.token_hash)) found = &user;
    if (!found) return fail(ErrorCode::fhir_login);
    principal.name = found->name;
    return principal;
  }
  for (const User& user : users_)
    if (!certificate.empty() && user.certificate == certificate) {
      principal.name = user.name;
      return principal;
    }
  const bool anonymous_may = principal.loopback && loopback_open_;
  if (anonymous_may || !has_users()) return principal;
  const bool is_metadata =
      (request.method == "GET" || request.method == "HEAD") && request.path() == "/fhir/metadata";
  if (is_metadata) return principal;
  return fail(ErrorCode::fhir_login);
}

const SiteAccess::User* SiteAccess::find(std::string_view name) const {
  const auto found =
      std::find_if(users_.begin(), users_.end(), [&](const User& user) { return user.name == name; });
  return found == users_.end() ? nullptr : &*found;
}

bool SiteAccess::may(const Role& rights, Right right, std::string_view interaction, std::string_view type) {
  switch (right) {
    case Right::nothing:
    case Right::login:
      return true;
    case Right::read:
      // Over all types: a search asks again for each of them, a history cannot.
      if (type.empty()) return interaction == "search" ? !rights.read.empty() : rights.read.contains("*");
      return holds(rights.read, type);
    case Right::write:
      return !type.empty() && holds(rights.write, type);
    case Right::operation:
      return holds(rights.operations, interaction) && (type.empty() || holds(rights.read, type));
  }
  return false;
}

bool SiteAccess::allow(const fhir::Principal& principal, std::string_view interaction, std::string_view type,
                       std::string_view) const {
  bool known = false;
  const Right right = right_of(interaction, known);
  if (!known) return false;
  // What happened cannot be made undone by those it tells about.
  if (audited_ && type == "AuditEvent" && right == Right::write && interaction != "create") return false;
  if (right == Right::nothing) return true;
  if (principal.name.empty()) return principal.loopback && loopback_open_;
  const User* user = find(principal.name);
  return user && may(user->rights, right, interaction, type);
}

bool SiteAccess::takes_certificates() const {
  return std::any_of(users_.begin(), users_.end(),
                     [](const User& user) { return !user.certificate.empty(); });
}

std::string SiteAccess::description() const {
  if (!has_users()) return "No login; only clients on the machine of the server are served.";
  std::string text;
  if (std::any_of(users_.begin(), users_.end(), [](const User& user) { return !user.token_hash.empty(); }))
    text += "Bearer token in the Authorization header.";
  if (takes_certificates()) text += std::string(text.empty() ? "" : " ") + "TLS client certificate.";
  return text + " Rights by role: read and write per resource type, operations by name.";
}

bool is_loopback(std::string_view peer) {
  if (peer.starts_with("[::ffff:")) peer.remove_prefix(8);  // IPv4 seen through an IPv6 socket
  return peer == "local" || peer.starts_with("127.") || peer == "::1" || peer.starts_with("[::1]");
}

std::string_view host_of(std::string_view peer) {
  const std::size_t colon = peer.rfind(':');
  return colon == std::string_view::npos || peer.ends_with(']') ? peer : peer.substr(0, colon);
}

}  // namespace kiln::engine
