#pragma once
#include <string>

#include "engine/base/result.h"

namespace kiln::engine::detail {

/// A whole file, at most 4 * limits::kMessageBytesMax; "-" is standard input.
base::Result<std::string> read_bytes(const std::string& path);

}  // namespace kiln::engine::detail
