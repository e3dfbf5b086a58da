#pragma once
// Caps of connectors, named, with their unit; what other layers need too stands in engine/base/limits.h.

#include <cstddef>
#include <cstdint>

namespace kiln::channels::limits {

}  // namespace kiln::channels::limits
