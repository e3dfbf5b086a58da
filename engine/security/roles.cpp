#include "engine/security/roles.h"

#include <algorithm>
#include <array>

namespace kiln::engine {
namespace {

constexpr std::array kGrantable = {AdminRight::view,   AdminRight::phi_view,  AdminRight::operate,
                                   AdminRight::replay, AdminRight::configure, AdminRight::audit,
                                   AdminRight::admin};
constexpr Rights kView = Rights().with(AdminRight::view);
constexpr AdminRole kRoles[] = {
    {"viewer", kView, false},
    {"operator", kView.with(AdminRight::operate).with(AdminRight::replay), true},
    {"developer", kView.with(AdminRight::configure), true},
    {"auditor", kView.with(AdminRight::audit), false},
    {"admin", kView.with(AdminRight::operate).with(AdminRight::configure).with(AdminRight::admin), true},
    // The first account, and this machine's socket, until there are others (security.md §4).
    {"owner", Rights::all(), true},
};

}  // namespace

const char* name_of(AdminRight right) {
  switch (right) {
    case AdminRight::anybody:
      return "anybody";
    case AdminRight::login:
      return "login";
    case AdminRight::view:
      return "view";
    case AdminRight::phi_view:
      return "phi.view";
    case AdminRight::operate:
      return "operate";
    case AdminRight::replay:
      return "replay";
    case AdminRight::configure:
      return "configure";
    case AdminRight::audit:
      return "audit";
    case AdminRight::admin:
      return "admin";
  }
  return "";
}

std::span<const AdminRight> grantable_rights() {
  return kGrantable;
}

AdminRight find_right(std::string_view name) {
  for (const AdminRight right : kGrantable)
    if (name == name_of(right)) return right;
  return AdminRight::anybody;
}

std::vector<std::string_view> Rights::names() const {
  std::vector<std::string_view> out;
  for (const AdminRight right : kGrantable)
    if (has(right)) out.push_back(name_of(right));
  return out;
}

std::span<const AdminRole> admin_roles() {
  return kRoles;
}

const AdminRole* find_role(std::string_view name) {
  const auto* found =
      std::ranges::find_if(kRoles, [name](const AdminRole& role) { return name == role.name; });
  return found == std::end(kRoles) ? nullptr : found;
}

}  // namespace kiln::engine
