#pragma once
// Files that may be packed (gzip, Zstandard), read from their beginning to their end with constant memory.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace kiln::base {

/// One file as a stream of bytes. Whether it is packed is told by its first bytes, not by its name. Move-only; one
/// thread at a time.
class PackedFile {
 public:
  /// Errors: file_not_found, io_failed.
  static Result<PackedFile> open(const std::string& path);
  PackedFile(PackedFile&&) noexcept;
  PackedFile& operator=(PackedFile&&) noexcept;
  ~PackedFile();

  /// The next unpacked bytes, at most `capacity`; 0 at the end. Errors: io_failed, bad_archive (damaged or cut off).
  Result<std::size_t> read(char* into, std::size_t capacity);
  /// Bytes of the file itself that were read so far.
  std::uint64_t position() const;
  bool is_packed() const;

 private:
  struct State;
  explicit PackedFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The whole unpacked content. Errors: those of PackedFile; limit_exceeded beyond `max_bytes`.
Result<std::string> read_packed_file(const std::string& path, std::uint64_t max_bytes);

/// The lines of a file, without their ends (LF or CR LF); the last one may have none.
class LineReader {
 public:
  /// A line longer than `line_bytes_max` is limit_exceeded.
  static Result<LineReader> open(const std::string& path, std::size_t line_bytes_max);

  /// False at the end.
  Result<bool> next();
  /// Valid until the next call of next().
  std::string_view line() const { return line_; }
  std::uint64_t number() const { return number_; }  ///< of line(), from 1
  std::uint64_t position() const { return file_.position(); }

 private:
  LineReader(PackedFile file, std::size_t max) : file_(std::move(file)), line_bytes_max_(max) {}
  PackedFile file_;
  std::size_t line_bytes_max_;
  std::string buffer_;
  std::size_t begin_ = 0;  ///< what of buffer_ was given out
  std::string_view line_;
  std::uint64_t number_ = 0;
  bool ended_ = false;
};

}  // namespace kiln::base
