#include "engine/detail/input_bytes.h"

#include <cerrno>
#include <cstdio>
#include <memory>

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

base::Status read_pieces(const std::string& path, const std::function<base::Status(std::string_view)>& take) {
  constexpr std::size_t kPiece = 256u << 10;
  const std::unique_ptr<char[]> piece = std::make_unique_for_overwrite<char[]>(kPiece);
  const auto close = [](std::FILE* file) {
    if (file != stdin) std::fclose(file);
  };
  const std::unique_ptr<std::FILE, decltype(close)> file(path == "-" ? stdin : std::fopen(path.c_str(), "rb"),
                                                         close);
  if (!file) {
    const bool missing = errno == ENOENT;
    return base::fail(missing ? base::ErrorCode::file_not_found : base::ErrorCode::io_failed, {}, path);
  }
  while (const std::size_t n = std::fread(piece.get(), 1, kPiece, file.get()))
    TRY_VOID(take({piece.get(), n}));
  if (std::ferror(file.get()) != 0) return base::fail(base::ErrorCode::io_failed, {}, path);
  return {};
}

}  // namespace kiln::engine::detail
