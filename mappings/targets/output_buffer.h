#pragma once
// Appending to a std::string without a call per piece.

#include <cstring>
#include <string>
#include <string_view>

namespace kiln::mappings {

/// Writes into `text`; finish() gives the string its size. One at a time per string.
class OutputBuffer {
 public:
  explicit OutputBuffer(std::string& text) : text_(text) {
    text_.resize(text_.capacity() < kFirst ? kFirst : text_.capacity());
    at_ = text_.data();
    end_ = at_ + text_.size();
  }
  std::size_t size() const { return static_cast<std::size_t>(at_ - text_.data()); }
  void truncate(std::size_t size) { at_ = text_.data() + size; }
  void put(char c) {
    if (at_ == end_) grow(1);
    *at_++ = c;
  }
  void put(std::string_view piece) {
    if (static_cast<std::size_t>(end_ - at_) < piece.size()) grow(piece.size());
    std::memcpy(at_, piece.data(), piece.size());
    at_ += piece.size();
  }
  /// A JSON string with quotes.
  void put_string(std::string_view value);
  void finish() { text_.resize(size()); }

 private:
  static constexpr std::size_t kFirst = 16u << 10;
  void grow(std::size_t more);

  std::string& text_;
  char* at_;
  char* end_;
};

}  // namespace kiln::mappings
