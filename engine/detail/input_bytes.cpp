#include "engine/detail/input_bytes.h"

#include <cstdio>

#include "engine/base/env.h"
#include "engine/base/limits.h"

namespace kiln::engine::detail {

base::Result<std::string> read_bytes(const std::string& path) {
  constexpr std::size_t kBytesMax = base::limits::kMessageBytesMax * 4;
  if (path != "-") return base::system_env().read_file(path, kBytesMax);
  std::string out;
  char chunk[65536];
  while (const std::size_t n = std::fread(chunk, 1, sizeof chunk, stdin)) {
    out.append(chunk, n);
    if (out.size() > kBytesMax)
      return base::fail(base::ErrorCode::limit_exceeded, "standard input is too large", {}, "give files");
  }
  return out;
}

}  // namespace kiln::engine::detail
