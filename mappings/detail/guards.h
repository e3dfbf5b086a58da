#pragma once
// Which writes of a datatype map cannot have an effect because the components they read are empty (hmap.md
// §17).

#include <cstdint>
#include <vector>

#include "mappings/detail/ir.h"

namespace kiln::mappings::detail {

/// Parallel to Unit::writes: bit n-1 = component n of the parameter of the datatype map that the write
/// belongs to. When none of them holds anything, the write reads nothing, writes nothing and notes nothing,
/// so it need not run. 0: no such set is known. Components above 32 are never in a set.
std::vector<std::uint32_t> component_guards(const ir::Unit& unit);

}  // namespace kiln::mappings::detail
