#pragma once
// What operations needs to know of a certificate.

#include <optional>
#include <string_view>

#include "engine/base/clock.h"

namespace kiln::engine {

/// Until when the first certificate of a PEM text is valid; nothing when there is none.
std::optional<base::WallTime> certificate_end(std::string_view pem);

}  // namespace kiln::engine
