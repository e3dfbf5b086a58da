#pragma once
// Appending to a growing text without a call per piece.

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace kiln::mappings {

/// Collects a text; finish() hands it to the string that the buffer was made for. Not thread-safe.
class OutputBuffer {
 public:
  /// `text` is written by finish() only and has to live until then.
  explicit OutputBuffer(std::string& text)
      : text_(text), data_(new char[kFirst]), at_(data_.get()), end_(at_ + kFirst) {}
  std::size_t size() const { return static_cast<std::size_t>(at_ - data_.get()); }
  void truncate(std::size_t size) { at_ = data_.get() + size; }
  void put(char c) {
    if (at_ == end_) grow(1);
    *at_++ = c;
  }
  void put(std::string_view piece) {
    if (piece.empty()) return;  // it may have no address
    if (static_cast<std::size_t>(end_ - at_) < piece.size()) grow(piece.size());
    std::memcpy(at_, piece.data(), piece.size());
    at_ += piece.size();
  }
  /// A JSON string with quotes.
  void put_string(std::string_view value);
  void finish() { text_.assign(data_.get(), size()); }

 private:
  static constexpr std::size_t kFirst = 32u << 10;
  void grow(std::size_t more);

  std::string& text_;
  std::unique_ptr<char[]> data_;  ///< not initialised: only what is before at_ means anything
  char* at_;
  char* end_;
};

}  // namespace kiln::mappings
