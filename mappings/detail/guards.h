#pragma once
// Which statements cannot have an effect because what they read of the message is empty (hmap.md §17): most
// rules of a large map, for any one message.

#include <cstdint>
#include <vector>

#include "mappings/detail/ir.h"

namespace kiln::mappings::detail {

/// When none of the places of a guard holds anything, the statement reads nothing, writes nothing and notes
/// nothing, so it need not run.
struct StatementGuard {
  static constexpr ir::Index kNothing = ir::kNone;    ///< no such places are known
  static constexpr ir::Index kParts = ir::kNone - 1;  ///< components of the parameter of a datatype map
  ir::Index of = kNothing;  ///< kParts, or a SegmentRef: its fields; a missing segment has none
  std::uint64_t mask = 1;   ///< bit n-1: component or field n; never 0
};

/// Parallel to Unit::stmts. Components above 32 and fields above 64 are in no guard.
std::vector<StatementGuard> statement_guards(const ir::Unit& unit);

}  // namespace kiln::mappings::detail
