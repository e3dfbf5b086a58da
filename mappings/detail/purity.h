#pragma once
// Which fns depend on nothing but their arguments.

#include <cstdint>
#include <vector>

#include "mappings/detail/ir.h"

namespace kiln::mappings::detail {

/// Parallel to Unit::functions: 1 when the result of the fn is the same for the same arguments in every run:
/// it looks at no message, no table that may change, no lookup and nothing of the run.
std::vector<std::uint8_t> pure_functions(const ir::Unit& unit);

/// Parallel to Unit::functions: 1 when the result depends on nothing but the texts of the arguments, also
/// where these are parts of the message whose components the fn reads, and is no object and no null unless an
/// argument is or holds one.
std::vector<std::uint8_t> text_functions(const ir::Unit& unit);

/// Parallel to Unit::functions: 1 for a datatype map, and for a fn that may give an object, when what it
/// makes depends on nothing but its arguments, the rule that calls it and the zone of the message: it refers
/// to no resource, writes to no object but its own, and looks at no message, no table that may change and
/// nothing of the run. Of arguments without nulls.
std::vector<std::uint8_t> object_functions(const ir::Unit& unit);
/// Parallel to Unit::exprs: the same of lookups that make an object of one value, the one that they
/// translate.
std::vector<std::uint8_t> object_lookups(const ir::Unit& unit);

}  // namespace kiln::mappings::detail
