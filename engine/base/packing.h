#pragma once
// Short texts pressed together for storage (Zstandard, RFC 8878): a FHIR Bundle takes about a seventh.

#include <cstddef>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace kiln::base {

/// One Zstandard frame with the size of its content. Thread-safe; keeps one working area a thread.
std::string pack(std::string_view bytes);

/// What pack() was given. Errors: database_corrupt when it is not such a frame, limit_exceeded when its
/// content would be longer than `max_bytes`.
Result<std::string> unpack(std::string_view packed, std::size_t max_bytes);

}  // namespace kiln::base
