#pragma once
// Rights of the admin API and the roles that bundle them (security.md §4).

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::engine {

/// What a route asks of its caller. `anybody` and `login` are no rights one can be given.
enum class AdminRight : std::uint8_t {
  anybody,    ///< without login
  login,      ///< whoever is logged in
  view,       ///< dashboard, metrics, metadata of messages
  phi_view,   ///< content of messages: a right of its own, granted to an account
  operate,    ///< start, stop, pause; release and annotate quarantine
  replay,     ///< replay, edit and resend, drop
  configure,  ///< configuration and maps
  audit,      ///< read, verify and export the audit trail
  admin       ///< users, tokens, keys, retention
};
/// As in the API and in files: "phi.view".
const char* name_of(AdminRight right);

/// A set of rights.
class Rights {
 public:
  constexpr Rights() = default;
  static constexpr Rights all() { return Rights(0xffff); }
  constexpr Rights with(AdminRight right) const { return Rights(bits_ | bit(right)); }
  constexpr Rights without(AdminRight right) const { return Rights(bits_ & ~bit(right)); }
  constexpr Rights both(Rights other) const { return Rights(bits_ & other.bits_); }
  constexpr bool has(AdminRight right) const { return (bits_ & bit(right)) != 0; }
  constexpr std::uint32_t bits() const { return bits_; }
  static constexpr Rights of_bits(std::uint32_t bits) { return Rights(bits); }
  /// "view", "phi.view", …, in the order of the enum.
  std::vector<std::string_view> names() const;

 private:
  explicit constexpr Rights(std::uint32_t bits) : bits_(bits) {}
  static constexpr std::uint32_t bit(AdminRight right) { return 1u << static_cast<unsigned>(right); }
  std::uint32_t bits_ = 0;
};

/// The rights that can be given; every one has a name.
std::span<const AdminRight> grantable_rights();
/// `anybody` when there is none of that name.
AdminRight find_right(std::string_view name);

struct AdminRole {
  const char* name;
  Rights rights;
  bool may_view_phi;  ///< phi.view can be granted to an account with this role
};
std::span<const AdminRole> admin_roles();
/// nullptr when there is none.
const AdminRole* find_role(std::string_view name);

}  // namespace kiln::engine
