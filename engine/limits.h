#pragma once
// Caps of the engine itself, named, with their unit; what lower layers need too stands in engine/base/limits.h.

#include <cstddef>
#include <cstdint>

namespace kiln::engine::limits {

}  // namespace kiln::engine::limits
