#pragma once
// Conditions as most of them are: a text of the message looked at, and what is asked of it; a constant; two
// of them. They are recognised once, when facts are derived, so that a run need not walk the expression
// (hmap.md §17).

#include <cstdint>
#include <string_view>
#include <vector>

#include "mappings/detail/ir.h"
#include "mappings/detail/plans.h"

namespace kiln::mappings::detail {

enum class ConditionKind : std::uint8_t {
  general,  ///< the expression has to be evaluated
  always,   ///< true in every run
  never,
  both,     ///< `a and b`
  either,   ///< `a or b`
  inverse,  ///< `not a`
  equals,   ///< the text of `a` is `literal`
  among,    ///< the text of `a` is one of the literal texts of the list `b`
  valued,   ///< the text of `a` is there
};

struct ConditionFacts {
  ConditionKind kind = ConditionKind::general;
  bool wanted = true;  ///< false: `!=`, `is not valued`
  ir::Index a = ir::kNone, b = ir::kNone;
  ir::StringId literal = ir::kNone;
  /// among: bit text_mark(t) is set for each text t of the list.
  std::uint64_t marks = 0;
};

/// A number below 64 in which most texts differ.
inline unsigned text_mark(std::string_view text) {
  if (text.empty()) return 0;
  return (static_cast<unsigned char>(text.front()) + 7u * static_cast<unsigned char>(text.back()) +
          13u * static_cast<unsigned>(text.size())) &
         63u;
}

/// Parallel to Unit::exprs.
std::vector<ConditionFacts> derive_conditions(const ir::Unit& unit, const std::vector<TextPlan>& plans);

}  // namespace kiln::mappings::detail
