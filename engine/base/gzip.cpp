#include "engine/base/gzip.h"

#include <zlib.h>

#include <algorithm>

namespace kiln::base {

std::string gzip(std::string_view bytes) {
  z_stream stream{};
  constexpr int kGzipWindow = 15 + 16;
  // Level 1 packs FHIR JSON to a seventh; higher levels cost several times as much for a tenth less.
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) return {};
  std::string out;
  // zlib counts in 32 bits: longer texts go in by parts.
  constexpr std::size_t kPart = 1u << 30;
  int code = Z_OK;
  while (code == Z_OK) {
    if (stream.avail_in == 0) {
      const std::size_t part = std::min(kPart, bytes.size());
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
      stream.avail_in = static_cast<uInt>(part);
      bytes.remove_prefix(part);
    }
    const std::size_t have = out.size();
    out.resize(have + 16'384 + stream.avail_in / 4);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + have);
    stream.avail_out = static_cast<uInt>(out.size() - have);
    code = deflate(&stream, bytes.empty() ? Z_FINISH : Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    if (code == Z_BUF_ERROR) code = Z_OK;  // it only wants more room
  }
  deflateEnd(&stream);
  return out;
}

}  // namespace kiln::base
