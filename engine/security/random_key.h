#pragma once
#include <cstddef>
#include <string>

#include "engine/base/result.h"

namespace kiln::engine {

/// Bytes from OpenSSL's generator, fit for keys. Error: internal, when it has no entropy.
base::Result<std::string> random_key(std::size_t bytes);

}  // namespace kiln::engine
