#pragma once
// hmap.lock: the base rules that a site overrides, as they were when somebody last looked at them
// (hmap.md §13). Beside kiln.conf; written by `kiln accept`, read by every check.

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/diagnostic.h"
#include "engine/base/result.h"

namespace kiln::mappings {

inline constexpr std::string_view kLockFileName = "hmap.lock";

/// OverriddenRule::map of constants that `extend const` sets.
inline constexpr std::string_view kLockedConstants = "const";

/// One rule that an `extend map` removes or replaces, or a constant that an `extend const` sets.
struct OverriddenRule {
  std::string map;   ///< qualified name of the extended map; kLockedConstants
  std::string rule;  ///< address of the base rule: "std.v2fhir.adt:PID_Patient.gender"
  std::string text;  ///< its source, one blank between tokens, without comments
  std::string hash;  ///< SHA-256 (hex) of `text`
  base::Span edit;   ///< of the edit; not kept in the file
};

/// The content of a lock file, sorted by map and rule.
class Lock {
 public:
  /// Errors: bad_value with "line N" as place.
  static base::Result<Lock> parse(std::string_view text);
  static Lock of(std::vector<OverriddenRule> rules);

  std::string print() const;
  const std::vector<OverriddenRule>& rules() const { return rules_; }
  const OverriddenRule* find(std::string_view map, std::string_view rule) const;

 private:
  std::vector<OverriddenRule> rules_;
};

/// E0702 for each rule whose base changed since it was accepted, with both texts; W0703 once for each map
/// with overrides that the lock does not know. `lock` may be null: the site has none yet.
void check_lock(const Lock* lock, const std::vector<OverriddenRule>& overridden,
                base::Diagnostics& diagnostics);

}  // namespace kiln::mappings
