#pragma once
// Who a request comes from, and what they may do: the one place that decides for the FHIR API (security.md
// D18, L9; fhir.md §14). Everything that is not allowed here is denied.

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "channels/options.h"
#include "engine/base/http_message.h"
#include "engine/base/result.h"
#include "fhir/access.h"

namespace kiln::engine {

/// What an interaction asks of a role.
enum class Right : std::uint8_t {
  nothing,  ///< anybody may (the CapabilityStatement)
  login,    ///< whoever is known; the parts of the request are asked for one by one
  read,
  write,
  operation,  ///< the operation by its name, and `read` on the type it is about
};

/// One row of the table of decisions.
struct AccessRule {
  std::string_view interaction;
  Right right;
};
/// The table; an interaction that is not in it, and is no operation ("$x"), is denied. A test holds it
/// against all interactions there are.
std::span<const AccessRule> access_rules();

/// What a role may do. "*" stands for every type or operation.
struct Role {
  std::set<std::string, std::less<>> read, write, operations;
};

/// The roles every site has: reader, writer, admin. nullptr for other names.
const Role* standard_role(std::string_view name);

class SiteAccess final : public fhir::Access {
 public:
  /// Without users: this machine may do everything, others nothing but /metadata.
  SiteAccess() = default;
  /// From the block `fhir { access { … } }`, resolved. Errors: channel_option for a token that is too short
  /// or is another user's, and for a role or type that does not exist. Tokens are kept as SHA-256 only.
  static base::Result<SiteAccess> read(const channels::Options& access, bool audited);

  /// Who sent it: by bearer token, else by the subject of the client certificate. Without both: this machine,
  /// when it needs no login, or nobody. Error: fhir_login, for a token or certificate that is nobody's, and
  /// for nobody asking for more than /metadata. Takes as long for a wrong token as for a right one.
  base::Result<fhir::Principal> identify(const base::HttpRequest& request,
                                         std::string_view certificate) const;

  bool allow(const fhir::Principal& principal, std::string_view interaction, std::string_view type,
             std::string_view query) const override;

  bool has_users() const { return !users_.empty(); }
  bool takes_certificates() const;
  /// For the CapabilityStatement: how a client shows who it is.
  std::string description() const;

 private:
  struct User {
    std::string name;
    std::string token_hash;   ///< SHA-256; empty: no token
    std::string certificate;  ///< subject; empty: none
    Role rights;              ///< of all its roles
  };
  const User* find(std::string_view name) const;
  static bool may(const Role& rights, Right right, std::string_view interaction, std::string_view type);

  std::vector<User> users_;
  bool loopback_open_ = true;
  bool audited_ = false;
};

/// True for 127.0.0.0/8, ::1 and the control socket ("local"), with or without port.
bool is_loopback(std::string_view peer);
/// The address of a peer without its port: what quotas count by.
std::string_view host_of(std::string_view peer);

}  // namespace kiln::engine
