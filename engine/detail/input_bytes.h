#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace kiln::engine::detail {

/// A whole file, at most 4 * limits::kMessageBytesMax; "-" is standard input.
base::Result<std::string> read_bytes(const std::string& path);
/// The same piece by piece, for what does not fit into memory; a piece is valid during the call. Ends at the
/// first error that `take` gives.
base::Status read_pieces(const std::string& path, const std::function<base::Status(std::string_view)>& take);

}  // namespace kiln::engine::detail
