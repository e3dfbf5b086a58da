#include "engine/base/packed_file.h"

#include <zlib.h>
#include <zstd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

namespace kiln::base {

namespace {
constexpr std::size_t kChunk = 256u << 10;
enum class Kind : std::uint8_t { plain, gzip, zstd };

Kind kind_of(std::string_view head) {
  if (head.starts_with("\x1F\x8B")) return Kind::gzip;
  if (head.starts_with("\x28\xB5\x2F\xFD")) return Kind::zstd;
  return Kind::plain;
}
}  // namespace

struct PackedFile::State {
  std::FILE* file = nullptr;
  std::string path;
  Kind kind = Kind::plain;
  z_stream inflate{};
  bool inflating = false;
  ZSTD_DCtx* zstd = nullptr;
  std::vector<char> in = std::vector<char>(kChunk);
  std::size_t used = 0, filled = 0;
  std::uint64_t position = 0;
  bool in_member = false;  ///< inside a packed stream, whose end is still to come

  ~State() {
    if (inflating) inflateEnd(&inflate);
    ZSTD_freeDCtx(zstd);
    if (file != nullptr) std::fclose(file);
  }
  /// False at the end of the file.
  Result<bool> fill() {
    if (used < filled) return true;
    used = 0;
    filled = std::fread(in.data(), 1, in.size(), file);
    position += filled;
    if (filled == 0 && std::ferror(file)) return fail(ErrorCode::io_failed, {}, path);
    return filled > 0;
  }
  Error damaged() const { return {ErrorCode::bad_archive, "the packed file is damaged or cut off", path, {}}; }
  Result<std::size_t> read_gzip(char* into, std::size_t capacity);
  Result<std::size_t> read_zstd(char* into, std::size_t capacity);
};

Result<std::size_t> PackedFile::State::read_gzip(char* into, std::size_t capacity) {
  for (;;) {
    TRY(const bool more, fill());
    if (!more) {
      if (in_member) return base::fail(damaged());
      return std::size_t{0};
    }
    inflate.next_in = reinterpret_cast<Bytef*>(in.data() + used);
    inflate.avail_in = static_cast<uInt>(filled - used);
    inflate.next_out = reinterpret_cast<Bytef*>(into);
    inflate.avail_out = static_cast<uInt>(capacity);
    in_member = true;
    const int code = ::inflate(&inflate, Z_NO_FLUSH);
    used = filled - inflate.avail_in;
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) return base::fail(damaged());
    if (code == Z_STREAM_END) {  // another member may follow
      inflateReset(&inflate);
      in_member = false;
    }
    const std::size_t got = capacity - inflate.avail_out;
    if (got > 0) return got;
  }
}

Result<std::size_t> PackedFile::State::read_zstd(char* into, std::size_t capacity) {
  ZSTD_outBuffer out{into, capacity, 0};
  while (out.pos == 0) {
    TRY(const bool more, fill());
    if (!more) {
      if (in_member) return base::fail(damaged());
      return std::size_t{0};
    }
    ZSTD_inBuffer input{in.data(), filled, used};
    const std::size_t code = ZSTD_decompressStream(zstd, &out, &input);
    used = input.pos;
    if (ZSTD_isError(code)) return base::fail(damaged());
    in_member = code != 0;
  }
  return out.pos;
}

PackedFile::PackedFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
PackedFile::PackedFile(PackedFile&&) noexcept = default;
PackedFile& PackedFile::operator=(PackedFile&&) noexcept = default;
PackedFile::~PackedFile() = default;

Result<PackedFile> PackedFile::open(const std::string& path) {
  auto state = std::make_unique<State>();
  state->path = path;
  state->file = std::fopen(path.c_str(), "rb");
  if (state->file == nullptr)
    return fail(errno == ENOENT ? ErrorCode::file_not_found : ErrorCode::io_failed, {}, path);
  TRY_VOID(state->fill());
  state->kind = kind_of({state->in.data(), state->filled});
  constexpr int kGzipWindow = 15 + 16;
  if (state->kind == Kind::gzip) {
    if (inflateInit2(&state->inflate, kGzipWindow) != Z_OK) return fail(ErrorCode::internal, {}, path);
    state->inflating = true;
  }
  if (state->kind == Kind::zstd) state->zstd = ZSTD_createDCtx();
  return PackedFile(std::move(state));
}

Result<std::size_t> PackedFile::read(char* into, std::size_t capacity) {
  State& state = *state_;
  if (state.kind == Kind::gzip) return state.read_gzip(into, capacity);
  if (state.kind == Kind::zstd) return state.read_zstd(into, capacity);
  TRY(const bool more, state.fill());
  if (!more) return std::size_t{0};
  const std::size_t got = std::min(capacity, state.filled - state.used);
  std::memcpy(into, state.in.data() + state.used, got);
  state.used += got;
  return got;
}

std::uint64_t PackedFile::position() const {
  return state_->position - (state_->filled - state_->used);
}

bool PackedFile::is_packed() const {
  return state_->kind != Kind::plain;
}

Result<std::string> read_packed_file(const std::string& path, std::uint64_t max_bytes) {
  TRY(PackedFile file, PackedFile::open(path));
  std::string bytes;
  for (;;) {
    const std::size_t have = bytes.size();
    bytes.resize(have + kChunk);
    TRY(const std::size_t got, file.read(bytes.data() + have, kChunk));
    bytes.resize(have + got);
    if (bytes.size() > max_bytes) return fail(ErrorCode::limit_exceeded, "the file is larger than allowed", path);
    if (got == 0) return bytes;
  }
}

Result<LineReader> LineReader::open(const std::string& path, std::size_t line_bytes_max) {
  TRY(PackedFile file, PackedFile::open(path));
  return LineReader(std::move(file), line_bytes_max);
}

Result<bool> LineReader::next() {
  std::size_t from = begin_;
  for (;;) {
    const std::size_t end = buffer_.find('\n', from);
    if (end != buffer_.npos || (ended_ && begin_ < buffer_.size())) {
      line_ = std::string_view(buffer_).substr(begin_, end == buffer_.npos ? end : end - begin_);
      begin_ = end == buffer_.npos ? buffer_.size() : end + 1;
      if (line_.ends_with('\r')) line_.remove_suffix(1);
      ++number_;
      return true;
    }
    if (ended_) return false;
    buffer_.erase(0, begin_);
    begin_ = 0;
    from = buffer_.size();
    if (buffer_.size() > line_bytes_max_)
      return fail(ErrorCode::limit_exceeded, "a line is longer than allowed", "line " + std::to_string(number_ + 1));
    buffer_.resize(from + kChunk);
    TRY(const std::size_t got, file_.read(buffer_.data() + from, kChunk));
    buffer_.resize(from + got);
    ended_ = got == 0;
  }
}

}  // namespace kiln::base
