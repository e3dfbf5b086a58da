#include "engine/base/packing.h"

#include <zstd.h>

#include <memory>

namespace kiln::base {
namespace {

/// A fast level: what is packed lives for milliseconds as a rule.
constexpr int kLevel = -1;

ZSTD_CCtx* packing_context() {
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  thread_local const std::unique_ptr<ZSTD_CCtx, Free> context(ZSTD_createCCtx());
  return context.get();
}

}  // namespace

std::string pack(std::string_view bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t size =
      ZSTD_compressCCtx(packing_context(), out.data(), out.size(), bytes.data(), bytes.size(), kLevel);
  // It can only fail without memory or with a buffer below the bound.
  if (ZSTD_isError(size) != 0) std::abort();
  out.resize(size);
  return out;
}

Result<std::string> unpack(std::string_view packed, std::size_t max_bytes) {
  const unsigned long long size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN)
    return fail(ErrorCode::database_corrupt, "not a packed text");
  if (size > max_bytes) return fail(ErrorCode::limit_exceeded, "a packed text is too long");
  std::string out(static_cast<std::size_t>(size), '\0');
  const std::size_t got = ZSTD_decompress(out.data(), out.size(), packed.data(), packed.size());
  if (ZSTD_isError(got) != 0 || got != out.size())
    return fail(ErrorCode::database_corrupt, "a packed text is damaged");
  return out;
}

}  // namespace kiln::base
